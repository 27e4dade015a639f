"""Measure whether the networks are the same as PyTorch's, level by level.

examples:
  flaxnets parity
      all levels for all three networks, on digits, in a few minutes
  flaxnets parity --model cnn --level 3 7
      only the forward pass in evaluation, and gradients
  flaxnets parity --data-dir DIR --output FOLDER
      on MNIST and Fashion-MNIST; PARITY.md and pictures in FOLDER
"""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from flaxnets.commands import bad_input
from flaxnets.models import MODELS

if TYPE_CHECKING:
    from flaxnets.parity.report import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add = parser.add_argument
    add("--model", choices=MODELS, action="append", help="only this network (default: all)")
    add("--level", type=int, nargs="+", metavar="N", help="only these levels, 1 to 11")
    add(
        "--data-dir",
        metavar="DIR",
        help="the folder of MNIST and Fashion-MNIST, for levels 9 to 11 (default: digits)",
    )
    add("--output", metavar="FOLDER", help="also write PARITY.md, with pictures and mutants")


def run(options: argparse.Namespace) -> int:
    """Compare what the options name. Returns 0 if every level holds, else 1."""
    with bad_input():
        try:
            from flaxnets.parity import compare, report
            from flaxnets.parity.subject import subject
        except ImportError as error:
            raise ImportError(f"{error}: pip install 'flaxnets[parity]'") from error
        levels = compare.chosen(options.level)
        settings = {
            name: compare.setting(name, options.data_dir) for name in options.model or MODELS
        }
        if options.output:
            Path(options.output).mkdir(parents=True, exist_ok=True)
    print(report.HEADER, flush=True)
    records, began = [], time.perf_counter()
    for name, setting in settings.items():
        for found in compare.compare(subject(name), setting, levels):
            records += found
            for group in report.grouped(found):
                print(report.line(group), flush=True)
    described = {name: report.describe(setting) for name, setting in settings.items()}
    result = report.Report(tuple(records), described)
    print(f"{'every' if result.passed else 'NOT every'} level holds", end="")
    print(f" ({len(records)} comparisons in {time.perf_counter() - began:.0f} s)", flush=True)
    mutants_too = _write(result, Path(options.output)) if options.output else True
    return 0 if result.passed and mutants_too else 1


def _write(result: "Report", folder: Path) -> bool:
    """Write the page. Returns whether every mutant was seen by its level."""
    from flaxnets.parity import report, trials

    print("trying the mutants", flush=True)
    tried = trials.trials()
    for trial in tried:
        if not trial.passed:
            print(f"FAIL: {trial.mutant.name!r} was seen by levels {list(trial.seen)}")
    report.save(result, folder, tried)
    print(f"wrote {folder / 'PARITY.md'}")
    return all(trial.passed for trial in tried)

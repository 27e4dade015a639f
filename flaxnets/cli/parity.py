"""Measure whether the networks are the same as PyTorch's, level by level.

examples:
  flaxnets parity
      all levels for all three networks, on digits, in a quarter of an hour
  flaxnets parity --model cnn --level 3 7
      only the forward pass in evaluation, and gradients
  flaxnets parity --data-dir DIR --output FOLDER
      on MNIST and Fashion-MNIST; PARITY.md and pictures in FOLDER
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from flaxnets.cli.terminal import BOLD, bad_input, coloured, coloured_verdict
from flaxnets.models import MODELS

if TYPE_CHECKING:
    from flaxnets.parity.report import Report
    from flaxnets.parity.trials import Trial
    from flaxnets.parity.tutorials import Setting


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
    add(
        "--output",
        metavar="FOLDER",
        help="also write PARITY.md, with pictures and with mutants, which take about four minutes "
        "more; needs all levels",
    )


def run(options: argparse.Namespace) -> int:
    """Compare what the options name. Returns 0 if all holds, mutants too, else 1."""
    with bad_input():
        if options.output and options.level:
            raise ValueError("--output writes a page of all levels: leave out --level or --output")
        try:
            from flaxnets.parity import compare
            from flaxnets.parity.tutorials import TUTORIALS
        except ImportError as error:
            raise ImportError(f"{error}: pip install 'flaxnets[parity]'") from error
        levels = compare.chosen(options.level)
        settings = {
            name: TUTORIALS[name].setting(options.data_dir) for name in options.model or MODELS
        }
        if options.output:
            Path(options.output).mkdir(parents=True, exist_ok=True)
    result = _compare(settings, levels)
    mutants_too = _write(result, Path(options.output)) if options.output else True
    return 0 if result.passed and mutants_too else 1


def _compare(settings: "dict[str, Setting]", levels: Sequence[int]) -> "Report":
    """A row for each level as soon as it is measured, and the verdict."""
    from flaxnets.parity import compare, report
    from flaxnets.parity.tutorials import TUTORIALS

    print(report.HEADER, flush=True)
    records, began = [], time.perf_counter()
    for name, setting in settings.items():
        for found in compare.compare(TUTORIALS[name].pair, setting, levels):
            records += found
            for group in report.grouped(found):
                print(coloured_verdict(report.line(group)), flush=True)
    described = {name: report.describe(setting) for name, setting in settings.items()}
    result = report.Report(tuple(records), described)
    verdict = f"{'every' if result.passed else 'NOT every'} level holds"
    print(coloured(verdict, BOLD, sys.stdout), end="")
    print(f" ({len(records)} comparisons in {time.perf_counter() - began:.0f} s)", flush=True)
    return result


def _write(result: "Report", folder: Path) -> bool:
    """Write the page. Returns whether every mutant was seen by its level."""
    from flaxnets.parity import page

    tried = _try_mutants()
    for trial in tried:
        if not trial.passed:
            print(f"FAIL: {trial.mutant.name!r} was seen by levels {list(trial.seen)}")
    page.save(result, folder, tried)
    print(f"wrote {folder / 'PARITY.md'}")
    return all(trial.passed for trial in tried)


def _try_mutants() -> "list[Trial]":
    """With a bar on a terminal."""
    from flaxnets.parity import mutants, trials

    count, began = len(mutants.mutants()), time.perf_counter()
    print(f"trying {count} mutants", flush=True)
    shown = {"unit": " mutants", "disable": None, "leave": False, "dynamic_ncols": True}
    tried = list(tqdm(trials.trials(), "trying", count, **shown))
    passed, seconds = sum(trial.passed for trial in tried), time.perf_counter() - began
    print(f"{passed} of {count} mutants came out as they must ({seconds:.0f} s)", flush=True)
    return tried

"""Port a PyTorch network of one's own: Flax source, weights and proof.

It runs the file that it is given. NAME is a class or a function of it, which is
called, or a module that it has made. What cannot be ported is told by file and
line with what to do instead; then nothing is written, and the exit status is 2.
It is 1 if a level does not hold.

examples:
  flaxnets port my_net.py:Net --input 1,3,32,32
      network.py, weights.safetensors and PARITY.md in ported/net, with the
      weights that Net was made with
  flaxnets port my_net.py:Net --input 1,3,32,32 --weights net.pt --force
      with weights that were trained, in place of what is there
  flaxnets port package.nets:make --kwargs '{"n":10}' --input 4,20:int64:1000
      what a function gives, for whole numbers below 1000
  flaxnets port my_net.py:Net --loss cross_entropy --level 3 7
      for what the file's example() gives; only the forward pass and gradients
"""

import argparse
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flaxnets.cli import inputs, network
from flaxnets.cli.terminal import (
    BOLD,
    GREEN,
    RED,
    BadInput,
    bad_input,
    coloured,
    coloured_verdict,
)

if TYPE_CHECKING:
    from flaxnets.parity.report import Report
    from flaxnets.port import Ported
    from flaxnets.port.targets import Target


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add = parser.add_argument
    add("target", metavar="FILE.py:NAME", help="the network; or package.module:NAME")
    add(
        "--input",
        type=inputs.parsed,
        action="append",
        metavar="SHAPE[:DTYPE[:HIGH]]",
        help="an example of an argument of forward, in torch's layout, the batch first, as "
        f"{inputs.EXAMPLES} for whole numbers below 1000; once for each argument (default: what "
        "the function example() of the file gives)",
    )
    add("--kwargs", metavar="JSON", help="what NAME is called with, as '{\"classes\": 10}'")
    add(
        "--weights",
        metavar="FILE",
        help="a state_dict or a checkpoint: .pt, .pth, .safetensors, .npz (default: the weights "
        "that NAME was made with)",
    )
    add(
        "--loss",
        metavar="NAME",
        help="of torch.nn.functional, as cross_entropy, or a function of the file, of outputs and "
        "targets (default: the outputs, weighted)",
    )
    add("--output", metavar="FOLDER", help="default: ported/ and the name of the class")
    add("--level", type=int, nargs="+", metavar="N", help="compare these levels only, 1 to 11")
    add("--no-check", action="store_true", help="compare nothing")
    add("--force", action="store_true", help="replace what is in FOLDER (default: show what would)")


def run(options: argparse.Namespace) -> int:
    """Port what the options name. Returns 0 if every level holds, 1 if one fails, else 2."""
    with bad_input():
        _check(options)
        target = network.target(options)
        example = network.example(target, options)
        loss = network.loss(target, options.loss)
    folder = Path(options.output or Path("ported", _name(target)))
    with bad_input():
        _check_folder(folder)
    ported = _ported(target, example)
    if ported is None:
        return 2
    for note in ported.notes:
        print(note)
    if folder.exists() and not options.force:
        return _refuse(folder, ported)
    report = None if options.no_check else _compared(ported, options.level, loss)
    return _write(folder, ported, report, target, options)


def _check(options: argparse.Namespace) -> None:
    """What can be said before anything is run."""
    try:
        from flaxnets.parity import compare
    except ImportError as error:
        raise ImportError(f"{error}: pip install 'flaxnets[parity]'") from error
    if options.no_check and (options.level or options.loss):
        raise ValueError("--no-check compares nothing: leave it out, or --level and --loss")
    compare.chosen(options.level)


def _name(target: "Target") -> str:
    """The class in snake_case; of torch's own the name that it was given."""
    kind = type(target.net)
    name = target.name if kind.__module__.startswith("torch.") else kind.__name__
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _check_folder(folder: Path) -> None:
    """Raises ValueError unless it can be written: before the work, not after it."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--output {folder} is a file; it must be a folder, new or not")
    if not folder.resolve().name:
        raise ValueError(f"--output {folder}: name a folder")
    above = next(path for path in folder.absolute().parents if path.exists())
    try:
        tempfile.TemporaryFile(dir=above).close()
    except OSError as error:
        raise ValueError(f"--output {folder}: cannot write in {above}: {error.strerror}") from error


def _ported(target: "Target", example: Any) -> "Ported | None":
    """None if it cannot be ported, once it was said why."""
    from flaxnets.port import Unsupported, port, targets

    try:
        with targets.authors_errors():
            return port(target.net, example, made=target.made)
    except targets.Unusable as error:
        name = type(target.net).__name__
        raise BadInput(f"{name} cannot be ported, or not with this input: {error}") from error
    except Unsupported as error:
        for offence in error.offences:
            print(" ".join(str(offence).split()), file=sys.stderr)
        return None


def _refuse(folder: Path, ported: "Ported") -> int:
    """Show what is there, and what would be."""
    from flaxnets.port import saving

    colours = {"+": GREEN, "-": RED, "@": BOLD}
    for line in saving.difference(folder, ported.source, ported.variables):
        print(coloured(line, colours[line[0]], sys.stdout) if line[:1] in colours else line)
    raise BadInput(f"{folder} exists already: choose another --output, or --force to replace it")


def _compared(ported: "Ported", levels: list[int] | None, loss: Any) -> "Report":
    """A row for each level as soon as it is measured, and the verdict."""
    from flaxnets.port import targets

    began = time.perf_counter()
    with bad_input(), targets.authors_errors():
        report = ported.check(levels, loss, lambda row: print(coloured_verdict(row), flush=True))
    print(coloured(_verdict(report, levels), BOLD, sys.stdout), end="")
    print(
        f" ({len(report.records)} comparisons in {time.perf_counter() - began:.0f} s)", flush=True
    )
    return report


def _verdict(report: "Report", levels: list[int] | None) -> str:
    if not report.records:
        return "nothing was compared"
    if not report.passed:
        return "NOT every level holds"
    return "these levels hold" if levels else "every level holds"


def _write(
    folder: Path,
    ported: "Ported",
    report: "Report | None",
    target: "Target",
    options: argparse.Namespace,
) -> int:
    """The folder, and where it is. Returns the exit status."""
    from flaxnets.port import saving

    saving.save(folder, ported.source, ported.variables, report, _origin(target, options))
    names = [saving.NETWORK, saving.WEIGHTS, *([saving.PAGE] if report else [])]
    print(f"wrote {folder}: {', '.join(names)}")
    return 0 if report is None or report.passed else 1


def _origin(target: "Target", options: argparse.Namespace) -> Any:
    """For the header of the source."""
    from flaxnets.port import saving

    where, _, name = options.target.rpartition(":")
    kind = type(target.net).__name__
    arguments = ", ".join(
        f"{key}={value!r}" for key, value in network.kwargs(options.kwargs).items()
    )
    text = f"{name}({arguments})" if arguments else name
    what = "" if kind == name else f", of class ``{kind}``,"
    file = Path(where).name if where.endswith(".py") else where
    weights = "that it was made with, after torch.manual_seed(0)"
    if options.weights:
        weights = f"of ``{Path(options.weights).name}``"
    return saving.Origin(f"``{text}``{what} in ``{file}``", weights)

"""The command line: ``flaxnets``, ``python -m flaxnets`` and ``train.py`` are this program.

Each sub-command is a module of ``flaxnets.cli`` with ``add_arguments`` and ``run``. Bad
input, which they raise as ValueError or OSError, ends in one line and exit status 2; what fails
later, on a full disk for instance, in one line and exit status 1.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from flaxnets import __version__
from flaxnets.cli import convert, parity, port, predict, summary, train
from flaxnets.cli.compilation_cache import use_compilation_cache
from flaxnets.cli.terminal import RED, BadInput, coloured

COMMANDS = {
    "train": train,
    "predict": predict,
    "summary": summary,
    "convert": convert,
    "parity": parity,
    "port": port,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sub-command.

    Args:
        arguments: those of the command line by default.

    Returns:
        The exit status.

    Raises:
        SystemExit: with status 2 on bad input, with 0 after ``--help`` and ``--version``.
    """
    parser, subparsers = _parsers()
    options, rest = parser.parse_known_args(arguments)
    chosen = subparsers.get(options.command, parser)
    if rest and not (hasattr(options, "images") and all(not r.startswith("-") for r in rest)):
        chosen.error(f"unrecognized arguments: {' '.join(rest)}")
    if options.command is None:
        parser.print_help(sys.stderr)
        return 2
    if rest:  # argparse takes no images after an option
        options.images += rest
    use_compilation_cache()
    try:
        status: int = options.run(options)
        return status
    except BadInput as error:
        _tell(chosen.prog, error)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of a pipe has left, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, FloatingPointError) as error:
        _tell(chosen.prog, error)
        return 1


def _tell(program: str, error: object) -> None:
    print(coloured(f"{program}: error:", RED, sys.stderr), error, file=sys.stderr)


class _Parser(argparse.ArgumentParser):
    """Tells what is wrong in one line: the usage, which argparse puts before it, hides it."""

    def error(self, message: str) -> NoReturn:
        _tell(self.prog, f"{message} (see {self.prog} --help)")
        sys.exit(2)


def _parsers() -> tuple[_Parser, dict[str, _Parser]]:
    parser = _Parser(
        prog="flaxnets",
        description="The networks of the PyTorch tutorials in JAX and Flax.",
        epilog="examples:\n  flaxnets train --model mlp --epochs 5\n  flaxnets train --help",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"flaxnets {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    subparsers = {}
    for name, command in COMMANDS.items():
        summary, _, details = (command.__doc__ or "").partition("\n")
        subparsers[name] = commands.add_parser(
            name,
            help=summary,
            description=summary,
            epilog=details,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(subparsers[name])
        subparsers[name].set_defaults(run=command.run)
    return parser, subparsers

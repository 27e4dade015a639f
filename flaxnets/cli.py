"""The command line: ``flaxnets``, ``python -m flaxnets`` and ``train.py`` are this program.

Each sub-command is a module of ``flaxnets.commands`` with ``add_arguments`` and ``run``. Bad
input, which they raise as ValueError or OSError, ends in one line and exit status 2; what fails
later, on a full disk for instance, in one line and exit status 1.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from flaxnets import __version__
from flaxnets.commands import BadInput, convert, parity, predict, summary, train
from flaxnets.commands.cache import use_compilation_cache

COMMANDS = {
    "train": train,
    "predict": predict,
    "summary": summary,
    "convert": convert,
    "parity": parity,
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
    if rest and not (hasattr(options, "images") and all(not r.startswith("-") for r in rest)):
        subparsers[options.command].error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:  # argparse takes no images after an option
        options.images += rest
    use_compilation_cache()
    try:
        return options.run(options)
    except BadInput as error:
        subparsers[options.command].error(str(error))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of a pipe has left, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, FloatingPointError) as error:
        print(f"flaxnets {options.command}: error: {error}", file=sys.stderr)
        return 1


def _parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    parser = argparse.ArgumentParser(
        prog="flaxnets",
        description="The networks of the PyTorch tutorials in JAX and Flax.",
        epilog="example: flaxnets train --model mlp --epochs 5",
    )
    parser.add_argument("--version", action="version", version=f"flaxnets {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
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

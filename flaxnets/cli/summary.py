"""Show what a network is made of, and what it costs in operations and memory.

examples:
  flaxnets summary
      the CNN of the tutorials
  flaxnets summary mlp --batch-size 1
      the MLP, for one image
  flaxnets summary runs/cnn
      the network that a run has trained, or that a file holds
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flaxnets.cli.terminal import bad_input

if TYPE_CHECKING:
    from flaxnets.cost import Cost

LARGEST = 1_000_000  # a batch; beyond, XLA's numbers overflow
NOTES = """\
{layers}

FLOP: floating-point operations for the whole batch, as XLA counts them. All
else: what stands between the layers, the loss, and Adam.

{memory}

Memory: of the programs as they are compiled here, by XLA's plan of buffers.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        nargs="?",
        default="cnn",
        help="cnn, mlp or softmax_mlp; or the folder of a run, or a saved file (default: cnn)",
    )
    parser.add_argument("--batch-size", type=int, default=64, metavar="N", help="default: 64")


def run(options: argparse.Namespace) -> int:
    """Print the summary. Returns the exit status."""
    import jax

    from flaxnets import saving
    from flaxnets.cost import cost
    from flaxnets.models import MODELS

    with bad_input():
        if not 1 <= options.batch_size <= LARGEST:
            raise ValueError(
                f"--batch-size must be from 1 to {LARGEST:,}, got {options.batch_size:,}"
            )
        given = options.model
        if given not in MODELS and not Path(given).exists():
            raise ValueError(f"{given!r} is none of {', '.join(MODELS)}, and no file or folder")
        model = MODELS[given]() if given in MODELS else saving.load(given)[0]
    print(model)
    print(f"\nFor a batch of {options.batch_size:,} on {jax.devices()[0].platform}:\n", flush=True)
    print(_report(cost(model, options.batch_size)), end="")
    return 0


def _report(found: "Cost") -> str:
    layers = [
        [
            layer.name,
            str(layer.output),
            f"{layer.parameters:,}",
            _amount(layer.forward, "FLOP"),
            _amount(layer.training, "FLOP"),
        ]
        for layer in found.layers
    ]
    programs = {"forward pass": found.forward, "training step": found.training}
    totals = [program.operations for program in programs.values()]
    sums = [sum(n or 0 for n in column) for column in list(zip(*found.layers, strict=True))[3:]]
    rest = [None if t is None else t - n for t, n in zip(totals, sums, strict=True)]
    parameters = sum(layer.parameters for layer in found.layers)
    layers += [
        ["all else", "", "", *(_amount(n, "FLOP") for n in rest)],
        ["total", "", f"{parameters:,}", *(_amount(n, "FLOP") for n in totals)],
    ]
    memory = [[name, *(_amount(n, "B") for n in cost[1:])] for name, cost in programs.items()]
    return NOTES.format(
        layers=_table([["layer", "output", "parameters", *programs], *layers], 2),
        memory=_table([["memory", "arguments", "temporary", "results"], *memory], 1),
    )


def _table(rows: Sequence[Sequence[str]], names: int) -> str:
    """The first columns, of names, to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < names else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _amount(number: float | None, unit: str) -> str:
    """With three digits and a decimal prefix: 1.55 GFLOP."""
    if number is None:
        return "-"
    prefixes = iter(("", "k", "M", "G", "T"))
    prefix = next(prefixes)
    while abs(number) >= 999.5:
        number, prefix = number / 1000, next(prefixes)
    return f"{number:.3g} {prefix}{unit}"

"""Convolutions, pools, resizing, padding."""

from types import SimpleNamespace
from typing import Any

import jax.numpy as jnp
from draws.draw import halves, normal

from flaxnets.layers import convolution
from flaxnets.layers.convolving.arguments import convolved
from mutants.mutant import Mutant

CONV = {"in_channels": 4, "out_channels": 2, "kernel_size": 3}
UP = {"in_channels": 2, "out_channels": 3, "kernel_size": 3, "stride": 2}
sides = convolution.sides


def _first(*arguments: Any) -> Any:
    """The odd zero of "same" goes above and on the left."""
    return tuple(both[::-1] for both in sides(*arguments))


def _as_flax(*arguments: Any) -> Any:
    """SAME of an even size in steps of 2."""
    return ((0, 1), (0, 1))


def _interleaved(x: Any, *arguments: Any, **sizes: Any) -> Any:
    """Each group takes every second channel."""
    return convolved(x[..., jnp.asarray([0, 2, 1, 3])], *arguments, **sizes)


def _before(*arguments: Any, padding: Any, **sizes: Any) -> Any:
    """The padding of the output goes above and on the left."""
    turned = tuple(both[::-1] for both in padding)
    return convolved(*arguments, padding=turned, **sizes)


MUTANTS = [
    Mutant(
        "kernel not turned round",
        "ConvTranspose2d",
        UP,
        normal(3, 4, 2),
        "evaluation: output",
        {"transposed_convolution.lax": SimpleNamespace(rev=lambda kernel, axes: kernel)},
    ),
    Mutant(
        "output_padding before",
        "ConvTranspose2d",
        {**UP, "output_padding": 1},
        normal(3, 4, 2),
        "evaluation: output",
        {"transposed_convolution.convolved": _before},
    ),
    Mutant(
        "the odd zero before",
        "Conv2d",
        {**CONV, "kernel_size": 2, "padding": "same"},
        normal(3, 4, 4),
        "evaluation: output",
        {"convolution.sides": _first},
    ),
    Mutant(
        "Flax's SAME in steps of 2",
        "Conv2d",
        {**CONV, "stride": 2, "padding": 1},
        normal(6, 4, 4),
        "evaluation: output",
        {"convolution.sides": _as_flax},
    ),
    Mutant(
        "groups interleaved",
        "Conv2d",
        {**CONV, "groups": 2},
        normal(3, 4, 4),
        "evaluation: output",
        {"convolution.convolved": _interleaved},
    ),
    Mutant(
        "padding not counted",
        "AvgPool2d",
        {"kernel_size": 3, "padding": 1},
        normal(4, 4, 2),
        "evaluation: output",
        ours={"count_include_pad": False},
    ),
    Mutant(
        "ceil_mode lost",
        "MaxPool2d",
        {"kernel_size": 2, "ceil_mode": True},
        normal(5, 5, 2),
        "evaluation: output",
        ours={"ceil_mode": False},
    ),
    Mutant(
        "a tie's gradient shared",
        "MaxPool2d",
        {"kernel_size": 2},
        halves(8, 8, 2),
        "evaluation: gradient of input",
        {"windows.first_maximum": lambda a, b, forced=False: jnp.maximum(a, b)},
    ),
    Mutant(
        "corners aligned",
        "Upsample",
        {"scale_factor": 2, "mode": "bilinear"},
        normal(3, 4, 2),
        "evaluation: output",
        ours={"align_corners": True},
    ),
    Mutant(
        "another bicubic kernel",
        "Upsample",
        {"scale_factor": 2, "mode": "bicubic"},
        normal(3, 4, 2),
        "evaluation: output",
        {"sampling._far": lambda x: ((-0.5 * x + 2.5) * x - 4) * x + 2},
    ),
    Mutant(
        "edges reflected for repeated",
        "ReplicationPad2d",
        {"padding": 1},
        normal(3, 4, 2),
        "evaluation: output",
        {"pads.ReplicationPad2d.mode": "reflect"},
    ),
]

"""Networks that are legitimate, and silently wrong in one way if they are ported naively.

What goes wrong is each one's docstring. A port of them is right, in outputs, gradients and state,
in training and evaluation; a few may be refused as well.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch

from networks.naive import (
    axes,
    definitions,
    flattening,
    numbers,
    shapes,
    sharing,
    training,
    trees,
    views,
)


class Naive(NamedTuple):
    """A network that a naive port gets wrong.

    Attributes:
        network: its class, which takes no arguments.
        example: gives its inputs.
        or_refused: to refuse it by name is as good as to port it.
    """

    network: type[torch.nn.Module]
    example: Callable[[], torch.Tensor | tuple[torch.Tensor, ...] | dict[str, torch.Tensor]]
    or_refused: bool = False


def _of_shape(shape: tuple[int, ...]) -> Callable[[], torch.Tensor]:
    return lambda: torch.randn(shape, generator=torch.Generator().manual_seed(0))


FILES = (sharing, definitions, flattening, views, axes, shapes, training, numbers, trees)
NAIVE = [
    Naive(
        network,
        _of_shape(given) if isinstance(given, tuple) else given,
        network in file.REFUSABLE,
    )
    for file in FILES
    for network, given in file.EXAMPLES.items()
]

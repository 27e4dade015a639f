"""Networks that cannot be ported, each for one reason, whose line says so: ``# refused: what``.

Each runs in torch. Where several lines are marked, to name one of them is enough.
"""

import inspect
import re
from collections.abc import Callable
from typing import NamedTuple

import torch

from networks.refused import (
    batches,
    gradients,
    hooks,
    in_place,
    modes,
    modules,
    operations,
    randomness,
    values,
)


class Refused(NamedTuple):
    """A network to be refused.

    Attributes:
        network: its class, which takes no arguments.
        example: gives its inputs, of four samples.
        or_right: a port that computes the same is as good.
    """

    network: type[torch.nn.Module]
    example: Callable[[], torch.Tensor | tuple[torch.Tensor, ...] | dict[str, torch.Tensor]]
    or_right: bool = False

    def lines(self) -> dict[int, str]:
        """The numbers of its marked lines in its file, and what stands there."""
        lines, first = inspect.getsourcelines(self.network)
        found = ((number, re.search("# refused: (.*)", line)) for number, line in enumerate(lines))
        return {first + number: mark[1] for number, mark in found if mark}


def _of_shape(shape: tuple[int, ...]) -> Callable[[], torch.Tensor]:
    return lambda: torch.randn(shape, generator=torch.Generator().manual_seed(0))


FILES = (values, modes, in_place, hooks, gradients, modules, batches, randomness, operations)
REFUSED = [
    Refused(network, _of_shape(given) if isinstance(given, tuple) else given, file is in_place)
    for file in FILES
    for network, given in file.EXAMPLES.items()
]

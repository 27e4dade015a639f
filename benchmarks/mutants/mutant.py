"""A layer with a planted mistake, and the comparison that must see it."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from unittest import mock

from draws import LAYERS
from draws.draw import Draw, Inputs
from layer_check import compared
from layer_sides import Finding

HERE = "flaxnets.layers."
NOT_REPLAYED = "masks"  # torch's cannot be the twin's


class Mutant(NamedTuple):
    """A mistake.

    Attributes:
        name: what is mistaken.
        layer: in which layer, by its name.
        arguments, inputs: as in ``Draw``.
        seen: the beginning of the comparison that must see it.
        patches: what stands in place of a function, or entries of a table, in flaxnets.layers.
        ours: arguments that differ from torch's.
        each: as in ``Draw``.
    """

    name: str
    layer: str
    arguments: Mapping[str, Any]
    inputs: Inputs
    seen: str
    patches: Mapping[str, Any] = {}
    ours: Mapping[str, Any] = {}
    each: bool = False

    def findings(self, mistaken: bool = True) -> Iterator[Any]:
        """All comparisons, with the mistake or without it."""
        layer, arguments = LAYERS[self.layer], dict(self.arguments)
        theirs = layer.torchs(self.layer)(**arguments)
        with contextlib.ExitStack() as stack:
            for target, value in self.patches.items() if mistaken else ():
                patch: Any = mock.patch.dict if isinstance(value, dict) else mock.patch
                stack.enter_context(patch(HERE + target, value))
            ours = layer.ours(self.layer, arguments | (dict(self.ours) if mistaken else {}))
            try:
                yield from compared(ours, theirs, Draw(arguments, self.inputs, each=self.each))
            except ValueError as error:
                if "mask" not in str(error):
                    raise
                yield Finding(NOT_REPLAYED, 1.0, 0.0)

"""How what a twin's inner modules give lies, where nobody has said so."""

import copy
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from flaxnets.parity.drawn import Drawn
from flaxnets.parity.layouts import Inputs, arguments, channels_first
from flaxnets.parity.masks import Place, fitted, mask_places, replayed
from flaxnets.parity.observe import torch_layers
from flaxnets.parity.records import relative_error
from flaxnets.parity.sides import Sides
from flaxnets.parity.trees import call_of, module_of, numbered

Arrange = Callable[[Any], Any]
"""An array as it lies in the twin -> as it lies in torch."""


def in_torchs(sides: Sides, name: str, ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """What a call of a module of the twin gives, in torch's layout."""
    if name.startswith("output"):
        return ours
    ways = [way for way in _ways(sides, name, ours.shape) if way(ours).shape == theirs.shape]
    return min((way(ours) for way in ways), key=lambda a: relative_error(a, theirs), default=ours)


def _ways(sides: Sides, name: str, shape: tuple[int, ...]) -> Iterator[Arrange]:
    """How it may lie, the likeliest first."""
    if inner := sides.pair.inner:
        yield lambda array: inner(module_of(name), call_of(name), array)
        return
    for maps in sorted(sides.twin.flattened):
        if shape and shape[-1] == np.prod(maps):
            yield functools.partial(_flattened_as_in_torch, maps=maps)
    ways: list[Arrange] = [lambda array: array]
    if len(shape) > 2:
        ways.insert(len(shape) == 3, lambda array: np.moveaxis(array, -1, 1))
    yield from ways


def _flattened_as_in_torch(array: np.ndarray, maps: Sequence[int]) -> np.ndarray:
    """(..., H * W * C) -> (..., C * H * W)."""
    return np.moveaxis(array.reshape(*array.shape[:-1], *maps), -1, -3).reshape(array.shape)


class Masks:
    """torch's masks for the twin, for calls with inputs that are shaped as these."""

    def __init__(self, sides: Sides, inputs: Inputs) -> None:
        args, keywords = arguments(sides.inputs(inputs))
        self.sides, self.inputs = sides, inputs
        self.places = mask_places(sides.model, sides.variables, *args, **keywords)
        self._chosen: dict[Place, Arrange | None] = {}

    def __call__(self, drawn: Sequence[Drawn]) -> dict[str, Any]:
        """The collection ``masks``, to be put beside the others; {} if there are none."""
        masks = replayed(drawn, self.places, self.arranged)
        return {"masks": masks} if masks else {}

    def arranged(self, drawn: Drawn, place: Place) -> np.ndarray:
        """A mask with its axes as they lie in the twin."""
        keep = channels_first(drawn.keep)  # as torch has it
        places = np.arange(np.prod(place.output, dtype=int)).reshape(place.output)
        if place not in self._chosen:
            self._chosen[place] = self._way(keep.shape, place, places)
        way = self._chosen[place]
        if way is None:
            return fitted(drawn.keep, place.shape)
        found = np.empty(places.size, bool)
        found[way(places).reshape(-1)] = keep.reshape(-1)
        return found.reshape(place.output)

    def _way(self, shape: tuple[int, ...], place: Place, places: np.ndarray) -> Arrange | None:
        """The one in which a dropout's outputs in evaluation, its inputs, are torch's; None where
        the mask is of something else, as of a whole example."""
        name = numbered(self.sides.twin.name(place.path), place.call)
        ways = [way for way in _ways(self.sides, name, place.output) if way(places).shape == shape]
        if not ways:
            return None
        if len(ways) == 1:
            return ways[0]
        ours, theirs = self._evaluated
        if name not in ours or name not in theirs:
            return ways[0]
        return min(ways, key=lambda way: relative_error(way(ours[name]), theirs[name]))

    @functools.cached_property
    def _evaluated(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """With the weights that the twin has: torch's network may have gone on."""
        sides, net = self.sides, copy.deepcopy(self.sides.net).eval()
        net.load_state_dict(sides.tensors(sides.as_torchs({})))
        return sides.evaluated(self.inputs), torch_layers(net, sides.tensors(self.inputs))

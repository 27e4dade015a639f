"""Where a twin takes its dropout masks from, and torch's given to it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np

from flaxnets.parity import attention
from flaxnets.parity.drawn import Drawn
from flaxnets.parity.twin import outermost
from flaxnets.training.call import mode, statistics


class Place(NamedTuple):
    """Where the twin takes the mask of one of its calls from."""

    path: tuple[str, ...]
    name: str
    shape: tuple[int, ...]
    output: tuple[int, ...] = ()  # the shape of what the call gives, if it gives one array

    @property
    def call(self) -> int:
        """Its number among the calls of the module, from 1."""
        number = self.name.rpartition("_")[2]
        return int(number) + 1 if number.isdecimal() else 1


def mask_places(model: nn.Module, variables: Any, *inputs: Any, **keywords: Any) -> list[Place]:
    """Where the twin drops out in a call in training, in the order of its calls.

    Inputs are trees of arrays and of other things, which stay as they are.
    """
    found: list[Place] = []
    leaves, structure = jax.tree.flatten((inputs, keywords))
    arrays = {i: leaf for i, leaf in enumerate(leaves) if hasattr(leaf, "shape")}

    def call(variables: Any, arrays: Any) -> Any:
        given = [arrays.get(i, leaf) for i, leaf in enumerate(leaves)]
        return _calls_that_drop(model, variables, jax.tree.unflatten(structure, given), found)

    shapes = jax.eval_shape(call, variables, arrays)
    return [place._replace(shape=shape.shape) for place, shape in zip(found, shapes, strict=True)]


def _calls_that_drop(model: nn.Module, variables: Any, given: Any, found: list[Place]) -> Any:
    masks: list[jax.Array] = []

    def look(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        before = {**context.module.variables.get("masks", {})}
        out = call(*args, **kwargs)
        for name, mask in context.module.variables.get("masks", {}).items():
            if name not in before and hasattr(mask, "shape"):
                output = getattr(out, "shape", ())
                found.append(Place(context.module.path, name, (), output))
                masks.append(mask)
        return out

    rngs, changing = {"dropout": jax.random.key(0)}, ["masks", *statistics(variables)]
    (inputs, keywords), (model, switch) = given, mode(model, True)
    with nn.intercept_methods(outermost(look)):
        model.apply(variables, *inputs, rngs=rngs, mutable=changing, **keywords, **switch)
    return masks


def replayed(
    drawn: Sequence[Drawn],
    places: Sequence[Place],
    arranged: Callable[[Drawn, Place], np.ndarray] = lambda mask, place: fitted(
        mask.keep, place.shape
    ),
) -> dict[str, Any]:
    """torch's masks as the twin's collection ``masks``: the calls of both sides in their order.

    ``arranged`` gives the mask of a call with its axes as they lie in the twin.

    Raises ValueError if they do not drop out equally often, or in other shapes.
    """
    if len(drawn) != len(places):
        raise ValueError(f"torch drops out in {len(drawn)} calls, the twin in {len(places)}")
    masks: dict[str, Any] = {}
    for theirs, place in zip(drawn, places, strict=True):
        node = masks
        for part in place.path:
            node = node.setdefault(part, {})
        node[place.name] = _reduced(arranged(theirs, place), theirs, place)
    return masks


def _reduced(keep: np.ndarray, theirs: Drawn, place: Place) -> np.ndarray:
    """Without the axes along which a mask of the twin is the same."""
    if keep.ndim != len(place.shape):
        raise ValueError(f"the mask of {theirs.name} is shaped {keep.shape}, here {place.shape}")
    if not _fits(keep, place.shape):
        path = ".".join(place.path)
        raise ValueError(f"{path}: a mask {place.shape} is not {theirs.name}'s, {keep.shape}")
    return keep[_first(place.shape)]


def fitted(keep: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """torch's mask with its axes as in the twin's, which is shaped as ``shape`` says.

    One for each example may have fewer axes, and channels may be last of three.
    """
    keep = attention.as_here(keep, shape)
    keep = keep.reshape(*keep.shape, *(1,) * (len(shape) - keep.ndim))
    if keep.ndim == 3 and not _fits(keep, shape):
        moved = np.moveaxis(keep, 1, 2)
        return moved if _fits(moved, shape) else keep
    return keep


def _fits(keep: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether a mask of that shape, for any number of examples, says the same."""
    if keep.ndim != len(shape):
        return False
    least = keep[_first(shape)]
    return least.shape[1:] == shape[1:] and bool((least == keep).all())


def _first(shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Of the axes of size 1."""
    return tuple(slice(0, 1) if n == 1 else slice(None) for n in shape)

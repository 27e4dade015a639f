"""Dropout masks by call: those that torch draws, recorded, and given to the twin."""

import contextlib
import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np
import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from flaxnets.parity.noise import BERNOULLI, UNIFORM, Noise
from flaxnets.parity.observe import outermost
from flaxnets.parity.pair import as_ours
from flaxnets.training.call import mode, statistics

ALPHA = {F.alpha_dropout, F.feature_alpha_dropout, torch.alpha_dropout, torch.alpha_dropout_}
ALPHA |= {torch.feature_alpha_dropout, torch.feature_alpha_dropout_}
PLAIN = {F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, torch.dropout, torch.dropout_}
PLAIN |= {torch.feature_dropout, torch.feature_dropout_}


class Drawn(NamedTuple):
    """A mask that torch drew: the module in whose call, how often things go, and what was kept.

    Of a dropout also what it makes of a 1 that goes, and of one that is kept.
    """

    name: str
    p: float
    keep: np.ndarray  # of every element, in our layout; what the network draws itself as it is
    of_ones: tuple[float, float] | None = None


class Place(NamedTuple):
    """Where the twin takes the mask of one of its calls from."""

    path: tuple[str, ...]
    name: str
    shape: tuple[int, ...]


def record_masks(net: torch.nn.Module, run: Callable[[], Any]) -> tuple[Any, list[Drawn]]:
    """What a call of a network in training gives, and the masks that torch drew for it, in order.

    Raises ValueError for randomness of another kind, whose masks cannot be replayed.
    """
    drawn: list[Drawn] = []
    with _inside(net) as inside, _Recording(drawn, inside):
        return run(), drawn


class _Recording(TorchFunctionMode):
    """While it is entered, each mask that is drawn, by a module or by a function, is recorded."""

    def __init__(self, drawn: list[Drawn], inside: list[str]) -> None:
        super().__init__()
        self.drawn, self.inside, self.noise = drawn, inside, Noise()

    def __torch_function__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if call in PLAIN | ALPHA:
            return self._dropout(call, args, kwargs)
        before = torch.get_rng_state()
        out = call(*args, **kwargs)
        with self._named():
            chance = self.noise.chance(call, args, kwargs, out)
            is_known = call in UNIFORM | BERNOULLI or torch.equal(before, torch.get_rng_state())
            if not is_known:
                raise ValueError(f"calls {call.__name__}")
        if chance not in (None, 1):
            self.drawn.append(Drawn(self.inside[-1], 1 - chance, as_ours(out.detach() != 0)))
        return out

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            where = self.inside[-1] or "the network"
            raise ValueError(f"{where} {error}: its randomness cannot be replayed") from None

    def _dropout(self, call: Any, args: Any, kwargs: Any) -> Any:
        given = _arguments(call, args, kwargs)
        p = given["p"]
        if not given["training"] or p == 0:
            return call(*args, **kwargs)
        before, blank = torch.get_rng_state(), torch.zeros_like(given["input"])
        out = call(*args, **kwargs)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            again = []
            for fill in (blank, blank + 1):  # the same draw twice more
                torch.set_rng_state(before)
                again.append(call(fill, p, True))
        keep = as_ours(again[0] != again[1])
        self.drawn.append(Drawn(self.inside[-1], p, keep, _of_ones(call, p)))
        return out


def _of_ones(call: Any, p: float) -> tuple[float, float] | None:
    if p == 1:
        return None
    if call in PLAIN:
        return 0.0, 1 / (1 - p)
    low = 1.7580993408473766  # SELU's scale times its alpha
    scale = 1 / math.sqrt((low**2 * p + 1) * (1 - p))
    return scale * low * (p - 1), scale * (1 + low * p)


def _arguments(call: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    if not inspect.isfunction(call):  # those in C have no signature, nor defaults
        named = {"training" if name == "train" else name: value for name, value in kwargs.items()}
        return {**dict(zip(("input", "p", "training"), args, strict=False)), **named}
    bound = inspect.signature(call).bind(*args, **kwargs)
    bound.apply_defaults()
    return dict(bound.arguments)


@contextlib.contextmanager
def _inside(net: torch.nn.Module) -> Iterator[list[str]]:
    """The names of the modules that are being called, the innermost last."""
    stack = [""]
    hooks: list[Any] = []

    def leave() -> None:
        stack.pop()

    for name, module in net.named_modules():
        hooks.append(module.register_forward_pre_hook(lambda *_, name=name: stack.append(name)))
        hooks.append(module.register_forward_hook(lambda *_: leave()))
    try:
        yield stack
    finally:
        for hook in hooks:
            hook.remove()


def mask_places(model: nn.Module, variables: Any, *inputs: Any) -> list[Place]:
    """Where the twin drops out in a call in training, in the order of its calls.

    ``inputs`` are trees of arrays and of other things, which stay as they are.
    """
    found: list[Place] = []
    leaves, structure = jax.tree.flatten(inputs)
    arrays = {i: leaf for i, leaf in enumerate(leaves) if hasattr(leaf, "shape")}

    def call(variables: Any, arrays: Any) -> Any:
        given = [arrays.get(i, leaf) for i, leaf in enumerate(leaves)]
        return _calls_that_drop(model, variables, jax.tree.unflatten(structure, given), found)

    shapes = jax.eval_shape(call, variables, arrays)
    return [place._replace(shape=shape.shape) for place, shape in zip(found, shapes, strict=True)]


def _calls_that_drop(model: nn.Module, variables: Any, inputs: Any, found: list[Place]) -> Any:
    masks: list[jax.Array] = []

    def look(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        before = {**context.module.variables.get("masks", {})}
        out = call(*args, **kwargs)
        for name, mask in context.module.variables.get("masks", {}).items():
            if name not in before and hasattr(mask, "shape"):
                found.append(Place(context.module.path, name, ()))
                masks.append(mask)
        return out

    rngs, changing = {"dropout": jax.random.key(0)}, ["masks", *statistics(variables)]
    model, switch = mode(model, True)
    with nn.intercept_methods(outermost(look)):
        model.apply(variables, *inputs, rngs=rngs, mutable=changing, **switch)
    return masks


def replayed(drawn: Sequence[Drawn], places: Sequence[Place]) -> dict[str, Any]:
    """torch's masks as the twin's collection ``masks``: the calls of both sides in their order.

    Raises ValueError if they do not drop out equally often, or in other shapes.
    """
    if len(drawn) != len(places):
        raise ValueError(f"torch drops out in {len(drawn)} calls, the twin in {len(places)}")
    masks: dict[str, Any] = {}
    for theirs, place in zip(drawn, places, strict=True):
        node = masks
        for part in place.path:
            node = node.setdefault(part, {})
        node[place.name] = _reduced(theirs, place)
    return masks


def _reduced(theirs: Drawn, place: Place) -> np.ndarray:
    """Without the axes along which a mask of the twin is the same."""
    keep = fitted(theirs.keep, place.shape)
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

"""Dropout masks by call: those that torch draws, recorded, and given to the twin."""

import contextlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np
import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from flaxnets.parity import attention
from flaxnets.parity.observe import outermost
from flaxnets.parity.pair import as_ours
from flaxnets.training.call import mode, statistics

IN_C = {torch.dropout, torch.feature_dropout}  # which have no signature, nor defaults
DROPOUTS = {F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, *IN_C}
OTHERS = {F.alpha_dropout, F.feature_alpha_dropout, torch.alpha_dropout}
OTHERS |= {torch.feature_alpha_dropout, torch.dropout_, torch.feature_dropout_}


class Drawn(NamedTuple):
    """A mask that torch drew: the module in whose call, how often things go, and what was kept."""

    name: str
    p: float
    keep: np.ndarray  # of every element, in our layout; of attention (N heads, T, S)


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
    """While it is entered, each call of a dropout, by a module or by a function, is recorded."""

    def __init__(self, drawn: list[Drawn], inside: list[str]) -> None:
        super().__init__()
        self.drawn, self.inside = drawn, inside

    def __torch_function__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if call in OTHERS:
            raise ValueError(
                f"{self.inside[-1] or 'the network'} calls {call.__name__}: "
                "its randomness cannot be replayed"
            )
        if call is F.multi_head_attention_forward:
            with self:  # this is called with the mode left, and drops out within
                return attention.multi_head_attention_forward(*args, **kwargs)
        if call is F.scaled_dot_product_attention:
            return self._attention(call, args, kwargs)
        if call not in DROPOUTS:
            return call(*args, **kwargs)
        given = _arguments(call, args, kwargs)
        if not given["training"] or given["p"] == 0:
            return call(*args, **kwargs)
        before, ones = torch.get_rng_state(), torch.ones_like(given["input"])
        out = call(*args, **kwargs)
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(before)  # the same draw again, where nothing is zero
            again = call(ones, given["p"], True)
        self.drawn.append(Drawn(self.inside[-1], given["p"], as_ours(again.detach() != 0)))
        return out

    def _attention(self, call: Any, args: Any, kwargs: Any) -> Any:
        before, out = torch.get_rng_state(), call(*args, **kwargs)
        if p := attention.dropped(args, kwargs):
            keep = attention.kept_weights(before, args, kwargs)
            self.drawn.append(Drawn(self.inside[-1], p, keep))
        return out


def _arguments(call: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    if call in IN_C:
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
    for (torch_name, _, keep), place in zip(drawn, places, strict=True):
        node = masks
        for part in place.path:
            node = node.setdefault(part, {})
        node[place.name] = _reduced(torch_name, keep, place)
    return masks


def _reduced(torch_name: str, keep: np.ndarray, place: Place) -> np.ndarray:
    """Without the axes along which a mask of the twin is the same."""
    keep = attention.as_here(keep, place.shape)
    if len(keep.shape) != len(place.shape):
        raise ValueError(f"the mask of {torch_name} is shaped {keep.shape}, here {place.shape}")
    same = tuple(slice(0, 1) if n == 1 else slice(None) for n in place.shape)
    if (keep[same] != keep).any() or keep[same].shape[1:] != place.shape[1:]:
        raise ValueError(f"{'.'.join(place.path)}: a mask {place.shape} is not {torch_name}'s")
    return keep[same]

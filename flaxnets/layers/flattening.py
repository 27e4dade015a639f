"""Maps that are flattened as they lie, H, W, C, where torch has C, H, W: found before they are read.

A network's weights would be converted to silently wrong numbers. So the first call of a network for
each shape of its input is traced once more, without computing anything: the layers mark in it
what they make and what they read, and ``provenance`` tells what has come from where.
"""

import contextlib
import contextvars
import functools
import json
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple

import flax.linen as nn
import jax
import numpy as np
from jax.ad_checkpoint import checkpoint_name
from jax.experimental.xla_metadata import set_xla_metadata

from flaxnets.layers import axes, base, provenance
from flaxnets.layers.axes import Label
from flaxnets.layers.verdict import refusal

MARK = "flaxnets.flattening "  # then a Mark as JSON; no program of a user has it
OPTIONS = ("rngs", "method", "mutable", "capture_intermediates")  # of linen, not of the call
REMEMBERED = 1000

_looking: contextvars.ContextVar[bool] = contextvars.ContextVar("looking", default=False)
_refusals: dict[Any, str | None] = {}


class Mark(NamedTuple):
    """What is written beside an array while a call is looked at."""

    role: str  # "made" or "read" maps, "features" of a Linear or what it "takes"
    rank: int  # vmap adds axes before
    path: str
    declared: list[int] | None


class Checked(nn.Module):
    """A module whose calls by ``apply`` and ``init`` are looked at first.

    Raises:
        ValueError: if a ``Linear`` reads maps that were flattened in another order than it says.
    """

    makes_maps: ClassVar[bool] = False

    @nn.nowrap
    @functools.wraps(nn.Module.apply)
    def apply(self, variables: Any, *args: Any, **kwargs: Any) -> Any:
        _check(Call(nn.Module.apply, self, variables, args, kwargs))
        return super().apply(variables, *args, **kwargs)

    @nn.nowrap
    @functools.wraps(nn.Module.init_with_output)
    def init_with_output(self, rngs: Any, *args: Any, **kwargs: Any) -> Any:
        _check(Call(nn.Module.init_with_output, self, rngs, args, kwargs))
        return super().init_with_output(rngs, *args, **kwargs)


class Call(NamedTuple):
    """A call of a network by ``apply`` or ``init_with_output``, and its inputs."""

    entry: Callable[..., Any]
    module: nn.Module
    first: Any  # the variables, or the keys
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def parted(self) -> tuple[Any, Any]:
        """What is the network's state and linen's options, and what are its inputs."""
        options = {name: value for name, value in self.kwargs.items() if name in OPTIONS}
        inputs = {name: value for name, value in self.kwargs.items() if name not in OPTIONS}
        return (self.first, options), (self.args, inputs)

    def key(self) -> Any:
        """What a verdict is remembered by."""
        leaves, structure = jax.tree.flatten(self.parted()[1])
        kinds = [(leaf.shape[1:], leaf.dtype) if _is_array(leaf) else leaf for leaf in leaves]
        return (self.module, self.kwargs.get("method"), structure, *kinds)


def _check(call: Call) -> None:
    inputs = [leaf for leaf in jax.tree.leaves(call.parted()[1]) if _is_array(leaf)]
    if _looking.get() or not inputs:  # as when a module is only looked through
        return
    token = _looking.set(True)
    try:
        found = _found(call) if _is_at_risk(call.module, any(map(_are_maps, inputs))) else None
    finally:
        _looking.reset(token)
    if found:
        raise ValueError(found)


def _found(call: Call) -> str | None:
    """The refusal of a call, remembered if it can be."""
    try:
        key = call.key()
        if key in _refusals:
            return _refusals[key]
    except TypeError:  # something does not hash
        return _judged(call)[0]
    found, is_sure = _judged(call)
    if is_sure:
        if len(_refusals) >= REMEMBERED:
            _refusals.clear()
        _refusals[key] = found
    return found


def _is_at_risk(module: nn.Module, is_given_maps: bool) -> bool:
    try:
        return _reads_maps(module, is_given_maps)
    except TypeError:
        return _reads_maps.__wrapped__(module, is_given_maps)


@functools.lru_cache(REMEMBERED)
def _reads_maps(module: nn.Module, is_given_maps: bool) -> bool:
    """Whether it has maps and a ``Linear``, and can be converted."""
    try:
        modules = base.visited(module, lambda bound: [found for _, found in base.named(bound)])
    except Exception:  # which the call or interop will say
        return False
    has_maps = is_given_maps or any(getattr(found, "makes_maps", False) for found in modules)
    return has_maps and any(map(_is_linear, modules)) and not any(map(base.is_hidden, modules))


def _judged(call: Call) -> tuple[str | None, bool]:
    """The refusal, and whether the call could be looked at: what ails it, itself will say."""
    try:
        program, labels = _traced(call)
    except Exception:
        return None, False
    found: list[str | None] = []

    def named(name: str, label: Label) -> Label:
        if not name.startswith(MARK):
            return label
        mark = Mark(*json.loads(name.removeprefix(MARK)))
        found.append(refusal(mark, label))
        return _marked(mark, label)

    provenance.carry(program, labels, named)
    return next(filter(None, found), None), True


def _marked(mark: Mark, label: Label) -> Label:
    """What the label is after a mark."""
    shape = [axes.product(atoms) for atoms in label]
    if mark.role == "made":
        before = len(shape) - mark.rank
        return (*label[:before], *axes.maps(shape[before:]))
    if mark.role == "features":
        return (*label[:-1], axes.axis(axes.FEATURE, shape[-1]))
    return label


def _traced(call: Call) -> tuple[Any, list[Label]]:
    """The program of a call, with marks, and the labels of its arguments."""
    (state, state_tree), (inputs, inputs_tree) = map(jax.tree.flatten, call.parted())
    leaves = [*state, *inputs]
    places = [i for i, leaf in enumerate(leaves) if _is_array(leaf)]

    def program(*arrays: Any) -> Any:
        filled = [*leaves]
        for i, array in zip(places, arrays, strict=True):
            filled[i] = array
        first, options = jax.tree.unflatten(state_tree, filled[: len(state)])
        args, kwargs = jax.tree.unflatten(inputs_tree, filled[len(state) :])
        found = call.entry(call.module, first, *args, **options, **kwargs)
        return [leaf for leaf in jax.tree.leaves(found) if isinstance(leaf, jax.Array)]

    shapes = [jax.ShapeDtypeStruct(leaves[i].shape, leaves[i].dtype) for i in places]
    with _marking():
        traced = jax.make_jaxpr(program)(*shapes)
    are_maps = [i >= len(state) and _are_maps(leaves[i]) for i in places]
    kinds = [axes.maps if are else axes.plain for are in are_maps]
    return traced, [kind(each.shape) for kind, each in zip(kinds, shapes, strict=True)]


@contextlib.contextmanager
def _marking() -> Iterator[None]:
    """While it is entered, modules mark; jit keeps what it traces apart from a user's programs."""
    calls = nn.module._context.call_info_stack  # of tabulate, which would list them twice
    kept, calls[:] = calls[:], []
    try:
        with nn.intercept_methods(_mark), set_xla_metadata(flattening="looked_at"):
            yield
    finally:
        calls[:] = kept


def _mark(call: Callable[..., Any], args: Any, kwargs: Any, context: Any) -> Any:
    module = context.module
    makes_maps, is_linear = getattr(module, "makes_maps", False), _is_linear(module)
    if context.method_name != "__call__" or not (makes_maps or is_linear):
        return call(*args, **kwargs)
    before, after = ("takes", "features") if is_linear else ("read", "made")
    args, kwargs = _with_marks((args, kwargs), before, module)
    return _with_marks(call(*args, **kwargs), after, module)


def _with_marks(tree: Any, role: str, module: nn.Module) -> Any:
    path = ".".join(module.path) or type(module).__name__
    declared = getattr(module, "flattened_from", None)

    def marked(leaf: Any) -> Any:
        if not _is_array(leaf) or leaf.ndim == 0:
            return leaf
        return checkpoint_name(leaf, MARK + json.dumps(Mark(role, leaf.ndim, path, declared)))

    return jax.tree.map(marked, tree)


def _is_linear(module: nn.Module) -> bool:
    """Whether it reads flattenings, and has not said by () that they are as torch's."""
    return getattr(module, "flattened_from", ()) != ()


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array | np.ndarray | jax.ShapeDtypeStruct)


def _are_maps(leaf: Any) -> bool:
    """Of an input: (N, H, W, C), and not the (N, 1, H, W) in which torch has square grey images."""
    shape = leaf.shape
    return len(shape) == 4 and not (shape[1] == 1 and shape[2] == shape[3])

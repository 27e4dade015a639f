"""Maps flattened as they lie, H, W, C, where torch has C, H, W: found before they are read.

A network's weights would be converted to silently wrong numbers. So the first call of a network for
each shape of its input is traced once more, without computing anything: the layers mark in it
what they make and what they read, and ``provenance`` tells what has come from where.
"""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any, ClassVar

import flax.linen as nn
import jax
from jax.extend.core import InconclusiveDimensionOperation

from flaxnets.layers import tree
from flaxnets.layers.flattening import axes, marks, provenance
from flaxnets.layers.flattening.marks import Call
from flaxnets.layers.flattening.verdict import refusal

REMEMBERED = 1000

_refusals: dict[Any, str | None] = {}


class Checked(nn.Module):
    """A module whose calls by ``apply`` and ``init`` are looked at first.

    A layer ``makes_maps`` if it takes and gives maps, channels last, where it is given three axes
    or more. It ``reads_features`` if it has an array with an entry for each place of the last axis
    of what else it is given: it has a field ``flattened_from`` then, as ``Linear`` has, if another
    order can be baked into that array; and it ``makes_features`` if its outputs are others, not
    those in their order. ``feature_axes``, if it has them, are how many of the last axes it reads
    as one, as a ``LayerNorm`` does. It ``counts_axes`` if an option is the number of an axis, as
    of a ``Softmax``, and it does not say whether that of maps is torch's.

    Raises:
        ValueError: if a ``Linear``, or another layer that reads features, reads maps that were
            flattened in another order than it says; or if one that counts axes is given maps.
    """

    makes_maps: ClassVar[bool] = False
    reads_features: ClassVar[bool] = False
    makes_features: ClassVar[bool] = False
    counts_axes: ClassVar[bool] = False

    @nn.nowrap
    def apply(self, variables: Any, *args: Any, **kwargs: Any) -> Any:
        """linen's, after that look."""
        _check(Call(nn.Module.apply, self, variables, args, kwargs))
        return super().apply(variables, *args, **kwargs)

    @nn.nowrap
    def init_with_output(self, rngs: Any, *args: Any, **kwargs: Any) -> Any:
        """linen's, after that look. ``init`` and ``lazy_init`` go through it."""
        _check(Call(nn.Module.init_with_output, self, rngs, args, kwargs))
        return super().init_with_output(rngs, *args, **kwargs)


def _check(call: Call) -> None:
    inputs = [leaf for leaf in jax.tree.leaves(call.parted()[1]) if marks.is_array(leaf)]
    if marks.looking.get() or not inputs:  # as when a module is only looked through
        return
    with _looking_on():
        found = _found(call) if _is_at_risk(call.module, any(map(marks.are_maps, inputs))) else None
    if found:
        raise ValueError(found)


@contextlib.contextmanager
def _looking_on() -> Iterator[None]:
    """While it is entered calls are not looked at, nor seen by interceptors or nn.tabulate."""
    listed, interceptors = nn.module._context.call_info_stack, nn.module._global_interceptor_stack
    kept, listed[:] = listed[:], []
    aside = [interceptors.pop() for _ in [*interceptors]]
    token = marks.looking.set(True)
    try:
        yield
    finally:
        marks.looking.reset(token)
        for interceptor in reversed(aside):
            interceptors.push(interceptor)
        listed[:] = kept


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
    """Whether it has maps and what reads features or counts axes, and can be converted."""
    try:
        modules = tree.visited(module, lambda bound: [found for _, found in tree.named(bound)])
    except Exception:  # which the call or interop will say
        return False
    has_maps = is_given_maps or any(map(marks.makes_maps, modules))
    return (
        has_maps
        and any(marks.reads_features(each) or marks.counts_axes(each) for each in modules)
        and not any(map(tree.is_hidden, modules))
    )


def _judged(call: Call) -> tuple[str | None, bool]:
    """The refusal, and whether the call could be looked at: what ails it, itself will say."""
    try:
        program, labels = marks.traced(call)
    except Exception:
        return None, False
    found: list[str | None] = []

    def named(name: str, label: axes.Label) -> axes.Label:
        if (mark := marks.read(name)) is None:
            return label
        if refusal(mark, label):
            found.append(refusal(_as_torch_names_it(mark, call.module), label))
        return marks.after(mark, label)

    with contextlib.suppress(InconclusiveDimensionOperation):  # of places of a symbolic size
        provenance.carry(program, labels, named)
    return next(filter(None, found), None), True


def _as_torch_names_it(mark: marks.Mark, module: nn.Module) -> marks.Mark:
    """With the dotted name of its module, where linen has underscores."""
    found = tree.visited(module, lambda bound: [(m.path, name) for name, m in tree.named(bound)])
    names = {".".join(path): name for path, name in reversed(found)}
    return mark._replace(path=names.get(mark.path, mark.path))

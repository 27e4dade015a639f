"""Flattening, and unflattening, in torch's order."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from flaxnets.layers.base import Module
from flaxnets.layers.flattening.marks import are_maps
from flaxnets.layers.tree import is_hidden, named


class Flatten(Module):
    """``torch.nn.Flatten``: (N, ...) -> (N, D), in torch's order.

    Feature maps, (N, H, W, C), lie channels last here, and are transposed to be flattened in the
    order C, H, W. That costs a copy, and is spared where a ``Linear`` of the same network says
    ``flattened_from=(H, W, C)``: then they are flattened as they lie, and ``interop`` permutes that
    layer's weights instead. Square images of one channel may lie as torch's, (N, 1, A, A): they are
    flattened as they are. Any dtype goes through as it is.

    Axes are counted as torch has them, (N, C, H, W). What three or more are left of is maps again:
    ``Flatten(2)`` of (N, H, W, C) is (N, H * W, C), where torch has (N, C, H * W).

    Attributes:
        start_dim, end_dim: the first and the last of the axes that become one.
        of_maps: whether inputs are maps, channels last here and second in torch. By default those
            of four axes are; with True (N, L, C) too, as of a ``Conv1d``; with False nothing is.

    Raises:
        ValueError: when called, for axes that the input has not, or in another order; and where the
            examples of maps would be made one with their channels, but not with all.
    """

    start_dim: int = 1
    end_dim: int = -1
    of_maps: bool | None = None

    def __call__(self, x: jax.Array) -> jax.Array:
        start, end = (_axis(self, dim, x) for dim in (self.start_dim, self.end_dim))
        if start > end:
            raise ValueError(f"{self}: start_dim must not come after end_dim, got {x.shape}")
        if start == end or not _are_maps(x, self.of_maps):
            return _flattened(x, start, end)
        if start > 1:  # places, which lie one axis further to the left
            return _flattened(x, start - 1, end - 1)
        is_whole = end == x.ndim - 1
        if start == 0 and end < x.ndim - 2:
            raise ValueError(
                f"{self}: maps {x.shape} have no layout once start_dim=0 has made their examples "
                "and channels one axis: say of_maps=False if they lie as torch's, or reshape them"
            )
        if start == 1 and is_whole and _is_read_as_it_lies(self, x.shape[1:]):
            return _flattened(x, start, end)
        found = _flattened(jnp.moveaxis(x, -1, 1), start, end)
        return jnp.moveaxis(found, 1, -1) if found.ndim > 2 else found

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """``torch.nn.Unflatten``: splits an axis, (N, C * H * W) -> (N, H, W, C) in torch's order.

    Axes are counted, and sizes given, as torch has them: features (N, D) become maps by
    ``Unflatten(1, (C, H, W))``, and places (N, L, C) by ``Unflatten(2, (H, W), of_maps=True)``. Any
    dtype goes through as it is.

    Attributes:
        dim: the axis.
        unflattened_size: the sizes that it gets; one of them may be -1.
        of_maps: whether what has three axes or more, before and after, is maps, channels last here
            and second in torch. By default those of four axes are that (N, D) is split into, and
            those of four that are split; with False nothing is: all lies as torch's.

    Raises:
        TypeError: for sizes that are no whole numbers, and a ``dim`` that is a name.
        ValueError: when called, for an axis that the input has not or sizes that do not fit it; for
            the channels of maps, which have no layout then; and where it is not clear whether what
            comes out is maps.
    """

    # It reads flattened maps: they must be in torch's order, or what it makes of them is not.
    reads_features: ClassVar[bool] = True
    dim: int
    unflattened_size: Sequence[int]
    of_maps: bool | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.dim, int):
            raise TypeError(
                f"Unflatten: dim must be a number, got {self.dim!r}: axes have no names"
            )
        sizes: Any = self.unflattened_size
        whole = isinstance(sizes, tuple | list) and all(isinstance(size, int) for size in sizes)
        if not whole:
            raise TypeError(f"Unflatten: unflattened_size must be a tuple of ints, got {sizes!r}")
        super().__post_init__()

    def __call__(self, x: jax.Array) -> jax.Array:
        axis, rank = _axis(self, self.dim, x), x.ndim - 1 + len(self.unflattened_size)
        if _are_maps(x, self.of_maps) and x.ndim > 2:
            if axis == 1 and len(self.unflattened_size) > 1:
                raise ValueError(
                    f"{self}: maps {x.shape} have no layout once dim=1 has split their channels: "
                    "say of_maps=False if they lie as torch's, or reshape them"
                )
            place = {0: 0, 1: x.ndim - 1}.get(axis, axis - 1)
            return self._split(x, place)
        if self.of_maps is None and rank == 4 and (x.ndim, axis) not in ((2, 1), (4, axis)):
            raise ValueError(
                f"{self}: it is not clear whether {x.shape} becomes maps: say of_maps=True if it "
                "does, channels last, and False if all lies as torch's"
            )
        found = self._split(x, axis)
        becomes_maps = self.of_maps or (self.of_maps is None and (x.ndim, rank) == (2, 4))
        return jnp.moveaxis(found, 1, -1) if becomes_maps and rank > 2 else found

    def _split(self, x: jax.Array, axis: int) -> jax.Array:
        sizes, whole = [*self.unflattened_size], x.shape[axis]
        known = math.prod(size for size in sizes if size != -1)
        if sizes.count(-1) == 1 and known and whole % known == 0:
            sizes[sizes.index(-1)] = whole // known
        if not sizes or min(sizes) < 0 or math.prod(sizes) != whole:
            raise ValueError(f"{self}: the sizes do not multiply to the {whole} of {x.shape}")
        return x.reshape(*x.shape[:axis], *sizes, *x.shape[axis + 1 :])

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


def _are_maps(x: jax.Array, says: bool | None) -> bool:
    return are_maps(x) if says is None else says and x.ndim > 2


def _axis(layer: Module, dim: int, x: jax.Array) -> int:
    """A number of torch's axes. Raises ValueError if the input has no such axis."""
    if not -x.ndim <= dim < x.ndim:
        raise ValueError(f"{layer} takes an input with an axis {dim}, got one of shape {x.shape}")
    return dim % x.ndim


def _flattened(x: jax.Array, start: int, end: int) -> jax.Array:
    """The axes from ``start`` to ``end`` as one."""
    size = math.prod(x.shape[start : end + 1])
    return x.reshape(*x.shape[:start], size, *x.shape[end + 1 :])


def _is_read_as_it_lies(layer: nn.Module, maps: tuple[int, ...]) -> bool:
    """Whether a layer of the network says so, or its layers cannot be seen, nor converted."""
    root = layer
    while isinstance(root.parent, nn.Module):
        root = root.parent
    modules = [module for _, module in named(root)]
    return any(is_hidden(m) or getattr(m, "flattened_from", None) == maps for m in modules)

"""Windows that move along an axis of maps, and what lies under them."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from flaxnets.layers.blocks import folded, joined
from flaxnets.layers.sizes import tupled

Size = int | Sequence[int]
FEW = 8  # places under a window, that are taken one by one


class Window(NamedTuple):
    """How a window is made and moves, along an axis of so many places."""

    places: int
    kernel: int
    stride: int
    padding: int = 0
    dilation: int = 1
    ceil: bool = False

    @property
    def times(self) -> int:
        """How often it is laid down: the last time it must begin within the places."""
        spare = self.places + 2 * self.padding - self.dilation * (self.kernel - 1) - 1
        if not self.ceil:
            return spare // self.stride + 1
        count = -(-spare // self.stride) + 1
        return count - ((count - 1) * self.stride >= self.places + self.padding)

    @property
    def is_apart(self) -> bool:
        """Whether it lies side by side with itself."""
        return self.kernel == self.stride and self.dilation == 1

    @property
    def span(self) -> int:
        """From its first beginning to its last."""
        return (self.times - 1) * self.stride + 1

    @property
    def reach(self) -> int:
        """Where it ends the last time, from the first of the places on."""
        return self.span + self.dilation * (self.kernel - 1) - self.padding

    @property
    def steps(self) -> tuple[int, int, int, int]:
        """What ``joined`` asks."""
        return self.kernel, self.dilation, self.span, self.stride

    @property
    def starts(self) -> np.ndarray:
        """Where it begins, negative within the padding."""
        return np.arange(self.times) * self.stride - self.padding


def windows(
    x: jax.Array,
    rank: int,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> dict[int, Window]:
    """A window for each axis of places of maps, the last axis first.

    Reduced one axis after the other, the first of equal values in reading order stays the first.
    """
    kernels = _each("kernel_size", kernel_size, rank)
    strides = kernels if stride is None else _each("stride", stride, rank)
    paddings = _each("padding", padding, rank, least=0)
    dilations = _each("dilation", dilation, rank)
    if any(p > k // 2 for p, k in zip(paddings, kernels, strict=True)):
        raise ValueError(f"padding={padding} is more than half of kernel_size={kernel_size}")
    found = {}
    for i in reversed(range(rank)):
        window = Window(x.shape[i + 1], kernels[i], strides[i], paddings[i], dilations[i])
        found[i + 1] = window._replace(ceil=ceil_mode)
    if any(window.times < 1 for window in found.values()):
        raise ValueError(f"kernel_size={kernel_size} is too large for maps {x.shape}")
    return found


def as_maps(x: jax.Array, *ranks: int) -> jax.Array:
    """An array, of NumPy's too, if it is a batch of maps of so many axes of places.

    Raises ValueError for any other.
    """
    if x.ndim - 2 not in ranks:
        kinds = " or ".join({1: "(N, L, C)", 2: "(N, H, W, C)"}[rank] for rank in ranks)
        raise ValueError(f"expected maps {kinds}, got an array of shape {x.shape}")
    if 0 in x.shape[1:]:
        raise ValueError(f"expected maps with places and channels, got an array of shape {x.shape}")
    return jnp.asarray(x)


def _each(name: str, size: Size, rank: int, least: int = 1) -> tuple[int, ...]:
    """A number for each of so many axes; torch takes one alone in a tuple for all of them, too."""
    if isinstance(size, Sequence) and len(size) == 1:
        return tupled(name, size[0], rank, least)
    return tupled(name, size, rank, least)


def under(x: jax.Array, axis: int, window: Window, fill: Any) -> list[jax.Array]:
    """What lies under the first, second, ... place of the window each time it is laid down."""
    x = padded(x, axis, window, fill)
    if window.is_apart:  # faster than slices
        x = apart(x, axis, window)
        return [lax.index_in_dim(x, i, axis + 1, False) for i in range(window.kernel)]
    steps = range(0, window.kernel * window.dilation, window.dilation)
    return [lax.slice_in_dim(x, i, i + window.span, window.stride, axis) for i in steps]


def padded(x: jax.Array, axis: int, window: Window, fill: Any, before: int = 0) -> jax.Array:
    """With all that a window covers, of which so much is there ``before`` the places."""
    behind = max(window.reach - window.places, 0)
    if not (window.is_apart or window.padding or behind):
        behind = 1  # no window reaches it; on a CPU maxima in strides are three times as fast
    edges = [(0, 0, 0)] * x.ndim
    edges[axis] = (window.padding - before, behind, 0)
    return lax.pad(x, jnp.asarray(fill, x.dtype), edges) if any(edges[axis]) else x


def apart(x: jax.Array, axis: int, window: Window) -> jax.Array:
    """Windows that lie side by side, each along an axis of its own behind theirs."""
    x = lax.slice_in_dim(x, 0, window.times * window.kernel, axis=axis)
    return x.reshape(*x.shape[:axis], window.times, window.kernel, *x.shape[axis + 1 :])


def maximum(x: jax.Array, axis: int, window: Window) -> jax.Array:
    """The maximum under the window; the first of equal ones has the gradient; NaN wins."""
    least = -jnp.inf if jnp.issubdtype(x.dtype, jnp.floating) else np.iinfo(x.dtype).min
    if window.kernel > FEW:
        return _large_maximum(x, axis, window, least)
    found, *others = under(x, axis, window, least)
    for i, other in enumerate(others, 1):
        found = first_maximum(found, other, _is_first_inside(other, axis, window, i))
    return found


def _large_maximum(x: jax.Array, axis: int, window: Window, least: Any) -> jax.Array:
    """Before the places lie those that a window comes upon first: no padding is before them."""
    first = np.arange(-window.padding, 0) % window.dilation
    front = jnp.take(x, first, axis, mode="fill", fill_value=least)
    x = lax.concatenate([front, x], axis) if window.padding else x
    x = padded(x, axis, window, least, before=window.padding)
    if window.is_apart:
        return folded(apart(x, axis, window), axis + 1, first_maximum)
    return joined(x, axis, *window.steps, first_maximum)


def _is_first_inside(values: jax.Array, axis: int, window: Window, i: int) -> jax.Array | bool:
    """Where the i-th place under the window is the first one that is no padding.

    Padding is never the first of equal values. As a constant this would take CPUs twice the time.
    """
    shift = i * window.dilation - window.padding
    if shift >= window.dilation:
        return False
    place = lax.broadcasted_iota(jnp.int32, values.shape, axis) * window.stride + shift
    return (place >= 0) & (place < window.dilation)


def first_maximum(first: jax.Array, second: jax.Array, forced: Any = False) -> jax.Array:
    """The larger one, or what is NaN; the second of equal ones only where that is forced."""
    return jnp.where((second > first) | jnp.isnan(second) | forced, second, first)


def total(x: jax.Array, axis: int, window: Window) -> jax.Array:
    """The sum of what lies under the window."""
    if window.kernel <= FEW:
        return functools.reduce(jnp.add, under(x, axis, window, 0))
    x = padded(x, axis, window, 0)
    if window.is_apart:
        return jnp.sum(apart(x, axis, window), axis + 1)
    return joined(x, axis, *window.steps, jnp.add)


def along(numbers: np.ndarray, axis: int, rank: int) -> np.ndarray:
    """Numbers for the places of an axis, in an array of that rank."""
    return numbers.reshape([-1 if i == axis else 1 for i in range(rank)])


def taken(x: jax.Array, axis: int, places: np.ndarray) -> list[jax.Array]:
    """The first, second, ... of the places (size, many) that each of so many results is made of."""
    return [jnp.take(x, column, axis, mode="clip") for column in places.T]

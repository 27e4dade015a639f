"""Windows that move along an axis of maps, and what lies under them."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from flaxnets.layers.parameters import single
from flaxnets.layers.sizes import tupled

Size = int | Sequence[int]


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


def floating(x: jax.Array) -> jax.Array:
    """An array in single precision at least. Raises ValueError for one that is not floating."""
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"expected maps of a floating dtype, got {x.dtype}")
    return x.astype(single(x.dtype))


def _each(name: str, size: Size, rank: int, least: int = 1) -> tuple[int, ...]:
    """A number for each of so many axes; torch takes one alone in a tuple for all of them, too."""
    if isinstance(size, Sequence) and len(size) == 1:
        return tupled(name, size[0], rank, least)
    return tupled(name, size, rank, least)


def under(x: jax.Array, axis: int, window: Window, fill: Any) -> list[jax.Array]:
    """What lies under the first, second, ... place of the window each time it is laid down."""
    span = (window.times - 1) * window.stride + 1
    last = span + window.dilation * (window.kernel - 1) - window.padding
    behind = max(last - window.places, 0)
    apart = window.kernel == window.stride and window.dilation == 1
    if not (apart or window.padding or behind):
        behind = 1  # no window reaches it; on a CPU maxima in strides are three times as fast
    if window.padding or behind:
        edges = [(0, 0, 0)] * x.ndim
        edges[axis] = (window.padding, behind, 0)
        x = lax.pad(x, jnp.asarray(fill, x.dtype), edges)
    if apart:  # faster than slices
        x = lax.slice_in_dim(x, 0, window.times * window.kernel, axis=axis)
        x = x.reshape(*x.shape[:axis], window.times, window.kernel, *x.shape[axis + 1 :])
        return [lax.index_in_dim(x, i, axis + 1, False) for i in range(window.kernel)]
    steps = range(0, window.kernel * window.dilation, window.dilation)
    return [lax.slice_in_dim(x, i, i + span, window.stride, axis) for i in steps]


def maximum(x: jax.Array, axis: int, window: Window) -> jax.Array:
    """The maximum under the window; the first of equal ones has the gradient; NaN wins."""
    least = -jnp.inf if jnp.issubdtype(x.dtype, jnp.floating) else np.iinfo(x.dtype).min
    found, *others = under(x, axis, window, least)
    for i, other in enumerate(others, 1):
        found = first_maximum(found, other, _is_first_inside(other, axis, window, i))
    return found


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
    return functools.reduce(jnp.add, under(x, axis, window, 0))


def along(numbers: np.ndarray, axis: int, rank: int) -> np.ndarray:
    """Numbers for the places of an axis, in an array of that rank."""
    return numbers.reshape([-1 if i == axis else 1 for i in range(rank)])


def taken(x: jax.Array, axis: int, places: np.ndarray) -> list[jax.Array]:
    """The first, second, ... of the places (size, many) that each of so many results is made of."""
    return [jnp.take(x, column, axis, mode="clip") for column in places.T]

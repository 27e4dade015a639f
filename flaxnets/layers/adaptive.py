"""Pools that are told the size of what they give."""

import operator
from collections.abc import Sequence
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from flaxnets.layers.base import Module
from flaxnets.layers.blocks import folded
from flaxnets.layers.floating import real, widened
from flaxnets.layers.windows import (
    Window,
    along,
    as_maps,
    first_maximum,
    maximum,
    total,
)

OutputSize = int | Sequence[int | None]


def adaptive_avg_pool1d(x: jax.Array, output_size: int | Sequence[int]) -> jax.Array:
    """``torch.nn.functional.adaptive_avg_pool1d``: means of rows, (N, L, C) -> (N, L', C).

    Args:
        x: (N, L, C), of a floating dtype.
        output_size: L', a number or one in a tuple.

    Returns:
        (N, L', C), of the dtype of ``x``.

    Raises: as ``adaptive_avg_pool2d`` does.
    """
    return _average(as_maps(x, 1), output_size)


def adaptive_avg_pool2d(x: jax.Array, output_size: OutputSize) -> jax.Array:
    """``torch.nn.functional.adaptive_avg_pool2d``: means under as many windows as are asked for.

    (N, H, W, C) -> (N, H', W', C). Where H is no multiple of H' the windows overlap, as torch's do.
    Means are taken in single precision at least.

    Args:
        x: (N, H, W, C), of a floating dtype.
        output_size: H' and W': one number for both, or a pair, in which None leaves a size as
            it is.

    Returns:
        (N, H', W', C), of the dtype of ``x``.

    Raises:
        ValueError: if ``x`` has not four axes or is not floating, and for an ``output_size`` that
            is no such number or pair.
        TypeError: for sizes that are no integers.
    """
    return _average(as_maps(x, 2), output_size)


def adaptive_max_pool1d(x: jax.Array, output_size: int | Sequence[int]) -> jax.Array:
    """``torch.nn.functional.adaptive_max_pool1d``: maxima of rows, (N, L, C) -> (N, L', C).

    Args:
        x: (N, L, C), of any dtype of real numbers.
        output_size: L', a number or one in a tuple.

    Returns:
        (N, L', C), of the dtype of ``x``.

    Raises: as ``adaptive_max_pool2d`` does.
    """
    return _maxima(as_maps(x, 1), output_size)


def adaptive_max_pool2d(x: jax.Array, output_size: OutputSize) -> jax.Array:
    """``torch.nn.functional.adaptive_max_pool2d``: maxima under the windows of the means.

    (N, H, W, C) -> (N, H', W', C). The first of equal values has the gradient; NaN wins.

    Args:
        x: (N, H, W, C), of any dtype of real numbers.
        output_size: as in ``adaptive_avg_pool2d``.

    Returns:
        (N, H', W', C), of the dtype of ``x``.

    Raises:
        ValueError: if ``x`` has not four axes, and for an ``output_size`` that is no number above
            0 or pair of them.
        TypeError: for sizes that are no integers.
    """
    return _maxima(as_maps(x, 2), output_size)


def _sizes(x: jax.Array, output_size: OutputSize) -> dict[int, int]:
    """The size that is asked for of each axis of places, the last axis first."""
    rank = x.ndim - 2
    sizes = output_size if isinstance(output_size, Sequence) else (output_size,) * rank
    if output_size is None or len(sizes) != rank or (rank == 1 and None in sizes):
        raise ValueError(f"output_size must be one number{' or 2' * (rank > 1)}, got {output_size}")
    found = {}
    for axis in range(rank, 0, -1):
        size = sizes[axis - 1]
        found[axis] = x.shape[axis] if size is None else operator.index(size)
    if min(found.values()) < 1:
        raise ValueError(f"output_size must be 1 or more, got {output_size}")
    return found


def _average(x: jax.Array, output_size: OutputSize) -> jax.Array:
    means, dtype = widened(f"adaptive_avg_pool{x.ndim - 2}d", x)
    for axis, size in _sizes(x, output_size).items():
        if window := _even(x.shape[axis], size):
            means = total(means, axis, window) / window.kernel
            continue
        places, lengths = _under(x.shape[axis], size)
        counts = np.arange(places.shape[1]) < lengths[:, None]
        counts = counts.reshape(
            *(1 for _ in x.shape[:axis]), *counts.shape, *(1 for _ in x.shape[axis + 1 :])
        )
        sums = jnp.sum(jnp.where(counts, jnp.take(means, places, axis, mode="clip"), 0), axis + 1)
        means = sums / jnp.asarray(along(lengths, axis, x.ndim), means.dtype)
    return means.astype(dtype)


def _maxima(x: jax.Array, output_size: OutputSize) -> jax.Array:
    x = real(f"adaptive_max_pool{x.ndim - 2}d", x)
    for axis, size in _sizes(x, output_size).items():
        if window := _even(x.shape[axis], size):
            x = maximum(x, axis, window)
        else:
            places, _ = _under(x.shape[axis], size)
            x = folded(jnp.take(x, places, axis, mode="clip"), axis + 1, first_maximum)
    return x


def _even(places: int, size: int) -> Window | None:
    """The window, if it is the same everywhere."""
    kernel, rest = divmod(places, size)
    return None if rest else Window(places, kernel, kernel)


def _under(places: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The places under each window, the last one again to fill the longest, and how many."""
    starts = np.arange(size) * places // size
    ends = -(-np.arange(1, size + 1) * places // size)
    lengths = ends - starts
    under = starts[:, None] + np.arange(lengths.max())
    return np.minimum(under, ends[:, None] - 1), lengths


class AdaptiveAvgPool1d(Module):
    """``torch.nn.AdaptiveAvgPool1d``: see ``adaptive_avg_pool1d``.

    (N, L, C) -> (N, L', C), of the input's dtype.

    Attributes:
        output_size: L', a number or one in a tuple.

    Raises: as ``adaptive_avg_pool1d`` does, when called.
    """

    makes_maps: ClassVar[bool] = True
    output_size: int | tuple[int]

    def __call__(self, x: jax.Array) -> jax.Array:
        return adaptive_avg_pool1d(x, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool2d(Module):
    """``torch.nn.AdaptiveAvgPool2d``: see ``adaptive_avg_pool2d``.

    (N, H, W, C) -> (N, H', W', C), of the input's dtype.

    Attributes:
        output_size: as ``adaptive_avg_pool2d`` takes it.

    Raises: as ``adaptive_avg_pool2d`` does, when called.
    """

    makes_maps: ClassVar[bool] = True
    output_size: int | tuple[int | None, int | None]

    def __call__(self, x: jax.Array) -> jax.Array:
        return adaptive_avg_pool2d(x, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class _AdaptiveMaxPool(Module):
    makes_maps: ClassVar[bool] = True
    output_size: int | tuple[int | None, ...]
    return_indices: bool = False

    def __post_init__(self) -> None:
        if self.return_indices:
            raise ValueError("return_indices=True is not supported: leave it out")
        super().__post_init__()

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """``torch.nn.AdaptiveMaxPool1d``: see ``adaptive_max_pool1d``.

    (N, L, C) -> (N, L', C), of the input's dtype.

    Attributes:
        output_size: L', a number or one in a tuple.
        return_indices: torch's, of which only False is taken.

    Raises:
        ValueError: when made, for ``return_indices``; when called, as ``adaptive_max_pool1d`` does.
    """

    output_size: int | tuple[int]

    def __call__(self, x: jax.Array) -> jax.Array:
        return adaptive_max_pool1d(x, self.output_size)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """``torch.nn.AdaptiveMaxPool2d``: see ``adaptive_max_pool2d``.

    (N, H, W, C) -> (N, H', W', C), of the input's dtype.

    Attributes:
        output_size: as ``adaptive_max_pool2d`` takes it.
        return_indices: torch's, of which only False is taken.

    Raises:
        ValueError: when made, for ``return_indices``; when called, as ``adaptive_max_pool2d`` does.
    """

    output_size: int | tuple[int | None, int | None]

    def __call__(self, x: jax.Array) -> jax.Array:
        return adaptive_max_pool2d(x, self.output_size)

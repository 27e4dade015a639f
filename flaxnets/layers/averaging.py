"""Pools that take means."""

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from flaxnets.layers.base import Module
from flaxnets.layers.floating import widened
from flaxnets.layers.windows import Size, along, as_maps, total, windows


def avg_pool1d(
    x: jax.Array,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> jax.Array:
    """``torch.nn.functional.avg_pool1d``: ``avg_pool2d`` of rows, (N, L, C) -> (N, L', C).

    Args:
        x: (N, L, C), of a floating dtype.
        kernel_size, stride, padding: a number each, or one in a tuple.
        ceil_mode, count_include_pad: as in ``avg_pool2d``.

    Returns:
        (N, L', C), of the dtype of ``x``.

    Raises: as ``avg_pool2d`` does.
    """
    return _avg_pool(x, 1, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    x: jax.Array,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> jax.Array:
    """``torch.nn.functional.avg_pool2d``: the mean under each window.

    (N, H, W, C) -> (N, H', W', C). Sums are taken in single precision at least.

    Args:
        x: (N, H, W, C), of a floating dtype.
        kernel_size, stride, padding, ceil_mode: as in ``max_pool2d``.
        count_include_pad: whether the zeros around the maps count in a mean. What a last window
            covers beyond them, by ``ceil_mode``, never does.
        divisor_override: what sums are divided by instead.

    Returns:
        (N, H', W', C), of the dtype of ``x``, H' as in ``max_pool2d``.

    Raises:
        ValueError: as ``max_pool2d`` does, for a dtype that is not floating, and for a
            ``divisor_override`` of 0.
        TypeError: for sizes that are no integers.
    """
    return _avg_pool(
        x, 2, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def _avg_pool(
    x: jax.Array,
    rank: int,
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> jax.Array:
    if divisor_override == 0:
        raise ValueError("divisor_override must not be 0")
    x = as_maps(x, rank)
    found = windows(x, rank, kernel_size, stride, padding, ceil_mode=ceil_mode)
    (means, dtype), divisor = widened(f"avg_pool{rank}d", x), np.ones((1,) * x.ndim)
    for axis, window in found.items():
        means = total(means, axis, window)
        ends = np.minimum(window.starts + window.kernel, window.places + window.padding)
        starts = window.starts
        if not count_include_pad:
            starts, ends = np.maximum(starts, 0), np.minimum(ends, window.places)
        divisor = divisor * along(ends - starts, axis, x.ndim)
    if divisor_override is not None:
        divisor = np.full((1,) * x.ndim, divisor_override)
    return (means / jnp.asarray(divisor, means.dtype)).astype(dtype)


class AvgPool1d(Module):
    """``torch.nn.AvgPool1d``: see ``avg_pool1d``. (N, L, C) -> (N, L', C), of the input's dtype.

    Attributes:
        kernel_size, stride, padding, ceil_mode, count_include_pad: as ``avg_pool1d`` takes them.

    Raises: as ``avg_pool1d`` does, when called.
    """

    makes_maps: ClassVar[bool] = True
    kernel_size: int | tuple[int]
    stride: int | tuple[int] | None = None
    padding: int | tuple[int] = 0
    ceil_mode: bool = False
    count_include_pad: bool = True

    def __call__(self, x: jax.Array) -> jax.Array:
        sizes = (self.kernel_size, self.stride, self.padding)
        return avg_pool1d(x, *sizes, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        stride = self.kernel_size if self.stride is None else self.stride
        sizes = {"kernel_size": self.kernel_size, "stride": stride, "padding": self.padding}
        tuples = {n: (size,) if isinstance(size, int) else size for n, size in sizes.items()}
        return ", ".join(f"{name}={size}" for name, size in tuples.items())


class AvgPool2d(Module):
    """``torch.nn.AvgPool2d``: see ``avg_pool2d``.

    (N, H, W, C) -> (N, H', W', C), of the input's dtype.

    Attributes:
        kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override: as
            ``avg_pool2d`` takes them.

    Raises: as ``avg_pool2d`` does, when called.
    """

    makes_maps: ClassVar[bool] = True
    kernel_size: int | tuple[int, ...]
    stride: int | tuple[int, ...] | None = None
    padding: int | tuple[int, ...] = 0
    ceil_mode: bool = False
    count_include_pad: bool = True
    divisor_override: int | None = None

    def __call__(self, x: jax.Array) -> jax.Array:
        sizes = (self.kernel_size, self.stride, self.padding)
        options = (self.ceil_mode, self.count_include_pad, self.divisor_override)
        return avg_pool2d(x, *sizes, *options)

    def extra_repr(self) -> str:
        stride = self.kernel_size if self.stride is None else self.stride
        return f"kernel_size={self.kernel_size}, stride={stride}, padding={self.padding}"

"""Pools that take maxima."""

from typing import Any, ClassVar

import jax

from flaxnets.layers.base import Module
from flaxnets.layers.floating import real
from flaxnets.layers.windows import Size, as_maps, maximum, windows


def max_pool1d(
    x: jax.Array,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> jax.Array:
    """``torch.nn.functional.max_pool1d``: ``max_pool2d`` of rows, (N, L, C) -> (N, L', C).

    Args:
        x: (N, L, C), of any dtype of real numbers.
        kernel_size, stride, padding, dilation: a number each, or one in a tuple.
        ceil_mode: as in ``max_pool2d``.

    Returns:
        (N, L', C), of the dtype of ``x``.

    Raises: as ``max_pool2d`` does.
    """
    return _max_pool(x, 1, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d(
    x: jax.Array,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> jax.Array:
    """``torch.nn.functional.max_pool2d``: the maximum under each window.

    (N, H, W, C) -> (N, H', W', C). Among equal values the first in reading order gets the gradient;
    NaN wins; padding never does. All as in torch.

    Args:
        x: (N, H, W, C), of any dtype of real numbers.
        kernel_size: the height and the width of the windows: one number or two.
        stride: the steps between them, by default ``kernel_size``.
        padding: how many places lie around the maps, at most half of ``kernel_size``.
        dilation: the steps between the places under a window.
        ceil_mode: whether a last window is laid down that reaches beyond the padding. Without it
            rows and columns that fill no window are left out.

    Returns:
        (N, H', W', C), of the dtype of ``x``, where H' is
        (H + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1.

    Raises:
        ValueError: if ``x`` has not four axes, for sizes that torch does not take either, and if
            no window fits.
        TypeError: for sizes that are no integers.
    """
    return _max_pool(x, 2, kernel_size, stride, padding, dilation, ceil_mode)


def _max_pool(
    x: jax.Array,
    rank: int,
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    dilation: Size,
    ceil_mode: bool,
) -> jax.Array:
    x = real(f"max_pool{rank}d", as_maps(x, rank))
    sizes = (kernel_size, stride, padding, dilation, ceil_mode)
    for axis, window in windows(x, rank, *sizes).items():
        x = maximum(x, axis, window)
    return x


class _MaxPool(Module):
    makes_maps: ClassVar[bool] = True
    kernel_size: int | tuple[int, ...]
    stride: int | tuple[int, ...] | None = None
    padding: int | tuple[int, ...] = 0
    dilation: int | tuple[int, ...] = 1
    return_indices: bool = False
    ceil_mode: bool = False

    def __post_init__(self) -> None:
        if self.return_indices:
            raise ValueError("return_indices=True is not supported: leave it out")
        super().__post_init__()

    def sizes(self) -> dict[str, Any]:
        """What the function takes."""
        names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
        return {name: getattr(self, name) for name in names}

    def extra_repr(self) -> str:
        sizes = self.sizes()
        sizes["stride"] = self.kernel_size if self.stride is None else self.stride
        return ", ".join(f"{name}={size}" for name, size in sizes.items())


class MaxPool1d(_MaxPool):
    """``torch.nn.MaxPool1d``: see ``max_pool1d``. (N, L, C) -> (N, L', C), of the input's dtype.

    Attributes:
        kernel_size, stride, padding, dilation, ceil_mode: as ``max_pool1d`` takes them.
        return_indices: torch's, of which only False is taken.

    Raises:
        ValueError: when made, for ``return_indices``; when called, as ``max_pool1d`` does.
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        return max_pool1d(x, **self.sizes())


class MaxPool2d(_MaxPool):
    """``torch.nn.MaxPool2d``: see ``max_pool2d``.

    (N, H, W, C) -> (N, H', W', C), of the input's dtype.

    Attributes:
        kernel_size, stride, padding, dilation, ceil_mode: as ``max_pool2d`` takes them.
        return_indices: torch's, of which only False is taken.

    Raises:
        ValueError: when made, for ``return_indices``; when called, as ``max_pool2d`` does.
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        return max_pool2d(x, **self.sizes())

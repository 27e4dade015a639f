"""Pools."""

import functools
import itertools
from typing import ClassVar

import jax
import jax.numpy as jnp

from flaxnets.layers.base import Module


class MaxPool2d(Module):
    """``torch.nn.MaxPool2d`` with windows that do not overlap: see ``max_pool2d``.

    (N, H, W, C) -> (N, H // kernel_size, W // kernel_size, C), of the input's dtype.

    Attributes:
        kernel_size: the height and the width of the windows, and of the steps between them.

    Raises: as ``max_pool2d`` does, when called.
    """

    makes_maps: ClassVar[bool] = True
    kernel_size: int

    def __call__(self, x: jax.Array) -> jax.Array:
        return max_pool2d(x, self.kernel_size)

    def extra_repr(self) -> str:
        size = self.kernel_size
        return f"kernel_size={size}, stride={size}, padding=0, dilation=1, ceil_mode=False"


def max_pool2d(x: jax.Array, size: int) -> jax.Array:
    """``torch.nn.functional.max_pool2d``: the maximum of each size x size window.

    (N, H, W, C) -> (N, H // size, W // size, C). Rows and columns that fill no window are left
    out; among equal values the first in reading order gets the gradient; NaN wins. All as in torch.

    Args:
        x: (N, H, W, C), of any dtype of real numbers.
        size: the height and the width of the windows, at least 1.

    Returns:
        (N, H // size, W // size, C), of the dtype of ``x``.

    Raises:
        ValueError: if ``x`` has not four axes.
    """
    n, height, width, channels = x.shape
    rows, columns = height // size, width // size
    x = x[:, : rows * size, : columns * size]
    x = x.reshape(n, rows, size, columns, size, channels)
    window = [x[:, :, i, :, j] for i, j in itertools.product(range(size), repeat=2)]
    return functools.reduce(_first_maximum, window)


def _first_maximum(first: jax.Array, second: jax.Array) -> jax.Array:
    return jnp.where((second > first) | jnp.isnan(second), second, first)

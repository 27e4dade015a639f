"""Channels that become places, and places that become channels."""

import operator
from typing import ClassVar

import jax

from flaxnets.layers.base import Module
from flaxnets.layers.flattening.marks import made_maps
from flaxnets.layers.windows import as_maps


def pixel_shuffle(x: jax.Array, upscale_factor: int) -> jax.Array:
    """``torch.nn.functional.pixel_shuffle``: (N, H, W, C * r * r) -> (N, H * r, W * r, C).

    Args:
        x: (N, H, W, C * r * r), of any dtype. As in torch the r * r channels of a result's channel
            lie side by side: row by row the places that they become.
        upscale_factor: r.

    Returns:
        (N, H * r, W * r, C), of the dtype of ``x``.

    Raises:
        ValueError: if ``x`` has not four axes, for a factor below 1, and if it does not divide the
            channels.
        TypeError: for a factor that is no integer.
    """
    r = _factor("upscale_factor", upscale_factor)
    x = as_maps(x, 2)
    n, height, width, channels = x.shape
    if channels % (r * r):
        raise ValueError(f"upscale_factor={r}: its square does not divide the {channels} channels")
    x = x.reshape(n, height, width, channels // (r * r), r, r).transpose(0, 1, 4, 2, 5, 3)
    shuffled = x.reshape(n, height * r, width * r, channels // (r * r))
    return made_maps(shuffled, "pixel_shuffle")


def pixel_unshuffle(x: jax.Array, downscale_factor: int) -> jax.Array:
    """``torch.nn.functional.pixel_unshuffle``: what undoes ``pixel_shuffle``.

    Args:
        x: (N, H * r, W * r, C), of any dtype.
        downscale_factor: r.

    Returns:
        (N, H, W, C * r * r), of the dtype of ``x``.

    Raises:
        ValueError: if ``x`` has not four axes, for a factor below 1, and if it does not divide the
            height and the width.
        TypeError: for a factor that is no integer.
    """
    r = _factor("downscale_factor", downscale_factor)
    x = as_maps(x, 2)
    n, height, width, channels = x.shape
    if height % r or width % r:
        raise ValueError(f"downscale_factor={r} does not divide the maps {x.shape}")
    x = x.reshape(n, height // r, r, width // r, r, channels).transpose(0, 1, 3, 5, 2, 4)
    unshuffled = x.reshape(n, height // r, width // r, channels * r * r)
    return made_maps(unshuffled, "pixel_unshuffle")


def _factor(name: str, factor: int) -> int:
    if operator.index(factor) < 1:
        raise ValueError(f"{name} must be 1 or more, got {factor}")
    return factor


class PixelShuffle(Module):
    """``torch.nn.PixelShuffle``: see ``pixel_shuffle``.

    (N, H, W, C * r * r) -> (N, H * r, W * r, C), of the input's dtype.

    Attributes:
        upscale_factor: r.

    Raises: as ``pixel_shuffle`` does, when called.
    """

    makes_maps: ClassVar[bool] = True
    upscale_factor: int

    def __call__(self, x: jax.Array) -> jax.Array:
        return pixel_shuffle(x, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """``torch.nn.PixelUnshuffle``: see ``pixel_unshuffle``.

    (N, H * r, W * r, C) -> (N, H, W, C * r * r), of the input's dtype.

    Attributes:
        downscale_factor: r.

    Raises: as ``pixel_unshuffle`` does, when called.
    """

    makes_maps: ClassVar[bool] = True
    downscale_factor: int

    def __call__(self, x: jax.Array) -> jax.Array:
        return pixel_unshuffle(x, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"

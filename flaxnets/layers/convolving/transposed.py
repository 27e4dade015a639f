"""Convolutions of images that are spread, without the zeros between their pixels."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from flaxnets.layers.convolving.geometry import Geometry, Pair

Convolve = Callable[[jax.Array, jax.Array, Geometry], jax.Array]


def by_phases(
    convolve: Convolve, images: jax.Array, kernel: jax.Array, geometry: Geometry
) -> jax.Array:
    """A convolution for each phase of the result, all in one with more channels, interleaved.

    Where pixels lie s apart, a place of the result meets one in s rows of the kernel; which ones,
    its phase, depends on the place modulo s. The kernel is parted into s small ones, so that no
    zero is multiplied but those that fill them up, and those that a dilation puts into the kernel.
    """
    height, width = geometry.places(images, kernel.shape)
    parts, dilation = _parted(kernel, geometry)
    size, spread = parts.shape[:2], geometry.spread
    before, across = (d * (n - 1) for d, n in zip(dilation, size, strict=True))
    around = ((before, before), (across, across))
    found = convolve(images, parts, Geometry((1, 1), around, dilation, geometry.groups))
    wide = _interleaved(found, spread, geometry.groups)
    top, left = (
        (reach + 1) * s - 1 - padding[0]
        for reach, s, padding in zip((before, across), spread, geometry.padding, strict=True)
    )
    edges = [(-top, top + height - wide.shape[1], 0), (-left, left + width - wide.shape[2], 0)]
    return lax.pad(wide, jnp.zeros((), wide.dtype), [(0, 0, 0), *edges, (0, 0, 0)])


def _parted(kernel: jax.Array, geometry: Geometry) -> tuple[jax.Array, Pair]:
    """(h, w, C, C') -> (h / s, w / s, C, C' * s * s), and the dilation that is left."""
    h, w, channels, outputs = kernel.shape
    (s, t), (d, e) = geometry.spread, geometry.dilation
    d, e = (d if s > 1 else 1), (e if t > 1 else 1)  # which zeros in the kernel stand for
    reach = (d * (h - 1) + 1, e * (w - 1) + 1)
    edges = [(0, -reach[0] % s, d - 1), (0, -reach[1] % t, e - 1), (0, 0, 0), (0, 0, 0)]
    kernel = lax.pad(kernel, jnp.zeros((), kernel.dtype), edges)
    shape = (-1, s, kernel.shape[1] // t, t, channels, geometry.groups, outputs // geometry.groups)
    parts = lax.rev(kernel.reshape(shape), (1, 3)).transpose(0, 2, 4, 5, 1, 3, 6)
    left = (geometry.dilation[0] // d, geometry.dilation[1] // e)
    return parts.reshape(*parts.shape[:3], -1), left


def _interleaved(found: jax.Array, spread: Pair, groups: int) -> jax.Array:
    n, height, width, channels = found.shape
    s, t = spread
    parts = found.reshape(n, height, width, groups, s, t, channels // (groups * s * t))
    wide = parts.transpose(0, 1, 4, 2, 5, 3, 6)
    return wide.reshape(n, height * s, width * t, channels // (s * t))

"""Convolutions with strides as some without, of images of fewer pixels and more channels."""

import jax
import jax.numpy as jnp
from jax import lax

from flaxnets.layers.convolving.geometry import Geometry

# How many times the elements of the kernel may become, by the zeros that fill it up. 7 x 7 in steps
# of 2 becomes 8 x 8, and is 1.3 to 1.6 times as fast; 3 x 3 becomes 4 x 4, and is slower.
MOST = 1.4


def is_tiled(size: tuple[int, ...], geometry: Geometry) -> bool:
    """Whether the kernel has nearly a multiple of the stride in rows and columns."""
    filled = [k + -k % s for k, s in zip(size, geometry.stride, strict=True)]
    return (
        geometry.stride != (1, 1)
        and geometry.dilation == (1, 1)
        and filled[0] * filled[1] <= MOST * size[0] * size[1]
    )


def tiled(
    images: jax.Array, kernel: jax.Array, geometry: Geometry
) -> tuple[jax.Array, jax.Array, Geometry]:
    """Tiles of the size of the stride become pixels, in the images as in the kernel.

    So no pixel is skipped: neighbours lie together, also in the gradients.
    """
    places, (s, t) = geometry.places(images, kernel.shape), geometry.stride
    h, w, _, outputs = kernel.shape
    edges = [(0, -h % s, 0), (0, -w % t, 0), (0, 0, 0), (0, 0, 0)]
    filled = lax.pad(kernel, jnp.zeros((), kernel.dtype), edges)
    ends = []
    for i, (place, k) in enumerate(zip(places, filled.shape, strict=False)):
        needed = (place - 1) * geometry.stride[i] + k
        before = geometry.padding[i][0]
        ends.append((before, needed - before - images.shape[i + 1], 0))
    whole = lax.pad(images, jnp.zeros((), images.dtype), [(0, 0, 0), *ends, (0, 0, 0)])
    n, height, width, channels = whole.shape
    parts = whole.reshape(n, height // s, s, width // t, t, channels)
    small = filled.reshape(filled.shape[0] // s, s, filled.shape[1] // t, t, channels, outputs)
    return (
        _joined(parts.transpose(0, 1, 3, 2, 4, 5), 3),
        _joined(small.transpose(0, 2, 1, 3, 4, 5), 2, outputs),
        Geometry(),
    )


def _joined(array: jax.Array, kept: int, *last: int) -> jax.Array:
    return array.reshape(*array.shape[:kept], -1, *last)

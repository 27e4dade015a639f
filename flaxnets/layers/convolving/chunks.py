"""A batch in chunks of images, one after the other."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

CHUNK = 8


def in_chunks(
    convolve: Callable[[jax.Array], jax.Array], images: jax.Array, at_once: int
) -> jax.Array:
    """The convolution of a batch, of at most so many images at once, and at most ``CHUNK``."""
    n, chunk = images.shape[0], _chunk(at_once)
    if isinstance(n, int) and n <= chunk:  # it may be symbolic
        return convolve(images)
    count = (n + chunk - 1) // chunk
    filled = jnp.pad(images, [(0, count * chunk - n)] + [(0, 0)] * 3)
    outputs: jax.Array = parts_joined(lax.map(convolve, parted(filled, chunk)))
    return outputs[:n]


def _chunk(at_once: int) -> int:
    """A power of two, by which batches can be divided; where devices share it, by those too."""
    if jax.device_count() > 1:
        return CHUNK
    return int(min(CHUNK, 1 << max(at_once, 1).bit_length() - 1))


def parted(images: jax.Array, chunk: int) -> jax.Array:
    """(N, H, W, C) -> (N / chunk, chunk, H, W, C)."""
    count = images.shape[0] // chunk
    if jax.device_count() == 1:
        return images.reshape(count, chunk, *images.shape[1:])
    # Where devices share the batch, a chunk has images from all over it: each device has its
    # own part of every chunk, and none has to ask another.
    return images.reshape(chunk, count, *images.shape[1:]).swapaxes(0, 1)


def parts_joined(parts: jax.Array) -> jax.Array:
    """What ``parted`` has parted."""
    whole = parts if jax.device_count() == 1 else parts.swapaxes(0, 1)
    return whole.reshape(parts.shape[0] * parts.shape[1], *parts.shape[2:])

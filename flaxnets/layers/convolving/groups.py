"""Convolutions in groups of channels, as some without groups."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from flaxnets.layers.convolving.geometry import Geometry

# Each block is a loop of its own in the compiled program. More, smaller ones were not faster, one
# product of all groups at once several times slower (benchmarks/LOG.md).
BLOCKS = 8


def by_blocks(
    convolve: Callable[[jax.Array, jax.Array, Geometry], jax.Array],
    images: jax.Array,
    kernel: jax.Array,
    geometry: Geometry,
) -> jax.Array:
    """(N, H, W, C) with (h, w, C / groups, C'), a block of neighbouring groups after the other."""
    groups, plain = geometry.groups, geometry._replace(groups=1)
    if groups == 1:
        return convolve(images, kernel, plain)
    blocks = max(n for n in range(1, BLOCKS + 1) if groups % n == 0)
    kernels = jnp.split(_block_diagonal(kernel, groups, groups // blocks), blocks, -1)
    parts = zip(jnp.split(images, blocks, -1), kernels, strict=True)
    return jnp.concatenate([convolve(*part, plain) for part in parts], -1)


def _block_diagonal(kernel: jax.Array, groups: int, together: int) -> jax.Array:
    """(h, w, C / groups, C') -> (h, w, C / groups * together, C'), with zeros between groups."""
    if together == 1:
        return kernel
    channels = kernel.shape[2]
    whole = []
    # Not a product with an identity: in a loop jaxlib 0.10.2 crashes on the gradient of that.
    for i, part in enumerate(jnp.split(kernel, groups, -1)):
        before = i % together * channels
        behind = (together - 1) * channels - before
        whole.append(jnp.pad(part, [(0, 0), (0, 0), (before, behind), (0, 0)]))
    return jnp.concatenate(whole, -1)

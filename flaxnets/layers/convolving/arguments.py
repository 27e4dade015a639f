"""What the functions of convolutions are given: seen as images, if it fits together."""

from typing import Any

import jax

from flaxnets.layers.convolving import convolve
from flaxnets.layers.convolving.geometry import Geometry
from flaxnets.layers.floating import floating
from flaxnets.layers.windows import as_maps


def convolved(
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None,
    implementation: str | None,
    groups: int,
    **sizes: tuple[Any, ...],
) -> jax.Array:
    """Maps of one axis of places are images one pixel high. The sizes are a geometry's."""
    rank = kernel.ndim - 2
    geometry = Geometry(groups=groups)
    whole = {name: getattr(geometry, name)[rank:] + size for name, size in sizes.items()}
    geometry = geometry._replace(**whole)
    if rank == 1:
        x, kernel = x.reshape(x.shape[0], 1, *x.shape[1:]), kernel.reshape(1, *kernel.shape)
    if min(geometry.places(x, kernel.shape)) < 1:
        raise ValueError(f"a kernel of size {kernel.shape[:2]} does not fit into {x.shape} so")
    found = convolve(x, kernel, geometry, implementation)
    if bias is not None:
        found = found + bias.reshape(1, 1, 1, -1)
    return found if rank == 2 else found.squeeze(1)


def checked(
    rank: int, x: jax.Array, kernel: jax.Array, bias: jax.Array | None, groups: int
) -> jax.Array:
    """The maps. Raises ValueError for arrays that do not fit each other, or the groups."""
    x = floating(f"conv{rank}d", as_maps(x, rank))
    held = [kernel] if bias is None else [kernel, bias]
    if any(array.dtype != x.dtype for array in held):
        dtypes = ", ".join(str(array.dtype) for array in held)
        raise ValueError(f"kernel and bias must be of the maps' {x.dtype}, got {dtypes}")
    if bias is not None and bias.shape != kernel.shape[-1:]:
        raise ValueError(f"a bias must be shaped {kernel.shape[-1:]}, got {bias.shape}")
    check_channels(x.shape[-1], kernel.shape[-1], groups)
    if kernel.ndim != rank + 2 or kernel.shape[-2] * groups != x.shape[-1]:
        raise ValueError(
            f"a kernel of shape {kernel.shape} in {groups} groups does not fit maps {x.shape}"
        )
    return x


def check_channels(inputs: int, outputs: int, groups: int) -> None:
    """Raise ValueError for channels that cannot be split into groups."""
    if groups < 1:
        raise ValueError(f"groups must be 1 or more, got {groups}")
    for name, channels in (("in_channels", inputs), ("out_channels", outputs)):
        if channels < 1 or channels % groups:
            raise ValueError(f"{name}={channels} must be a multiple of groups={groups}")

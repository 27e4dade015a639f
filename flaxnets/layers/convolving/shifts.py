"""Convolution in groups of one channel, as in MobileNet and ConvNeXt: no matrix is multiplied."""

import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from flaxnets.layers.convolving.chunks import CHUNK, parted
from flaxnets.layers.convolving.geometry import Geometry
from flaxnets.layers.floating import single


def by_shifts(images: jax.Array, kernel: jax.Array, geometry: Geometry) -> jax.Array:
    """(N, H, W, C) with (h, w, 1, C'), where C' is a multiple of C."""
    if kernel.shape[2] != 1:
        raise ValueError(
            f"implementation 'shifts' takes groups of one channel, got {kernel.shape[2]} in each"
        )
    exact = single(images.dtype)
    repeated = jnp.repeat(images.astype(exact), kernel.shape[-1] // geometry.groups, axis=-1)
    taps = kernel.astype(exact).squeeze(2)
    found: jax.Array = _shifted.bind(repeated, taps, geometry=geometry._replace(groups=1))
    return found.astype(images.dtype)


def _sum_of_shifts(images: jax.Array, taps: jax.Array, *, geometry: Geometry) -> jax.Array:
    """(N, H, W, C) with (h, w, C)."""
    images = geometry.padded(images)
    geometry = geometry.within()
    places = geometry.places(images, taps.shape)
    return functools.reduce(
        jnp.add,
        (
            geometry.window(images, i, j, places) * taps[i, j].reshape(1, 1, 1, -1)
            for i, j in itertools.product(*map(range, taps.shape[:2]))
        ),
    )


def _images_gradient(ct: jax.Array, images: Any, taps: jax.Array, *, geometry: Geometry) -> Any:
    """The same with the taps turned round, where what was stride is spread."""
    padding = []
    for i, (n, k, d) in enumerate(
        zip(images.aval.shape[1:3], taps.shape, geometry.dilation, strict=False)
    ):
        before = d * (k - 1) - geometry.padding[i][0]
        had = geometry.stride[i] * (ct.shape[i + 1] - 1) + 1
        wanted = geometry.spread[i] * (n - 1) + 1
        padding.append((before, wanted - had - before + d * (k - 1)))
    back = geometry._replace(
        stride=geometry.spread, spread=geometry.stride, padding=(padding[0], padding[1])
    )
    return _shifted.bind(ct, lax.rev(taps, (0, 1)), geometry=back)


def _taps_gradient(ct: jax.Array, images: jax.Array, taps: Any, *, geometry: Geometry) -> jax.Array:
    """For each tap the sum of the shifted images times ct.

    XLA sums over all but the last axis one number after the other. So images are added up first, in
    a loop, and their places last: a third of the time.
    """
    size = taps.aval.shape[:2]
    chunk = 1 if jax.device_count() == 1 else CHUNK  # see chunks.py
    images, ct = (_filled(array, chunk) for array in (geometry.padded(images), ct))
    geometry, (height, width) = geometry.within(), ct.shape[2:4]

    def add(sums: list[jax.Array], part: tuple[jax.Array, jax.Array]) -> tuple[Any, None]:
        image, weights = part
        offsets = itertools.product(*map(range, size))
        shifts = (geometry.window(image, i, j, (height, width)) for i, j in offsets)
        return [old + shift * weights for old, shift in zip(sums, shifts, strict=True)], None

    zeros = [jnp.zeros(ct.shape[1:], ct.dtype)] * (size[0] * size[1])
    sums, _ = lax.scan(add, zeros, (images, ct))
    return jnp.stack([total.sum((0, 1, 2)) for total in sums]).reshape(taps.aval.shape)


def _filled(images: jax.Array, chunk: int) -> jax.Array:
    n = images.shape[0]
    filled = jnp.pad(images, [(0, (n + chunk - 1) // chunk * chunk - n)] + [(0, 0)] * 3)
    return parted(filled, chunk)


def _batched(args: Any, axes: Any, *, geometry: Geometry) -> tuple[jax.Array, int]:
    return jax.vmap(functools.partial(_sum_of_shifts, geometry=geometry), axes)(*args), 0


def _abstract(images: Any, taps: Any, *, geometry: Geometry) -> Any:
    places = geometry.places(images, taps.shape)
    return images.update(shape=(images.shape[0], *places, images.shape[-1]))


# A primitive of its own for the sake of its derivatives, which JAX's own rules for shifts make a
# few times slower: the images' is a sum of arrays each of which is padded first.
_shifted = Primitive("sum_of_shifts")
_shifted.def_impl(jax.jit(_sum_of_shifts, static_argnames="geometry"))
_shifted.def_abstract_eval(_abstract)
mlir.register_lowering(_shifted, mlir.lower_fun(_sum_of_shifts, multiple_results=False))
ad.defbilinear(_shifted, _images_gradient, _taps_gradient)
batching.primitive_batchers[_shifted] = _batched

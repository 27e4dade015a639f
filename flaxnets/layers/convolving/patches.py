"""Convolution by patches: kernel-sized pieces of the images, times the kernel as a matrix."""

import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from flaxnets.layers.convolving.chunks import in_chunks
from flaxnets.layers.convolving.geometry import Geometry
from flaxnets.layers.convolving.groups import by_blocks
from flaxnets.layers.convolving.tiles import is_tiled, tiled
from flaxnets.layers.floating import single

# Patches are nine times the size of their images for a 3 x 3 kernel. In chunks of images whose
# patches take this many bytes they stay in the cache, and a large batch needs no more memory than a
# small one.
CACHE = 6 * 2**20


def by_patches(images: jax.Array, kernel: jax.Array, geometry: Geometry) -> jax.Array:
    """(N, H, W, C) with (h, w, C / groups, C'); a loop over chunks for each block of groups."""
    return by_blocks(_convolved, images, kernel, geometry)


def _convolved(images: jax.Array, kernel: jax.Array, geometry: Geometry) -> jax.Array:
    if is_tiled(kernel.shape[:2], geometry):
        images, kernel, geometry = tiled(images, kernel, geometry)
    height, width = geometry.places(images, kernel.shape)
    h, w, channels, _ = kernel.shape
    size = height * width * h * w * channels * images.dtype.itemsize  # of an image's patches
    # In single precision at least, so that the chunks' gradients of it are added up in that.
    kernel = kernel.astype(single(kernel.dtype))

    # Taking the patches again in the backward pass is cheaper than keeping those of a whole batch.
    @functools.partial(jax.checkpoint, prevent_cse=False)
    def convolve(chunk: jax.Array) -> jax.Array:
        chunk = geometry.padded(chunk)
        return _convolve(chunk, kernel.astype(chunk.dtype), geometry.within())

    return in_chunks(convolve, images, CACHE // max(size, 1))


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _convolve(images: jax.Array, kernel: jax.Array, geometry: Geometry) -> jax.Array:
    """By patches as wide as the kernel and one row high: for 3 x 3 a third of the copies.

    The rows of the kernel are added after the product. With a stride it would be taken of rows that
    no place begins at.
    """
    h, w, _, features = kernel.shape
    exact = single(images.dtype)
    if geometry.stride[0] > 1 or h == 1:
        patches = image_patches(images, (h, w), geometry)
        matrix = kernel.reshape(-1, features)
        return jnp.matmul(patches, matrix, preferred_element_type=exact).astype(images.dtype)
    matrix = kernel.transpose(1, 2, 0, 3).reshape(-1, h * features)
    patches = image_patches(images, (1, w), geometry)
    products = jnp.matmul(patches, matrix, preferred_element_type=exact)
    height, _ = geometry.places(images, (h, w))
    rows = enumerate(jnp.split(products, h, axis=-1))
    starts = ((i * geometry.dilation[0], row) for i, row in rows)
    added = functools.reduce(jnp.add, (row[:, i : i + height] for i, row in starts))
    return added.astype(images.dtype)


@functools.partial(_convolve.defjvp, symbolic_zeros=True)
def _derivative(
    geometry: Geometry, primals: tuple[Any, Any], tangents: tuple[Any, Any]
) -> tuple[jax.Array, Any]:
    """By whole patches: adding them back to the images is faster than from their rows."""
    (images, kernel), (d_images, d_kernel) = primals, tangents

    def product(images: jax.Array, kernel: jax.Array) -> jax.Array:
        patches = image_patches(images, kernel.shape[:2], geometry)
        found: jax.Array = _product.bind(patches, kernel.reshape(-1, kernel.shape[-1]))
        return found

    terms = []
    if not isinstance(d_images, SymbolicZero):
        terms.append(product(d_images, kernel))
    if not isinstance(d_kernel, SymbolicZero):
        terms.append(product(images, d_kernel))
    return _convolve(images, kernel, geometry), functools.reduce(jnp.add, terms)


def _times(patches: jax.Array, matrix: jax.Array) -> jax.Array:
    return patches @ matrix


def _matrix_gradient(ct: jax.Array, patches: jax.Array, _: object) -> jax.Array:
    places = tuple(range(ct.ndim - 1))
    return lax.dot_general(patches, ct, ((places, places), ((), ())))


# ``patches @ matrix`` as a primitive of its own, for the sake of one of its derivatives: JAX takes
# the matrix's gradient as ct' @ patches and transposes it, which a CPU computes more slowly than
# patches' @ ct, by a tenth of the CNN's training step (benchmarks/LOG.md).
_product = Primitive("patches_times_matrix")
_product.def_impl(jax.jit(_times))
_product.def_abstract_eval(lambda p, m: p.update(shape=(*p.shape[:-1], m.shape[-1])))
mlir.register_lowering(_product, mlir.lower_fun(_times, multiple_results=False))
ad.defbilinear(_product, lambda ct, _, m: _product.bind(ct, m.T), _matrix_gradient)
batching.primitive_batchers[_product] = lambda args, axes: (jax.vmap(_times, axes)(*args), 0)


def image_patches(images: jax.Array, size: tuple[int, ...], geometry: Geometry) -> jax.Array:
    """(N, H, W, C) -> (N, rows, columns, h * w * C): the patch under the kernel at each place."""
    places = geometry.places(images, size)
    offsets = itertools.product(*map(range, size))
    return jnp.concatenate([geometry.window(images, i, j, places) for i, j in offsets], axis=-1)

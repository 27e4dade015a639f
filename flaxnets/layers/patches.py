"""How a 2-D convolution is computed on each platform.

Both implementations give the same values and gradients up to rounding:

- ``lax``: XLA's own convolution. On a GPU that is cuDNN, and the right call.
- ``patches``: the kernel-sized patches of the images, gathered into a matrix, times the kernel
  as a matrix. On a CPU XLA's convolution takes seconds inside a compiled loop where this takes
  milliseconds (jax-ml/jax#12868).
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

# Patches are nine times the size of their images for a 3 x 3 kernel. In chunks of this many images
# they stay in the cache, and a large batch needs no more memory than a small one.
CHUNK = 8


def conv2d(
    images: jax.Array,
    kernel: jax.Array,
    strides: tuple[int, int] = (1, 1),
    implementation: str | None = None,
) -> jax.Array:
    """The 2-D cross-correlation that ``torch.nn.functional.conv2d`` computes, channels last.

    Args:
        images: (N, H, W, C_in), any floating dtype.
        kernel: (h, w, C_in, C_out), the same dtype.
        strides: steps along the height and the width. Nothing is padded.
        implementation: ``"lax"`` or ``"patches"``. By default the one that is faster on the
            platform of JAX's default device.

    Returns:
        (N, (H - h) // strides[0] + 1, (W - w) // strides[1] + 1, C_out), the dtype of ``images``.

    Raises:
        ValueError: for an unknown implementation.
        TypeError, ValueError: from JAX, for most arrays of other shapes.
    """
    name = implementation or ("patches" if _platform() == "cpu" else "lax")
    if name not in IMPLEMENTATIONS:
        raise ValueError(f"implementation {name!r} is not one of {sorted(IMPLEMENTATIONS)}")
    return IMPLEMENTATIONS[name](images, kernel, strides)


def _platform() -> str:
    # None, a Device, or the name of a platform
    device = getattr(jax.config, "jax_default_device", None)
    return getattr(device, "platform", device) or jax.default_backend()


def _lax(images: jax.Array, kernel: jax.Array, strides: tuple[int, int]) -> jax.Array:
    layouts = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(images, kernel, strides, "VALID", dimension_numbers=layouts)


def _patches(images: jax.Array, kernel: jax.Array, strides: tuple[int, int]) -> jax.Array:
    # In single precision at least, so that the chunks' gradients of it are added up in that.
    kernel = kernel.astype(jnp.promote_types(kernel.dtype, jnp.float32))

    # Taking the patches again in the backward pass is cheaper than keeping those of a whole batch.
    @functools.partial(jax.checkpoint, prevent_cse=False)
    def convolve(chunk: jax.Array) -> jax.Array:
        return _convolve(chunk, kernel.astype(chunk.dtype), strides)

    n = len(images)
    if n <= CHUNK:
        convolved: jax.Array = convolve(images)
        return convolved
    filled = jnp.pad(images, [(0, -n % CHUNK)] + [(0, 0)] * 3)
    if jax.device_count() == 1:
        outputs: jax.Array = lax.map(convolve, filled.reshape(-1, CHUNK, *images.shape[1:]))
    else:
        # Where devices share the batch, a chunk has images from all over it: each device has its
        # own part of every chunk, and none has to ask another.
        chunks = filled.reshape(CHUNK, -1, *images.shape[1:]).swapaxes(0, 1)
        outputs = lax.map(convolve, chunks).swapaxes(0, 1)
    return outputs.reshape(-1, *outputs.shape[2:])[:n]


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _convolve(images: jax.Array, kernel: jax.Array, strides: tuple[int, int]) -> jax.Array:
    """By patches as wide as the kernel and one row high: a third of the copies.

    The rows of the kernel are added after the product.
    """
    h, w, _, features = kernel.shape
    matrix = kernel.transpose(1, 2, 0, 3).reshape(-1, h * features)
    patches = _image_patches(images, (1, w), (1, strides[1]))
    exact = jnp.promote_types(images.dtype, jnp.float32)
    products = jnp.matmul(patches, matrix, preferred_element_type=exact)
    span = (images.shape[1] - h) // strides[0] * strides[0] + 1
    rows = enumerate(jnp.split(products, h, axis=-1))
    added = functools.reduce(jnp.add, (row[:, i : i + span : strides[0]] for i, row in rows))
    return added.astype(images.dtype)


@functools.partial(_convolve.defjvp, symbolic_zeros=True)
def _derivative(
    strides: tuple[int, int], primals: tuple[Any, Any], tangents: tuple[Any, Any]
) -> tuple[jax.Array, Any]:
    """By whole patches: adding them back to the images is faster than from their rows."""
    (images, kernel), (d_images, d_kernel) = primals, tangents

    def product(images: jax.Array, kernel: jax.Array) -> jax.Array:
        patches = _image_patches(images, kernel.shape[:2], strides)
        found: jax.Array = _product.bind(patches, kernel.reshape(-1, kernel.shape[-1]))
        return found

    terms = []
    if not isinstance(d_images, SymbolicZero):
        terms.append(product(d_images, kernel))
    if not isinstance(d_kernel, SymbolicZero):
        terms.append(product(images, d_kernel))
    return _convolve(images, kernel, strides), functools.reduce(jnp.add, terms)


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


def _image_patches(images: jax.Array, size: tuple[int, ...], strides: tuple[int, int]) -> jax.Array:
    """(N, H, W, C) -> (N, rows, columns, h * w * C): the patch under the kernel at each place."""
    spans = [(n - k) // s * s + 1 for n, k, s in zip(images.shape[1:], size, strides, strict=False)]
    slices = [
        images[:, i : i + spans[0] : strides[0], j : j + spans[1] : strides[1]]
        for i, j in itertools.product(*map(range, size))
    ]
    return jnp.concatenate(slices, axis=-1)


IMPLEMENTATIONS: dict[str, Callable[..., jax.Array]] = {"lax": _lax, "patches": _patches}

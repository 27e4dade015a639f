"""Mean and variance, and what norms do with them: in single precision at least."""

import math
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from flaxnets.layers.floating import floating, single
from flaxnets.layers.parameters import BIAS

SCALE = ("params", "scale")


def moments(x: jax.Array, axes: Sequence[int]) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The mean along axes, what ``x`` differs from it, and the biased variance.

    Mean and variance keep the axes, with size 1. The variance is taken in a second pass: that of
    one, E[x^2] - E[x]^2, is 0.1 off in float32 where the mean is 1000.
    """
    if 0 in x.shape:  # which are no numbers of nothing
        shape = [1 if i in axes else size for i, size in enumerate(x.shape)]
        return jnp.zeros(shape, x.dtype), x, jnp.zeros(shape, x.dtype)
    # The sum of thousands of large numbers is rounded; that of what they differ from it is small,
    # and says by how much the mean was off.
    about = lax.stop_gradient(jnp.mean(x, axes, keepdims=True))
    x = x - about
    mean = jnp.mean(x, axes, keepdims=True)
    x = x - mean
    return about + mean, x, jnp.mean(jnp.square(x), axes, keepdims=True)


def unbiased(variance: jax.Array, n: Any) -> jax.Array:
    """That of n values, of which there may be a symbolic number."""
    count = jnp.asarray(n).astype(variance.dtype)
    return variance * (count / (count - 1))


def scaled(
    x: jax.Array, weight: jax.Array | None, bias: jax.Array | None, axes: int = 1
) -> jax.Array:
    """x * weight + bias along its last axes, of its dtype.

    Raises ValueError for a weight or bias of another shape, which would be broadcast.
    """

    def along(name: str, array: jax.Array) -> jax.Array:
        sizes = x.shape[x.ndim - axes :]
        if array.shape != sizes:
            raise ValueError(f"{name} must be shaped {sizes}, got {array.shape}")
        return jnp.asarray(array, x.dtype).reshape((1,) * (x.ndim - axes) + sizes)

    x = x if weight is None else x * along("weight", weight)
    return x if bias is None else x + along("bias", bias)


def affine(
    layer: Any, shape: tuple[int, ...], has_weight: bool, has_bias: bool
) -> tuple[jax.Array | None, jax.Array | None]:
    """A weight, which begins as ones, and a bias, as zeros: those that there are."""
    ones, zeros = nn.initializers.ones, nn.initializers.zeros
    weight = layer.param("scale", ones, shape, layer.param_dtype) if has_weight else None
    bias = layer.param("bias", zeros, shape, layer.param_dtype) if has_bias else None
    return weight, bias


def in_its_precision(
    layer: Any, x: jax.Array, weight: jax.Array | None, bias: jax.Array | None
) -> tuple[jax.Array, Any]:
    """The input in the dtype that is computed in, and the dtype of the output.

    That is the layer's, or that of the input and the parameters together, float32 at least. A layer
    without parameters gives back the input's.

    Raises ValueError if the input is not floating.
    """
    x, held = (
        floating(type(layer).__name__, x),
        [array for array in (weight, bias) if array is not None],
    )
    with jax.numpy_dtype_promotion("standard"):
        together = single(jnp.result_type(x, *held))
    dtype = layer.dtype or (together if held else x.dtype)
    return x.astype(single(dtype)), dtype


def weight_and_bias(has_weight: bool, has_bias: bool) -> dict[str, tuple[str, ...]]:
    """torch's names, and where they lie here."""
    held = {"weight": SCALE} if has_weight else {}
    return {**held, "bias": BIAS} if has_bias else {**held}


def is_single(sizes: Sequence[Any]) -> bool:
    """Whether axes of such sizes, which may be symbolic, hold one value."""
    return bool(math.prod(sizes) == 1)

"""A kernel and a bias: their names, initial distribution and dtypes."""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

KERNEL, BIAS = ("params", "kernel"), ("params", "bias")


def weighted(
    layer: Any, x: jax.Array, shape: tuple[int, ...]
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The input, the kernel of this shape and the bias, in the dtype of the computation."""
    init = uniform(math.prod(shape[:-1]))
    arrays = [x, layer.param("kernel", init, shape, layer.param_dtype)]
    if layer.use_bias:
        arrays.append(layer.param("bias", init, shape[-1:], layer.param_dtype))
    # What is only stored in half precision is still computed in single.
    dtype = layer.dtype or jnp.promote_types(jnp.result_type(*arrays), jnp.float32)
    x, kernel, *bias = (jnp.asarray(array, dtype) for array in arrays)
    return x, kernel, bias[0] if bias else jnp.zeros((), dtype)


def uniform(fan_in: int) -> nn.initializers.Initializer:
    """Uniform in +-1/sqrt(fan_in): what torch's ``reset_parameters`` comes to.

    ``kaiming_uniform_(weight, a=sqrt(5))`` has this bound, and the bias is drawn with it too.
    """
    bound = 1 / math.sqrt(fan_in)

    def init(key: jax.Array, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init


def check_last_axis(layer: nn.Module, x: jax.Array, size: int) -> None:
    """Raise ValueError if the last axis of a layer's input has another size."""
    if x.shape[-1] != size:
        raise ValueError(f"{layer} takes a last axis of {size}, got an input of shape {x.shape}")

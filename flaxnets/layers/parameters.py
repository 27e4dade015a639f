"""A kernel and a bias: their names, sizes and initial distribution."""

import math
import operator
from collections.abc import Iterator
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from flaxnets.layers.base import Tensor
from flaxnets.layers.floating import in_one_dtype

KERNEL, BIAS = ("params", "kernel"), ("params", "bias")


def weighted(
    layer: Any, x: jax.Array, shape: tuple[int, ...], fan_in: int | None = None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The input, the kernel of this shape and the bias, in the dtype of the computation."""
    init = uniform(fan_in or math.prod(shape[:-1]))
    arrays = [x, layer.param("kernel", init, shape, layer.param_dtype)]
    if layer.use_bias:
        arrays.append(layer.param("bias", init, shape[-1:], layer.param_dtype))
    x, kernel, *bias = in_one_dtype(layer, *arrays)
    return x, kernel, bias[0] if bias else jnp.zeros((), x.dtype)


def mapped(x: jax.Array, kernel: jax.Array, bias: jax.Array | None) -> jax.Array:
    """x @ kernel + bias, (..., in) -> (..., out)."""
    out = x @ kernel
    return out if bias is None else out + bias.reshape(*(1 for _ in out.shape[1:]), -1)


def matrix(
    name: str, leaf: str, shape: tuple[int, int], flattened_from: tuple[int, ...] | None = None
) -> Tensor:
    """A weight that torch has (out, in) and that lies (in, out) here.

    Where the input is a flattening of maps as they lie, its rows lie in their order.
    """
    outputs, inputs = shape
    path, ours = ("params", leaf), (inputs, outputs)
    if not flattened_from:
        return Tensor(name, path, shape, ours, (1, 0))
    *places, channels = flattened_from
    view = (outputs, channels, *places)
    return Tensor(name, path, shape, ours, (*range(2, len(view)), 1, 0), view)


def vectors(
    n: int, paths: dict[str, tuple[str, ...]], flattened: tuple[int, ...] | None = None
) -> Iterator[Tensor]:
    """Of n features each, by torch's names: of maps that are ``flattened`` as they lie, if so."""
    for name, path in paths.items():
        if flattened:
            *places, channels = flattened
            axes = (*range(1, len(flattened)), 0)
            yield Tensor(name, path, (n,), (n,), axes, (channels, *places))
        else:
            yield Tensor(name, path, (n,), (n,))


def uniform(fan_in: int) -> nn.initializers.Initializer:
    """Uniform in +-1/sqrt(fan_in): what torch's ``reset_parameters`` comes to.

    ``kaiming_uniform_(weight, a=sqrt(5))`` has this bound, and the bias is drawn with it too.
    """
    bound = 1 / math.sqrt(fan_in) if fan_in else 0.0

    def init(key: jax.Array, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init


def check_sizes(layer: Any, *names: str) -> None:
    """Raise ValueError for sizes of these names that are negative. torch takes 0."""
    for name in names:
        if operator.index(size := getattr(layer, name)) < 0:
            raise ValueError(f"{type(layer).__name__}: {name} must not be negative, got {size}")


def check_last_axis(layer: nn.Module, x: jax.Array, size: int) -> None:
    """Raise ValueError if the last axis of a layer's input has another size."""
    if x.shape[-1:] != (size,):
        raise ValueError(f"{layer} takes a last axis of {size}, got an input of shape {x.shape}")

"""What functions of floating numbers are computed in."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from flaxnets.layers.parameters import in_one_dtype

Function = TypeVar("Function", bound=Callable[..., jax.Array])


def in_single(function: Function) -> Function:
    """A function of x that computes in float32 at least, and gives back the dtype of x.

    torch does so with what is stored in half precision.

    Raises ValueError when called, if x is not floating.
    """

    @functools.wraps(function)
    def wide(x: jax.Array, *args: Any, **kwargs: Any) -> jax.Array:
        x = floating(function.__name__, x)
        (wider,) = in_one_dtype(None, x)
        return function(wider, *args, **kwargs).astype(x.dtype)

    return cast(Function, wide)


def floating(name: str, x: jax.Array) -> jax.Array:
    """The array. Raises ValueError if it is not floating."""
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"{name} takes floating numbers, got {x.dtype}: x.astype(float) first")
    return x


def single(dtype: DTypeLike) -> DTypeLike:
    """A floating dtype, or float32 in place of what has fewer bits.

    ``jnp.promote_types`` refuses bfloat16 where JAX is to promote nothing unasked.
    """
    return dtype if jnp.dtype(dtype).itemsize >= 4 else jnp.float32

"""What functions of floating numbers are computed in."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp

from flaxnets.layers.parameters import single

Function = TypeVar("Function", bound=Callable[..., jax.Array])


def in_single(function: Function) -> Function:
    """A function of x that computes in float32 at least, and gives back the dtype of x.

    torch does so with what is stored in half precision.

    Raises ValueError when called, if x is not floating.
    """

    @functools.wraps(function)
    def wide(x: jax.Array, *args: Any, **kwargs: Any) -> jax.Array:
        x, dtype = widened(function.__name__, x)
        return function(x, *args, **kwargs).astype(dtype)

    return cast(Function, wide)


def widened(name: str, x: jax.Array) -> tuple[jax.Array, Any]:
    """The array in float32 at least, and the dtype that it came in.

    Raises ValueError if it is not floating.
    """
    x = floating(name, x)
    return x.astype(single(x.dtype)), x.dtype


def floating(name: str, x: jax.Array) -> jax.Array:
    """The array. Raises ValueError if it is not floating."""
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"{name} takes floating numbers, got {x.dtype}: x.astype(float) first")
    return x

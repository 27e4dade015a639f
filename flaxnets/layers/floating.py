"""What dtypes are taken, and what is computed in."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

Function = TypeVar("Function", bound=Callable[..., jax.Array])


def single(dtype: DTypeLike) -> Any:
    """A floating dtype of 32 bits or more as it is, float32 in place of any other.

    What is only stored in half precision is still computed in single.
    """
    is_wide = jnp.issubdtype(dtype, jnp.inexact) and jnp.dtype(dtype).itemsize >= 4
    return jnp.dtype(dtype if is_wide else jnp.float32)


def in_one_dtype(layer: Any, *arrays: jax.Array) -> list[jax.Array]:
    """Arrays in the dtype of a layer's computation: by default theirs together, float32 at least.

    Raises ValueError for one that is not floating.
    """
    arrays = tuple(floating(type(layer).__name__, array) for array in arrays)
    if (dtype := layer.dtype) is None:
        with jax.numpy_dtype_promotion("standard"):
            dtype = single(jnp.result_type(*arrays))
    return [array.astype(dtype) for array in arrays]


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
        raise ValueError(
            f"{name} takes floating numbers, got {x.dtype}: x.astype(float) first, or embed indices"
        )
    return x


def real(name: str, x: jax.Array) -> jax.Array:
    """The array. Raises ValueError if it is bool or complex."""
    x = jnp.asarray(x)
    if x.dtype == bool or jnp.issubdtype(x.dtype, jnp.complexfloating):
        raise ValueError(f"{name} takes real numbers, got {x.dtype}")
    return x

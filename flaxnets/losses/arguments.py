"""What losses are given, checked and of one dtype; and how what they find is reduced."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

REDUCTIONS = ("none", "mean", "sum")


def alike(name: str, input: ArrayLike, target: ArrayLike) -> tuple[jax.Array, jax.Array, Any]:
    """Two floating arrays of one shape, single at least, and the dtype of the loss.

    Raises TypeError for other dtypes, and ValueError for other shapes: they would be broadcast.
    """
    x, y = jnp.asarray(input), jnp.asarray(target)
    for what, array in (("input", x), ("target", y)):
        check_floating(name, what, array)
    if x.shape != y.shape:
        raise ValueError(
            f"{name}: input {x.shape} and target {y.shape} must have the same shape: reshape one"
        )
    dtype = jnp.promote_types(x.dtype, y.dtype)
    wide = at_least_single(dtype)
    return x.astype(wide), y.astype(wide), dtype


def check_floating(name: str, what: str, array: jax.Array) -> None:
    """Raise TypeError for another dtype."""
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(f"{name}: {what} must be floating, got {array.dtype}: convert it")


def at_least_single(dtype: Any) -> Any:
    """Of the computation, where what comes in and goes out is of this floating dtype."""
    return jnp.dtype(jnp.float32) if jnp.dtype(dtype).itemsize < 4 else dtype


def check_reduction(name: str, reduction: str, known: Sequence[str] = REDUCTIONS) -> None:
    """Raise ValueError for an unknown one."""
    if reduction not in known:
        raise ValueError(f"{name}: reduction {reduction!r} is not one of {', '.join(known)}")


def reduced(losses: jax.Array, reduction: str, weights: jax.Array | None = None) -> jax.Array:
    """All of them, their sum, or their mean: by the sum of ``weights``, if there are some."""
    if reduction == "none":
        return losses
    if reduction == "sum":
        return jnp.sum(losses)
    return jnp.mean(losses) if weights is None else jnp.sum(losses) / jnp.sum(weights)


def same_weight(name: str, weight: ArrayLike | None, losses: jax.Array) -> jax.Array | None:
    """A weight for each loss. Raises ValueError for another shape."""
    if weight is None:
        return None
    array = jnp.asarray(weight)
    if array.shape != losses.shape:
        raise ValueError(f"{name}: weight must be shaped as input, {losses.shape}: {array.shape}")
    return array.astype(losses.dtype)


def broadcast_weight(name: str, what: str, weight: ArrayLike, losses: jax.Array) -> jax.Array:
    """A weight for each loss, or for each place of the last axis, broadcast.

    Raises ValueError for what is neither: (C, 1, 1), for one, has channels elsewhere than here.
    """
    array, shape = jnp.asarray(weight), losses.shape
    fits = array.ndim in (0, 1, len(shape)) and array.ndim <= len(shape)
    if array.ndim and fits:
        sizes = zip(array.shape, shape[len(shape) - array.ndim :], strict=True)
        fits = all(size in (1, whole) for size, whole in sizes)
    if not fits:
        raise ValueError(
            f"{name}: {what} {array.shape} must have a number, one for each place of the last axis "
            f"of input, or as many axes as it, {shape}"
        )
    return jnp.broadcast_to(array, shape).astype(losses.dtype)


def known_of(holds: jax.Array) -> bool | None:
    """Whether something holds of all elements; None of what is being traced."""
    return None if isinstance(holds, jax.core.Tracer) else bool(jnp.all(holds))

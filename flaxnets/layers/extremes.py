"""The largest and the smallest along an axis, and where they are."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Extreme(NamedTuple):
    """What ``max`` and ``min`` give: as torch calls them."""

    values: jax.Array
    indices: jax.Array


def max(x: jax.Array, axis: int, keepdims: bool = False) -> Extreme:
    """``torch.max`` along an axis: (..., A, ...) -> values and indices, (..., ...).

    Where several are the largest, the first has all of the gradient, as in torch, which
    ``jax.numpy.max`` shares among them. A NaN is the largest.

    Args:
        x: of any dtype of real numbers.
        axis: an axis of the array as it lies.
        keepdims: whether it stays, of size 1.

    Returns:
        Values of the dtype of ``x``, and indices, whole numbers.

    Raises:
        ValueError: for an axis that ``x`` has not, or that is empty.
    """
    return _at(x, jnp.argmax(x, axis, keepdims=True), axis, keepdims)


def min(x: jax.Array, axis: int, keepdims: bool = False) -> Extreme:
    """``torch.min`` along an axis: (..., A, ...) -> values and indices, (..., ...).

    Args:
        x, axis, keepdims: as ``max`` takes them.

    Returns:
        Values of the dtype of ``x``, and indices, whole numbers.

    Raises:
        ValueError: for an axis that ``x`` has not, or that is empty.
    """
    return _at(x, jnp.argmin(x, axis, keepdims=True), axis, keepdims)


def _at(x: jax.Array, places: jax.Array, axis: int, keepdims: bool) -> Extreme:
    values = jnp.take_along_axis(x, places, axis)
    if keepdims:
        return Extreme(values, places)
    return Extreme(values.squeeze(axis), places.squeeze(axis))

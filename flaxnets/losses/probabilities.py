"""Losses of probabilities."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jax.typing import ArrayLike

from flaxnets.losses.arguments import (
    REDUCTIONS,
    alike,
    broadcast_weight,
    check_reduction,
    known_of,
    reduced,
)

LEAST = -100.0  # torch's least logarithm of a probability
# The derivative divides by p (1 - p), which torch takes for this where it is less.
VARIANCE = float(np.float32(1e-12))


def binary_cross_entropy(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    reduction: str = "mean",
) -> jax.Array:
    """``torch.nn.functional.binary_cross_entropy``: -y log p - (1 - y) log (1 - p).

    As in torch a logarithm is -100 at least, and the derivative, (p - y) / (p (1 - p)), has 1e-12
    for a denominator that is less.

    Args:
        input: probabilities p, (N, ...), of any floating dtype.
        target: those that are wanted, y, of the same shape, floating too.
        weight: a factor of each loss, broadcast: a number, (C,) for each place of the last axis, or
            as many axes as ``input`` has, of its sizes or 1. The mean is over the number of losses.
        reduction: ``"mean"``, ``"sum"``, or ``"none"``.

    Returns:
        A scalar, or with ``"none"`` the shape of ``input``, of the dtype of both together. NaN is
        the loss of what is not in 0 to 1, in an array that is traced, as under ``jax.jit``.

    Raises:
        ValueError: for an unknown reduction, shapes that do not fit, and, unless they are traced,
            values that are not in 0 to 1.
        TypeError: for dtypes that are not floating.
    """
    name = "binary_cross_entropy"
    check_reduction(name, reduction)
    x, y, dtype = alike(name, input, target)
    for what, array in (("input", x), ("target", y)):
        inside = (array >= 0) & (array <= 1)
        if known_of(inside) is False:
            raise ValueError(f"{name}: {what} must be in 0 to 1, got {array[~inside].ravel()[0]}")
    losses = _binary(x, y)
    if known_of(x * y) is None:
        losses *= jnp.where((x >= 0) & (x <= 1) & (y >= 0) & (y <= 1), 1, jnp.nan).astype(x.dtype)
    if weight is not None:
        losses *= broadcast_weight(name, "weight", weight, losses)
    return reduced(losses, reduction).astype(dtype)


@jax.custom_jvp
def _binary(x: jax.Array, y: jax.Array) -> jax.Array:
    log = _clamped(jnp.log(jnp.where(x > 0, x, 1)), x > 0)
    log_rest = _clamped(jnp.log1p(-jnp.where(x < 1, x, 0)), x < 1)
    return -(y * log + (1 - y) * log_rest)


@functools.partial(_binary.defjvp, symbolic_zeros=True)
def _derivative(primals: Any, tangents: Any) -> tuple[jax.Array, Any]:
    (x, y), (dx, dy) = primals, tangents
    slope = jnp.zeros_like(x)
    if not isinstance(dx, SymbolicZero):
        slope += dx * ((x - y) / jnp.maximum(x * (1 - x), VARIANCE))
    if not isinstance(dy, SymbolicZero):
        slope -= dy * (jnp.log(x) - jnp.log1p(-x))
    return _binary(x, y), slope


def _clamped(log: jax.Array, is_finite: jax.Array) -> jax.Array:
    return jnp.where(is_finite, jnp.maximum(log, LEAST), LEAST)


def binary_cross_entropy_with_logits(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    reduction: str = "mean",
    pos_weight: ArrayLike | None = None,
) -> jax.Array:
    """``torch.nn.functional.binary_cross_entropy_with_logits``: that of sigmoid(input).

    Args:
        input: logits, (N, ...), of any floating dtype.
        target: probabilities, of the same shape, floating too.
        weight: a factor of each loss, broadcast: a number, (C,) for each place of the last axis, or
            as many axes as ``input`` has, of its sizes or 1. The mean is over the number of losses.
        reduction: ``"mean"``, ``"sum"``, or ``"none"``.
        pos_weight: a factor of what is lost where the target is 1, broadcast as ``weight``: (C,)
            for maps (N, H, W, C), where torch has (C, 1, 1).

    Returns:
        A scalar, or with ``"none"`` the shape of ``input``, of the dtype of both together.

    Raises:
        ValueError: for an unknown reduction, or shapes that do not fit.
        TypeError: for dtypes that are not floating.
    """
    name = "binary_cross_entropy_with_logits"
    check_reduction(name, reduction)
    x, y, dtype = alike(name, input, target)
    log = jax.nn.log_sigmoid(x)
    if pos_weight is not None:
        log *= 1 + (broadcast_weight(name, "pos_weight", pos_weight, x) - 1) * y
    losses = (1 - y) * x - log
    if weight is not None:
        losses *= broadcast_weight(name, "weight", weight, losses)
    return reduced(losses, reduction).astype(dtype)


def kl_div(
    input: ArrayLike, target: ArrayLike, *, reduction: str = "mean", log_target: bool = False
) -> jax.Array:
    """``torch.nn.functional.kl_div``: target (log target - input), of each element.

    The derivative by a target of 0 is -input, which is finite; torch's is NaN.

    Args:
        input: log-probabilities, (N, ...), of any floating dtype.
        target: probabilities, of the same shape, floating too.
        reduction: ``"mean"``, over all elements, ``"batchmean"``, the sum of each example's
            and the mean over these, ``"sum"``, or ``"none"``.
        log_target: whether ``target`` has logarithms of probabilities.

    Returns:
        A scalar, or with ``"none"`` the shape of ``input``, of the dtype of both together.

    Raises:
        ValueError: for an unknown reduction, or another shape of the target, which torch
            broadcasts.
        TypeError: for dtypes that are not floating.
    """
    check_reduction("kl_div", reduction, (*REDUCTIONS, "batchmean"))
    x, y, dtype = alike("kl_div", input, target)
    losses = jnp.exp(y) * (y - x) if log_target else _entropy(y) - y * x
    if reduction == "batchmean":
        examples = jnp.sum(losses, axis=tuple(range(1, losses.ndim)))
        return reduced(examples, "mean").astype(dtype)
    return reduced(losses, reduction).astype(dtype)


def _entropy(y: jax.Array) -> jax.Array:
    """y log y, 0 at 0."""
    return y * jnp.log(jnp.where(y == 0, 1, y))

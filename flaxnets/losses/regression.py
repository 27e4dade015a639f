"""Losses of numbers: how far they are from those that are wanted."""

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from flaxnets.losses.arguments import alike, check_reduction, reduced, same_weight


def mse_loss(
    input: ArrayLike,
    target: ArrayLike,
    *,
    reduction: str = "mean",
    weight: ArrayLike | None = None,
) -> jax.Array:
    """``torch.nn.functional.mse_loss``: (input - target)², as ``optax.squared_error`` has it.

    Args:
        input: (N, ...), of any floating dtype.
        target: the same shape, floating too.
        reduction: ``"mean"``, ``"sum"``, or ``"none"``.
        weight: a factor of each loss, of their shape. The mean is divided by the sum of them.

    Returns:
        A scalar, or with ``"none"`` the shape of ``input``, of the dtype of both together.

    Raises:
        ValueError: for an unknown reduction, or another shape of the target, which torch broadcasts
            with a warning, or of the weight.
        TypeError: for dtypes that are not floating.
    """
    check_reduction("mse_loss", reduction)
    x, y, dtype = alike("mse_loss", input, target)
    weights = same_weight("mse_loss", weight, x)
    return _weighted(optax.squared_error(x, y), reduction, weights).astype(dtype)


def l1_loss(
    input: ArrayLike,
    target: ArrayLike,
    *,
    reduction: str = "mean",
    weight: ArrayLike | None = None,
) -> jax.Array:
    """``torch.nn.functional.l1_loss``: abs(input - target), with the derivative 0 at 0.

    Args:
        input: (N, ...), of any floating dtype.
        target: the same shape, floating too.
        reduction: ``"mean"``, ``"sum"``, or ``"none"``.
        weight: a factor of each loss, of their shape. The mean is divided by the sum of them.

    Returns:
        A scalar, or with ``"none"`` the shape of ``input``, of the dtype of both together.

    Raises: as ``mse_loss`` does.
    """
    check_reduction("l1_loss", reduction)
    x, y, dtype = alike("l1_loss", input, target)
    weights = same_weight("l1_loss", weight, x)
    return _weighted(_absolute(x - y), reduction, weights).astype(dtype)


def smooth_l1_loss(
    input: ArrayLike, target: ArrayLike, *, reduction: str = "mean", beta: float = 1.0
) -> jax.Array:
    """``torch.nn.functional.smooth_l1_loss``: (input - target)² / (2 beta) where that is small.

    And abs(input - target) - beta / 2 from ``beta`` on: ``huber_loss`` divided by ``beta``.

    Args:
        input: (N, ...), of any floating dtype.
        target: the same shape, floating too.
        reduction: ``"mean"``, ``"sum"``, or ``"none"``.
        beta: where the one becomes the other; with 0 it is ``l1_loss``.

    Returns:
        A scalar, or with ``"none"`` the shape of ``input``, of the dtype of both together.

    Raises: as ``mse_loss`` does, and ValueError for a negative ``beta``.
    """
    check_reduction("smooth_l1_loss", reduction)
    if beta < 0:
        raise ValueError(f"smooth_l1_loss: beta must be 0 or more, got {beta}")
    x, y, dtype = alike("smooth_l1_loss", input, target)
    near, square, size = _bent(x - y, beta)
    losses = jnp.where(near, square / beta, size - beta / 2) if beta else size
    return reduced(losses, reduction).astype(dtype)


def huber_loss(
    input: ArrayLike,
    target: ArrayLike,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: ArrayLike | None = None,
) -> jax.Array:
    """``torch.nn.functional.huber_loss``: (input - target)² / 2 where that is small.

    And delta (abs(input - target) - delta / 2) from ``delta`` on. ``optax.huber_loss`` has these
    values, but its derivative loses the digits that ``delta`` has more than the difference.

    Args:
        input: (N, ...), of any floating dtype.
        target: the same shape, floating too.
        reduction: ``"mean"``, ``"sum"``, or ``"none"``.
        delta: where the one becomes the other.
        weight: a factor of each loss, of their shape. The mean is divided by their number, as in
            torch, which has the sum of the weights there in ``mse_loss``.

    Returns:
        A scalar, or with ``"none"`` the shape of ``input``, of the dtype of both together.

    Raises: as ``mse_loss`` does, and ValueError for a ``delta`` that is not positive.
    """
    check_reduction("huber_loss", reduction)
    if not delta > 0:
        raise ValueError(f"huber_loss: delta must be above 0, got {delta}")
    x, y, dtype = alike("huber_loss", input, target)
    near, square, size = _bent(x - y, delta)
    losses = jnp.where(near, square, delta * (size - delta / 2))
    weights = same_weight("huber_loss", weight, x)
    return reduced(losses if weights is None else losses * weights, reduction).astype(dtype)


def _weighted(losses: jax.Array, reduction: str, weights: jax.Array | None) -> jax.Array:
    return reduced(losses if weights is None else losses * weights, reduction, weights)


def _bent(x: jax.Array, bend: float) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Where x is below ``bend``, half its square there, and its size from there on."""
    size = _absolute(x)
    near = size < bend
    # 0 and ``bend`` elsewhere: the branch that is not taken must be finite, and its slope too.
    return near, jnp.square(jnp.where(near, x, 0)) / 2, jnp.where(near, bend, size)


def _absolute(x: jax.Array) -> jax.Array:
    return x * jnp.sign(x)  # abs has the derivative 1 at 0 in JAX

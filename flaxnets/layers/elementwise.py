"""Functions of elements and of vectors that torch has for tensors, with its derivatives at kinks.

``jnp.clip`` has a half for the derivative at the bounds, ``jnp.abs`` one at 0, and a vector of
zeros has none by ``jnp.linalg.norm``.
"""

import jax
import jax.numpy as jnp

from flaxnets.layers.floating import in_single, real


def clamp(x: jax.Array, min: float | None = None, max: float | None = None) -> jax.Array:
    """``torch.clamp``: x within bounds, with slope 1 at them.

    Args:
        x: (...,), of a dtype of real numbers.
        min, max: the bounds, one of which may be left out. If ``min`` is above ``max``, all is
            ``max``.

    Returns:
        (...,), of the dtype of ``x``; of a floating one, if a bound is one.

    Raises:
        ValueError: if there are no bounds, or if ``x`` is bool or complex.
    """
    x = real("clamp", x)
    if min is None and max is None:
        raise ValueError("clamp: say min, max or both")
    x = x if min is None else jnp.where(x < min, min, x)
    return x if max is None else jnp.where(x > max, max, x)


def absolute(x: jax.Array) -> jax.Array:
    """``torch.abs``: the distance from 0, with slope 0 there.

    Args:
        x: (...,), of a dtype of real numbers.

    Returns:
        (...,), of the dtype of ``x``.

    Raises:
        ValueError: if ``x`` is bool or complex.
    """
    x = real("absolute", x)
    return x * jnp.sign(x)


@in_single
def normalize(x: jax.Array, p: float = 2.0, axis: int = -1, eps: float = 1e-12) -> jax.Array:
    """``torch.nn.functional.normalize``: vectors divided by their norm, which is ``eps`` at least.

    The slope of the norm of a vector of zeros is 0. torch's ``dim`` is ``axis`` here, by default
    the last one, where channels are; torch's is 1, where it has them.

    Args:
        x: (..., C), of a floating dtype.
        p: of the norm, (sum of abs(x) ** p) ** (1 / p); ``inf`` for the largest.
        axis: that vectors lie along.
        eps: what they are divided by at least.

    Returns:
        (..., C), of the dtype of ``x``; computed in float32 at least.

    Raises:
        ValueError: if ``p`` is not above 0, or ``x`` is not floating.
    """
    return x / clamp(_norm(x, p, axis), min=eps)


def _norm(x: jax.Array, p: float, axis: int) -> jax.Array:
    if not p > 0:
        raise ValueError(f"normalize: p must be above 0, got {p}")
    sizes = absolute(x)
    if p == float("inf"):
        return jnp.max(sizes, axis, keepdims=True)
    if p == 1:
        return jnp.sum(sizes, axis, keepdims=True)
    sums = jnp.sum(_power(sizes, p), axis, keepdims=True)
    return _power(sums, 1 / p)


def _power(x: jax.Array, p: float) -> jax.Array:
    """Of numbers from 0 on, with slope 0 there."""
    base = jnp.where(x == 0, 1, x)
    return jnp.where(x == 0, 0, jnp.sqrt(base) if p == 0.5 else base**p)

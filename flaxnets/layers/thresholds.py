"""Activations that put another value in place of what lies on one side of a threshold."""

import jax
import jax.numpy as jnp

from flaxnets.layers.activation import printed
from flaxnets.layers.base import Module
from flaxnets.layers.floating import floating, in_single


class Threshold(Module):
    """``torch.nn.Threshold``: see ``threshold``. (...,) -> (...,) of the input's floating dtype.

    Attributes:
        threshold, value: as in ``threshold``.
        inplace: is only printed.

    Raises: as ``threshold`` does, when called.
    """

    threshold: float
    value: float
    inplace: bool = False

    def __call__(self, x: jax.Array) -> jax.Array:
        return threshold(x, self.threshold, self.value)

    def extra_repr(self) -> str:
        return printed(self.inplace, f"threshold={self.threshold}, value={self.value}")


class Hardshrink(Module):
    """``torch.nn.Hardshrink``: see ``hardshrink``. (...,) -> (...,) of the input's floating dtype.

    Attributes:
        lambd: as in ``hardshrink``.

    Raises: as ``hardshrink`` does, when called.
    """

    lambd: float = 0.5

    def __call__(self, x: jax.Array) -> jax.Array:
        return hardshrink(x, self.lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class Softshrink(Module):
    """``torch.nn.Softshrink``: see ``softshrink``. (...,) -> (...,) of the input's floating dtype.

    Attributes:
        lambd: as in ``softshrink``.

    Raises: as ``softshrink`` does, when called.
    """

    lambd: float = 0.5

    def __call__(self, x: jax.Array) -> jax.Array:
        return softshrink(x, self.lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


@in_single
def threshold(x: jax.Array, threshold: float, value: float) -> jax.Array:
    """``torch.nn.functional.threshold``: x, and ``value`` where x is not above the threshold.

    Args:
        x: (...,), of a floating dtype.
        threshold: what x must be above.
        value: what stands there otherwise.

    Returns:
        (...,), of the dtype of ``x``.

    Raises:
        ValueError: if ``x`` is not floating.
    """
    return jnp.where(x <= threshold, value, x)


def hardshrink(x: jax.Array, lambd: float = 0.5) -> jax.Array:
    """``torch.nn.functional.hardshrink``: x, and 0 where x is in [-lambd, lambd].

    Args:
        x: (...,), of a floating dtype.
        lambd: how far from 0.

    Returns:
        (...,), of the dtype of ``x``.

    Raises:
        ValueError: if ``x`` is not floating.
    """
    x = floating("hardshrink", x)  # torch compares in the dtype of x
    return jnp.where((x >= -lambd) & (x <= lambd), 0, x)


@in_single
def softshrink(x: jax.Array, lambd: float = 0.5) -> jax.Array:
    """``torch.nn.functional.softshrink``: x nearer to 0 by lambd, 0 if it is that near.

    Args:
        x: (...,), of a floating dtype.
        lambd: how far, not below 0.

    Returns:
        (...,), of the dtype of ``x``.

    Raises:
        ValueError: if ``lambd`` is below 0, or if ``x`` is not floating.
    """
    if lambd < 0:
        raise ValueError(f"softshrink: lambd must not be below 0, got {lambd}")
    return jnp.where((x >= -lambd) & (x <= lambd), 0, x - jnp.sign(x) * lambd)

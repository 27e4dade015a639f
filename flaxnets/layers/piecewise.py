"""Activations of straight pieces, with torch's derivatives where these meet.

``jax.nn.relu6``, ``hard_sigmoid`` and ``hard_swish`` have those too; ``jax.nn.leaky_relu`` and
``hard_tanh`` have others.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from flaxnets.layers.activation import printed
from flaxnets.layers.base import Module
from flaxnets.layers.floating import in_single


class ReLU6(Module):
    """``torch.nn.ReLU6``: x within [0, 6], (...,) -> (...,) of the input's floating dtype.

    Attributes:
        inplace: is only printed, here as below.

    Raises:
        ValueError: when called, if the input is not floating.
    """

    inplace: bool = False

    def __call__(self, x: jax.Array) -> jax.Array:
        return hardtanh(x, 0.0, 6.0)

    def extra_repr(self) -> str:
        return printed(self.inplace)


class Hardtanh(Module):
    """``torch.nn.Hardtanh``: see ``hardtanh``. (...,) -> (...,) of the input's floating dtype.

    torch's deprecated names of the bounds, ``min_value`` and ``max_value``, are not taken.

    Attributes:
        min_val, max_val: the bounds.
        inplace: is only printed.

    Raises:
        ValueError: when made, if ``max_val`` is not above ``min_val``; when called, as
            ``hardtanh`` does.
    """

    min_val: float = -1.0
    max_val: float = 1.0
    inplace: bool = False

    def __post_init__(self) -> None:
        if self.max_val <= self.min_val:
            raise ValueError(
                f"Hardtanh: max_val ({self.max_val}) must be above min_val ({self.min_val})"
            )
        super().__post_init__()

    def __call__(self, x: jax.Array) -> jax.Array:
        return hardtanh(x, self.min_val, self.max_val)

    def extra_repr(self) -> str:
        return printed(self.inplace, f"min_val={self.min_val}, max_val={self.max_val}")


class Hardsigmoid(Module):
    """``torch.nn.Hardsigmoid``: x / 6 + 1 / 2 within [0, 1].

    (...,) -> (...,) of the input's floating dtype. torch's own gradient takes 1 / 6 in float32, in
    float64 too, where it is 3e-8 off.

    Attributes:
        inplace: is nothing here, and torch does not print it.

    Raises: as ``ReLU6`` does.
    """

    inplace: bool = False

    def __call__(self, x: jax.Array) -> jax.Array:
        return in_single(nn.hard_sigmoid)(x)


class Hardswish(Module):
    """``torch.nn.Hardswish``: x times its ``Hardsigmoid``.

    (...,) -> (...,) of the input's floating dtype.

    Attributes:
        inplace: is nothing here, and torch does not print it.

    Raises: as ``ReLU6`` does.
    """

    inplace: bool = False

    def __call__(self, x: jax.Array) -> jax.Array:
        return in_single(nn.hard_swish)(x)


class LeakyReLU(Module):
    """``torch.nn.LeakyReLU``: see ``leaky_relu``. (...,) -> (...,) of the input's floating dtype.

    Attributes:
        negative_slope: the slope where x is not above 0.
        inplace: is only printed.

    Raises: as ``leaky_relu`` does, when called.
    """

    negative_slope: float = 1e-2
    inplace: bool = False

    def __call__(self, x: jax.Array) -> jax.Array:
        return leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:
        return printed(self.inplace, f"negative_slope={self.negative_slope}")


class RReLU(Module):
    """``torch.nn.RReLU`` in evaluation: ``leaky_relu`` with the mean of two slopes.

    (...,) -> (...,) of the input's floating dtype. In training torch draws each element's slope.

    Attributes:
        lower, upper: the slopes between which torch draws in training.
        inplace: is only printed.

    Raises:
        ValueError: when made, if ``lower`` is above ``upper``; when called, in training, or if
            the input is not floating.
    """

    lower: float = 1 / 8
    upper: float = 1 / 3
    inplace: bool = False

    def __post_init__(self) -> None:
        if self.lower > self.upper:
            raise ValueError(f"RReLU: lower ({self.lower}) must not be above upper ({self.upper})")
        super().__post_init__()

    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        if train:
            raise ValueError(
                f"{self}: in training torch draws its slopes, which is not done here: train with "
                "LeakyReLU or PReLU"
            )
        return leaky_relu(x, (self.lower + self.upper) / 2)

    def extra_repr(self) -> str:
        return printed(self.inplace, f"lower={self.lower}, upper={self.upper}")


@in_single
def hardtanh(x: jax.Array, min_val: float = -1.0, max_val: float = 1.0) -> jax.Array:
    """``torch.nn.functional.hardtanh``: x within bounds, with slope 0 at them.

    Args:
        x: (...,), of a floating dtype.
        min_val, max_val: the bounds.

    Returns:
        (...,), of the dtype of ``x``.

    Raises:
        ValueError: if ``min_val`` is above ``max_val``, or if ``x`` is not floating.
    """
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val ({min_val}) must not be above max_val ({max_val})")
    return jnp.where(x <= min_val, min_val, jnp.where(x >= max_val, max_val, x))


@in_single
def leaky_relu(x: jax.Array, negative_slope: float = 0.01) -> jax.Array:
    """``torch.nn.functional.leaky_relu``: x, and negative_slope x where x is not above 0.

    At 0 the slope is ``negative_slope``; that of ``jax.nn.leaky_relu`` is 1.

    Args:
        x: (...,), of a floating dtype.
        negative_slope: the slope where x is not above 0.

    Returns:
        (...,), of the dtype of ``x``.

    Raises:
        ValueError: if ``x`` is not floating.
    """
    return jnp.where(x > 0, x, negative_slope * x)

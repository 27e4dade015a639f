"""Smooth activations, and ReLU.

These of ``jax.nn`` are torch's as they are, in their values, tails, and derivatives at kinks:
``relu``, ``relu6``, ``sigmoid``, ``silu``, ``mish``, ``elu``, ``selu``, ``celu``, ``hard_swish``,
``hard_sigmoid``, ``log_sigmoid``, ``soft_sign``, ``softmax``, ``log_softmax`` and ``glu`` (and
``jnp.tanh``). Here are those of ``torch.nn.functional`` that differ: there ``gelu`` is exact by
default, and ``softplus`` has a threshold.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from flaxnets.layers.base import Module
from flaxnets.layers.floating import in_single, real


def printed(inplace: bool, *before: str) -> str:
    """torch names ``inplace`` where it is set only."""
    return ", ".join([*before, *["inplace=True"] * inplace])


class ReLU(Module):
    """``torch.nn.ReLU``: max(x, 0), (...,) -> (...,) of any shape and of the input's dtype.

    Attributes:
        inplace: is only printed, here as below: no array is changed.

    Raises:
        ValueError: when called, if the input is bool or complex.
    """

    inplace: bool = False

    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.relu(real("ReLU", x))

    def extra_repr(self) -> str:
        return printed(self.inplace)


class Sigmoid(Module):
    """``torch.nn.Sigmoid``: 1 / (1 + exp(-x)), (...,) -> (...,) of the input's floating dtype.

    Raises:
        ValueError: when called, if the input is not floating.
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        return in_single(nn.sigmoid)(x)


class LogSigmoid(Module):
    """``torch.nn.LogSigmoid``: the logarithm of ``Sigmoid``, without its underflow.

    (...,) -> (...,) of the input's floating dtype.

    Raises: as ``Sigmoid`` does.
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        return in_single(nn.log_sigmoid)(x)


class Tanh(Module):
    """``torch.nn.Tanh``, (...,) -> (...,) of the input's floating dtype.

    Raises: as ``Sigmoid`` does.
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        return in_single(nn.tanh)(x)


class Tanhshrink(Module):
    """``torch.nn.Tanhshrink``: x - tanh(x), (...,) -> (...,) of the input's floating dtype.

    Raises: as ``Sigmoid`` does.
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        return x - in_single(nn.tanh)(x)


class Softsign(Module):
    """``torch.nn.Softsign``: ``x / (1 + |x|)``, (...,) -> (...,) of the input's floating dtype.

    Raises: as ``Sigmoid`` does.
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        return in_single(nn.soft_sign)(x)


class SiLU(Module):
    """``torch.nn.SiLU``: x * sigmoid(x), (...,) -> (...,) of the input's floating dtype.

    Attributes:
        inplace: as in ``ReLU``.

    Raises: as ``Sigmoid`` does.
    """

    inplace: bool = False

    def __call__(self, x: jax.Array) -> jax.Array:
        return in_single(nn.silu)(x)

    def extra_repr(self) -> str:
        return printed(self.inplace)


class Mish(Module):
    """``torch.nn.Mish``: x * tanh(softplus(x)), (...,) -> (...,) of the input's floating dtype.

    Attributes:
        inplace: as in ``ReLU``.

    Raises: as ``Sigmoid`` does.
    """

    inplace: bool = False

    def __call__(self, x: jax.Array) -> jax.Array:
        return in_single(jax.nn.mish)(x)

    def extra_repr(self) -> str:
        return printed(self.inplace)


class GELU(Module):
    """``torch.nn.GELU``: see ``gelu``. (...,) -> (...,) of the input's floating dtype.

    Attributes:
        approximate: "none" or "tanh".

    Raises:
        ValueError: when made, for another ``approximate``; when called, if the input is not
            floating.
    """

    approximate: str = "none"

    def __post_init__(self) -> None:
        _check_approximation(self.approximate)
        super().__post_init__()

    def __call__(self, x: jax.Array) -> jax.Array:
        return gelu(x, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class Softplus(Module):
    """``torch.nn.Softplus``: see ``softplus``. (...,) -> (...,) of the input's floating dtype.

    Attributes:
        beta, threshold: as in ``softplus``.

    Raises: as ``softplus`` does, when called.
    """

    beta: float = 1.0
    threshold: float = 20.0

    def __call__(self, x: jax.Array) -> jax.Array:
        return softplus(x, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


@in_single
def gelu(x: jax.Array, approximate: str = "none") -> jax.Array:
    """``torch.nn.functional.gelu``: x times the normal distribution's share below x.

    It is exact by default, where ``jax.nn.gelu`` is approximate.

    Args:
        x: (...,), of a floating dtype.
        approximate: "none", or "tanh" for the formula with tanh, which is up to 4.7e-4 off.

    Returns:
        (...,), of the dtype of ``x``.

    Raises:
        ValueError: for another ``approximate``, or if ``x`` is not floating.
    """
    _check_approximation(approximate)
    return jax.nn.gelu(x, approximate=approximate == "tanh")


def _check_approximation(approximate: str) -> None:
    if approximate not in ("none", "tanh"):
        raise ValueError(f'gelu takes approximate="none" or "tanh", got {approximate!r}')


@in_single
def softplus(x: jax.Array, beta: float = 1.0, threshold: float = 20.0) -> jax.Array:
    """``torch.nn.functional.softplus``: log(1 + exp(beta x)) / beta, and x if beta x is large.

    Args:
        x: (...,), of a floating dtype.
        beta: how sharp it bends.
        threshold: of beta x, above which it is x.

    Returns:
        (...,), of the dtype of ``x``.

    Raises:
        ValueError: if ``x`` is not floating.
    """
    return jnp.where(x * beta > threshold, x, nn.softplus(x * beta) / beta)

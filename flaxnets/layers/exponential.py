"""Activations that are straight above 0 and bend to a constant below it."""

import flax.linen as nn
import jax

from flaxnets.layers.activation import printed
from flaxnets.layers.base import Module
from flaxnets.layers.floating import in_single


class ELU(Module):
    """``torch.nn.ELU``: x, and alpha (exp(x) - 1) where x is not above 0, with slope alpha at 0.

    (...,) -> (...,) of the input's floating dtype.

    Attributes:
        alpha: what it comes to, negated, far below 0.
        inplace: is only printed.

    Raises:
        ValueError: when called, if the input is not floating.
    """

    alpha: float = 1.0
    inplace: bool = False

    def __call__(self, x: jax.Array) -> jax.Array:
        return in_single(nn.elu)(x, self.alpha)

    def extra_repr(self) -> str:
        return printed(self.inplace, f"alpha={self.alpha}")


class CELU(Module):
    """``torch.nn.CELU``: x, and alpha (exp(x / alpha) - 1) where x is not above 0.

    (...,) -> (...,) of the input's floating dtype.

    Attributes:
        alpha: what it comes to, negated, far below 0.
        inplace: is only printed.

    Raises:
        ValueError: when called, if ``alpha`` is 0, or if the input is not floating.
    """

    alpha: float = 1.0
    inplace: bool = False

    def __call__(self, x: jax.Array) -> jax.Array:
        if self.alpha == 0:
            raise ValueError(f"{self}: alpha cannot be 0")
        return in_single(nn.celu)(x, self.alpha)

    def extra_repr(self) -> str:
        return printed(self.inplace, f"alpha={self.alpha}")


class SELU(Module):
    """``torch.nn.SELU``: an ``ELU``, scaled so that mean 0 and variance 1 are kept.

    (...,) -> (...,) of the input's floating dtype.

    Attributes:
        inplace: is only printed.

    Raises: as ``ELU`` does.
    """

    inplace: bool = False

    def __call__(self, x: jax.Array) -> jax.Array:
        return in_single(nn.selu)(x)

    def extra_repr(self) -> str:
        return printed(self.inplace)

"""Activations."""

import flax.linen as nn
import jax

from flaxnets.layers.base import Module


class ReLU(Module):
    """``torch.nn.ReLU``: max(x, 0), (...,) -> (...,) of any shape and of the input's dtype."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.relu(x)


class Softmax(Module):
    """``torch.nn.Softmax``: exp(x) normalised to sum to one along the axis ``dim``.

    (...,) -> (...,) of any shape and of the input's dtype, if that is floating.

    Attributes:
        dim: the axis of the array as it lies here, where channels are last; the last one by
            default, where torch asks for one.

    Raises:
        ValueError: when called, if the input has no such axis, or for axis 1 of maps (N, H, W, C):
            it has torch's channels there, but here the height.
    """

    dim: int = -1

    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.softmax(x, axis=self.axis(x))

    def axis(self, x: jax.Array) -> int:
        """``dim``, where it means the same here as in torch."""
        if x.ndim == 4 and self.dim in (1, -3):
            raise ValueError(
                f"{self}: of (N, H, W, C) axis {self.dim} is the height, where torch "
                "has the channels; they are dim=-1 here"
            )
        return self.dim

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """``torch.nn.LogSoftmax``: the logarithm of ``Softmax``, without its underflow.

    (...,) -> (...,) of any shape and of the input's dtype, if that is floating.

    Attributes:
        dim: the axis, as in ``Softmax``.

    Raises: as ``Softmax`` does.
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.log_softmax(x, axis=self.axis(x))

"""Activations along an axis."""

from typing import ClassVar

import flax.linen as nn
import jax

from flaxnets.layers.base import Module
from flaxnets.layers.floating import in_single


class Softmax(Module):
    """``torch.nn.Softmax``: exp(x) normalised to sum to one along the axis ``dim``.

    (...,) -> (...,) of any shape and of the input's floating dtype.

    Attributes:
        dim: the axis of the array as it lies here, where channels are last; the last one by
            default, where torch guesses one with a warning.

    Raises:
        ValueError: when made, if ``dim`` is None; when called, if the input is not floating or has
            no such axis, or for axis 1 of maps (N, H, W, C): it has torch's channels there, but
            here the height.
    """

    dim: int = -1

    def __post_init__(self) -> None:
        if self.dim is None:
            raise ValueError(f"{type(self).__name__}: say the axis, dim=None lets torch guess it")
        super().__post_init__()

    def __call__(self, x: jax.Array) -> jax.Array:
        return in_single(nn.softmax)(x, axis=axis(self, x, self.dim))

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """``torch.nn.LogSoftmax``: the logarithm of ``Softmax``, without its underflow.

    (...,) -> (...,) of any shape and of the input's floating dtype.

    Attributes:
        dim: the axis, as in ``Softmax``.

    Raises: as ``Softmax`` does.
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        return in_single(nn.log_softmax)(x, axis=axis(self, x, self.dim))


class Softmin(Softmax):
    """``torch.nn.Softmin``: the ``Softmax`` of -x.

    (...,) -> (...,) of any shape and of the input's floating dtype.

    Attributes:
        dim: the axis, as in ``Softmax``.

    Raises: as ``Softmax`` does.
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(-x)


class Softmax2d(Module):
    """``torch.nn.Softmax2d``: ``Softmax`` over the channels, (N, H, W, C) -> (N, H, W, C).

    The dtype is floating, and stays.

    Raises:
        ValueError: when called, if the input has not four axes or is not floating.
    """

    makes_maps: ClassVar[bool] = True

    def __call__(self, x: jax.Array) -> jax.Array:
        if x.ndim != 4:
            raise ValueError(f"Softmax2d takes (N, H, W, C), got {x.shape}")
        return in_single(nn.softmax)(x)


class GLU(Module):
    """``torch.nn.GLU``: the first half along an axis, times the sigmoid of the second.

    (..., 2 D) -> (..., D) of the input's floating dtype; another axis likewise.

    Attributes:
        dim: the axis of the array as it lies here, where channels are last.

    Raises:
        ValueError: when called, if the size of that axis is odd, or as ``Softmax`` does.
    """

    dim: int = -1

    def __call__(self, x: jax.Array) -> jax.Array:
        dim = axis(self, x, self.dim)
        if x.shape[dim] % 2:
            raise ValueError(f"{self} halves axis {dim}, which must be even, got {x.shape}")
        return in_single(nn.glu)(x, dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


def axis(layer: Module, x: jax.Array, dim: int) -> int:
    """``dim``, where the input has that axis, and it means the same here as in torch."""
    if not -x.ndim <= dim < x.ndim:
        raise ValueError(f"{layer}: there is no axis {dim} in an input of shape {x.shape}")
    if x.ndim == 4 and dim in (1, -3):
        raise ValueError(
            f"{layer}: of (N, H, W, C) axis {dim} is the height, where torch "
            "has the channels; they are dim=-1 here"
        )
    return dim

"""Activations along an axis."""

from typing import Any, ClassVar

import flax.linen as nn
import jax

from flaxnets.layers.base import Module
from flaxnets.layers.floating import in_single


class _Along(Module):
    """What counts an axis, as torch's or as it lies here."""

    dim: int = -1
    of_maps: bool | None = None

    def __post_init__(self: Any) -> None:
        self.counts_axes = self.of_maps is None and self.dim != 0  # that of examples is the first
        super().__post_init__()

    def axis(self, x: jax.Array) -> int:
        """The axis of an input as it lies here, from 0 on."""
        if not -x.ndim <= self.dim < x.ndim:
            raise ValueError(f"{self}: there is no axis {self.dim} in an input of shape {x.shape}")
        dim = self.dim % x.ndim
        if self.of_maps is None and x.ndim == 4 and dim:
            raise ValueError(
                f"{self}: it is not clear which axis of {x.shape} is meant: say of_maps=True if "
                "these are maps and dim is torch's of (N, C, H, W), False if it is theirs as they "
                "lie"
            )
        if not self.of_maps or x.ndim < 3 or dim == 0:
            return dim
        return x.ndim - 1 if dim == 1 else dim - 1

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(_Along):
    """``torch.nn.Softmax``: exp(x) normalised to sum to one along the axis ``dim``.

    (...,) -> (...,) of any shape and of the input's floating dtype.

    Attributes:
        dim: the axis; the last one by default, where torch guesses one with a warning.
        of_maps: whether inputs of three axes or more are maps, channels last here and second in
            torch: True, and ``dim`` counts their axes as torch has them, 1 for the channels; False,
            and it counts the axes of the array as it lies, which are torch's if it is no maps, but
            a sequence (N, T, E) or scores of attention. It is to be said of four axes, and of three
            that are maps in a network; the others are counted as they lie.

    Raises:
        ValueError: when made, if ``dim`` is None; when called, if the input is not floating or has
            no such axis, or if ``of_maps`` is to be said and is not.
    """

    def __post_init__(self) -> None:
        if self.dim is None:
            raise ValueError(f"{type(self).__name__}: say the axis, dim=None lets torch guess it")
        super().__post_init__()

    def __call__(self, x: jax.Array) -> jax.Array:
        return in_single(nn.softmax)(x, axis=self.axis(x))


class LogSoftmax(Softmax):
    """``torch.nn.LogSoftmax``: the logarithm of ``Softmax``, without its underflow.

    (...,) -> (...,) of any shape and of the input's floating dtype.

    Attributes:
        dim, of_maps: the axis, as in ``Softmax``.

    Raises: as ``Softmax`` does.
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        return in_single(nn.log_softmax)(x, axis=self.axis(x))


class Softmin(Softmax):
    """``torch.nn.Softmin``: the ``Softmax`` of -x.

    (...,) -> (...,) of any shape and of the input's floating dtype.

    Attributes:
        dim, of_maps: the axis, as in ``Softmax``.

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


class GLU(_Along):
    """``torch.nn.GLU``: the first half along an axis, times the sigmoid of the second.

    (..., 2 D) -> (..., D) of the input's floating dtype; another axis likewise.

    Attributes:
        dim, of_maps: the axis, as in ``Softmax``.

    Raises:
        ValueError: when called, if the size of that axis is odd, or as ``Softmax`` does.
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        dim = self.axis(x)
        if x.shape[dim] % 2:
            raise ValueError(f"{self} halves axis {dim}, which must be even, got {x.shape}")
        return in_single(nn.glu)(x, dim)

"""Dropouts of elements and of channels."""

import math
from typing import ClassVar

import jax
import jax.numpy as jnp

from flaxnets.layers.masks import Dropping


class Dropout(Dropping):
    """``torch.nn.Dropout``: zeroes elements with probability p, scales the others by 1/(1 - p).

    Called with an input (...,) of a floating dtype and ``train``, it returns the same shape and
    dtype; without ``train`` the input as it is.

    The mask is True where an element is kept. It is taken from the variable collection ``masks``
    where that holds one for this layer, as ``keep``, or ``keep_1``, ``keep_2``, ... for its further
    calls; where not, it is drawn with the ``dropout`` key. To record what was drawn, and to replay
    it::

        out, drawn = model.apply(variables, x, train=True, rngs={"dropout": key}, mutable=["masks"])
        out = model.apply({**variables, **drawn}, x, train=True)

    Attributes:
        p: the probability of an element to be zeroed.
        inplace: is only printed: no array is changed.

    Raises:
        ValueError: when made, if ``p`` is not in [0, 1]; when called, if a mask has another shape
            than the input asks for, or if an input that is to be scaled is not floating.
        flax.errors.InvalidRngError: if a mask is to be drawn and there is no ``dropout`` key.
    """

    p: float = 0.5
    inplace: bool = False

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout1d(Dropout):
    """``torch.nn.Dropout1d``: drops whole channels of (N, L, C), with a mask (N, 1, C).

    Dtypes are floating, as in ``Dropout``.

    Attributes:
        p, inplace: as in ``Dropout``, of a channel.

    Raises: as ``Dropout`` does, and ValueError when called with any other number of axes.
    """

    makes_maps: ClassVar[bool] = True

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the mask for an input of this shape."""
        if len(shape) != 3:
            raise ValueError(f"Dropout1d takes (N, L, C), got {shape}")
        return _of_channels(shape)


class Dropout2d(Dropout):
    """``torch.nn.Dropout2d``: drops whole channels of (N, H, W, C), with a mask (N, 1, 1, C).

    On a 2-D input, (N, D), it drops single elements, as torch does with a warning that this is
    deprecated: the tutorials' CNN does it before its last layer. Dtypes are floating, as in
    ``Dropout``.

    Attributes:
        p, inplace: as in ``Dropout``, of a channel.

    Raises: as ``Dropout`` does, and ValueError when called with any other number of axes.
    """

    makes_maps: ClassVar[bool] = True

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the mask for an input of this shape."""
        if len(shape) not in (2, 4):
            raise ValueError(f"Dropout2d takes (N, H, W, C) or (N, D), got {shape}")
        return _of_channels(shape)


def _of_channels(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[0], *(1 for _ in shape[1:-1]), shape[-1])


class AlphaDropout(Dropout):
    """``torch.nn.AlphaDropout``: puts SELU's lowest value in place of what it drops.

    What comes out is scaled and moved, so that mean 0 and variance 1 stay. (...,) -> (...,), of
    floating dtypes, as in ``Dropout``.

    Attributes:
        p, inplace: as in ``Dropout``.

    Raises: as ``Dropout`` does.
    """

    def dropped(self, x: jax.Array, keep: jax.Array) -> jax.Array:
        """The input, where ``keep``, of its dtype, is 1 or 0."""
        if self.p == 1:
            return x * jnp.zeros_like(keep)
        low, p = 1.7580993408473766, float(self.p)  # SELU's scale times its alpha
        scale = 1 / math.sqrt((low**2 * p + 1) * (1 - p))
        return x * (keep * scale) + ((keep - 1) * (low * scale) + low * scale * p)


class FeatureAlphaDropout(AlphaDropout):
    """``torch.nn.FeatureAlphaDropout``: ``AlphaDropout`` of whole channels, which are last here.

    (N, C), (N, L, C) or (N, H, W, C) -> the same, with masks (N, C), (N, 1, C) or (N, 1, 1, C).
    Dtypes are floating, as in ``Dropout``.

    Attributes:
        p, inplace: as in ``Dropout``, of a channel.

    Raises: as ``Dropout`` does, and ValueError when called with less than two axes.
    """

    makes_maps: ClassVar[bool] = True

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the mask for an input of this shape."""
        if len(shape) < 2:
            raise ValueError(f"FeatureAlphaDropout takes (N, ..., C), got {shape}")
        return _of_channels(shape)

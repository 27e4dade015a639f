"""Dropout, with masks that can be recorded and given."""

import jax
import jax.numpy as jnp

from flaxnets.layers.base import Module


class Dropout(Module):
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

    Raises:
        ValueError: when called, if ``p`` is not in [0, 1], or a mask has another shape than the
            input asks for.
        flax.errors.InvalidRngError: if a mask is to be drawn and there is no ``dropout`` key.
    """

    p: float = 0.5

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the mask for an input of this shape."""
        return shape

    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        if not 0 <= self.p <= 1:
            raise ValueError(f"dropout probability must be between 0 and 1, got {self.p}")
        if not train or self.p == 0:
            return x
        scale = 0 if self.p == 1 else 1 / (1 - self.p)
        return x * (self._mask(self.mask_shape(x.shape)) * jnp.asarray(scale, x.dtype))

    def _mask(self, shape: tuple[int, ...]) -> jax.Array:
        name = self._name_of_this_call()
        if self.has_variable("masks", name):
            mask: jax.Array = self.get_variable("masks", name)
            if mask.shape != shape:  # a smaller one would be broadcast without a word
                raise ValueError(f"{self.name}: the mask must be shaped {shape}, got {mask.shape}")
            return mask
        mask = jax.random.bernoulli(self.make_rng("dropout"), 1 - self.p, shape)
        if not self.is_initializing():  # else every later step would replay the first mask
            self.sow("masks", name, mask, reduce_fn=lambda _, new: new, init_fn=lambda: None)
        return mask

    def _name_of_this_call(self) -> str:
        """Of its mask. linen makes the module anew for each ``apply``."""
        calls = vars(self).get("_calls", 0)
        object.__setattr__(self, "_calls", calls + 1)
        return f"keep_{calls}" if calls else "keep"

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace=False"


class Dropout2d(Dropout):
    """``torch.nn.Dropout2d``: drops whole channels of (N, H, W, C), with a mask (N, 1, 1, C).

    On a 2-D input, (N, D), it drops single elements, as torch does with a warning that this is
    deprecated: the tutorials' CNN does it before its last layer. Dtypes are floating, as in
    ``Dropout``.

    Attributes:
        p: the probability of a channel to be zeroed.

    Raises: as ``Dropout`` does, and ValueError in training for any other number of axes.
    """

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the mask for an input of this shape."""
        if len(shape) not in (2, 4):
            raise ValueError(f"Dropout2d takes (N, H, W, C) or (N, D), got {shape}")
        return (shape[0], *(1 for _ in shape[1:-1]), shape[-1])

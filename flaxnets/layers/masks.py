"""Masks that are drawn, recorded and given: what dropouts have in common."""

import jax
import jax.numpy as jnp

from flaxnets.layers.base import Module
from flaxnets.layers.floating import floating


class Dropping(Module):
    """What draws, records and replays a mask a call."""

    p: float

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            name = type(self).__name__
            raise ValueError(f"{name}: the probability p must be between 0 and 1, got {self.p}")
        super().__post_init__()

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the mask for an input of this shape."""
        return shape

    def dropped(self, x: jax.Array, keep: jax.Array) -> jax.Array:
        """The input, where ``keep``, of its dtype, is 1 or 0."""
        return x * (keep * jnp.asarray(_inverse(1 - self.p), x.dtype))

    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        shape = self.mask_shape(x.shape)
        if not train or self.p == 0:
            return x
        if self.p < 1:  # what is scaled
            x = floating(type(self).__name__, x)
        return self.dropped(x, jnp.asarray(self._mask(shape), x.dtype))

    def _mask(self, shape: tuple[int, ...]) -> jax.Array:
        name = self._name_of_this_call()
        if self.has_variable("masks", name):
            mask: jax.Array = self.get_variable("masks", name)
            if mask.shape != shape:  # a smaller one would be broadcast without a word
                raise ValueError(f"{self.name}: the mask must be shaped {shape}, got {mask.shape}")
            return mask
        mask = jax.random.bernoulli(self.make_rng("dropout"), 1.0 - self.p, shape)
        if not self.is_initializing():  # else every later step would replay the first mask
            self.sow("masks", name, mask, reduce_fn=lambda _, new: new, init_fn=lambda: None)
        return mask

    def _name_of_this_call(self) -> str:
        """Of its mask. linen makes the module anew for each ``apply``."""
        calls = vars(self).get("_calls", 0)
        object.__setattr__(self, "_calls", calls + 1)
        return f"keep_{calls}" if calls else "keep"


def _inverse(share: float) -> float:
    return 1 / share if share else 0

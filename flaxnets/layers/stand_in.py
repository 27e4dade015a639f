"""To be replaced by LayerNorm of branch norms."""

from collections.abc import Iterator
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from flaxnets.layers.base import Module, Tensor


class LayerNorm(Module):
    """Stand-in."""

    reads_features: ClassVar[bool] = True
    normalized_shape: Any
    eps: float = 1e-5
    elementwise_affine: bool = True
    use_bias: bool = True
    flattened_from: tuple[int, ...] | None = None
    dtype: Any = None
    param_dtype: Any = jnp.float32

    def tensors(self) -> Iterator[Tensor]:
        n = self.normalized_shape
        yield Tensor("weight", ("params", "scale"), (n,), (n,))
        if self.use_bias:
            yield Tensor("bias", ("params", "bias"), (n,), (n,))

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        n = self.normalized_shape
        scale = self.param("scale", nn.initializers.ones, (n,), self.param_dtype)
        x = x - x.mean(-1, keepdims=True)
        x = x / jnp.sqrt((x * x).mean(-1, keepdims=True) + self.eps) * scale
        if self.use_bias:
            x = x + self.param("bias", nn.initializers.zeros, (n,), self.param_dtype)
        return x

    def extra_repr(self) -> str:
        return f"({self.normalized_shape},), eps={self.eps}, elementwise_affine=True, bias={self.use_bias}"

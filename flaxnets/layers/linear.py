"""Fully connected layers."""

from collections.abc import Iterator
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from flaxnets.layers.base import Module, Tensor
from flaxnets.layers.parameters import BIAS, KERNEL, check_last_axis, weighted


class Linear(Module):
    """``torch.nn.Linear``: x @ kernel + bias, (..., in_features) -> (..., out_features).

    Attributes:
        in_features, out_features: the sizes of the last axis before and after.
        use_bias: whether there is a bias.
        flattened_from: the (H, W, C) of the feature maps whose flattening is the input, if it is
            one. It changes nothing here; torch flattens in the order C, H, W, and ``interop``
            permutes the weights by it, so that no activation has to be transposed. Maps that are
            read without it as they lie are refused when the network is called; () says that
            whatever comes is in the order of torch's twin, or that there is none: it is taken, and
            ``interop`` permutes nothing.
        dtype: the dtype of the computation and of the output. By default that of the input and
            the parameters together, float32 at least.
        param_dtype: the dtype that parameters are created in, a floating one.

    Raises:
        ValueError: when called, if the last axis of the input is not ``in_features``, or, in a
            ``Module`` that is called by ``apply`` or ``init``, if it comes from maps that were
            flattened in another order than is said.
    """

    reads_features: ClassVar[bool] = True
    makes_features: ClassVar[bool] = True
    in_features: int
    out_features: int
    use_bias: bool = True
    flattened_from: tuple[int, ...] | None = None
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

    def tensors(self) -> Iterator[Tensor]:
        """``weight``, (out, in) in torch, and ``bias``."""
        shape = (self.out_features, self.in_features)
        if self.flattened_from:
            *places, channels = self.flattened_from
            view = (self.out_features, channels, *places)
            axes = (*range(2, len(view)), 1, 0)
            yield Tensor("weight", KERNEL, shape, (shape[1], shape[0]), axes, view)
        else:
            yield Tensor("weight", KERNEL, shape, (shape[1], shape[0]), (1, 0))
        if self.use_bias:
            yield Tensor("bias", BIAS, (self.out_features,), (self.out_features,))

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        check_last_axis(self, x, self.in_features)
        x, kernel, bias = weighted(self, x, (self.in_features, self.out_features))
        return x @ kernel + bias

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.use_bias}"
        )

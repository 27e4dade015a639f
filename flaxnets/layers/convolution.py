"""Convolutions."""

from collections.abc import Iterator
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from flaxnets.layers.base import Module, Tensor
from flaxnets.layers.parameters import BIAS, KERNEL, check_last_axis, weighted
from flaxnets.layers.patches import conv2d


class Conv2d(Module):
    """``torch.nn.Conv2d`` without padding, (N, H, W, in_channels) -> (N, H', W', out_channels).

    Attributes:
        in_channels, out_channels: the sizes of the last axis before and after.
        kernel_size, stride: one number for both height and width, or a pair.
        use_bias: whether there is a bias.
        implementation: how it is computed: see ``flaxnets.layers.conv2d``.
        dtype, param_dtype: as in ``Linear``.

    Raises:
        ValueError: when called, if the last axis of the input is not ``in_channels``, or for an
            unknown implementation.
    """

    makes_maps: ClassVar[bool] = True
    in_channels: int
    out_channels: int
    kernel_size: int | tuple[int, int]
    stride: int | tuple[int, int] = 1
    use_bias: bool = True
    implementation: str | None = None
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

    def tensors(self) -> Iterator[Tensor]:
        """``weight``, (out, in, height, width) in torch, and ``bias``."""
        ours = (*_pair(self.kernel_size), self.in_channels, self.out_channels)
        yield Tensor("weight", KERNEL, (*ours[:1:-1], *ours[:2]), ours, (2, 3, 1, 0))
        if self.use_bias:
            yield Tensor("bias", BIAS, ours[-1:], ours[-1:])

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        check_last_axis(self, x, self.in_channels)
        shape = (*_pair(self.kernel_size), self.in_channels, self.out_channels)
        x, kernel, bias = weighted(self, x, shape)
        return conv2d(x, kernel, _pair(self.stride), self.implementation) + bias

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={_pair(self.kernel_size)}, "
            f"stride={_pair(self.stride)}" + ("" if self.use_bias else ", bias=False")
        )


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size

"""Normalisation of groups of channels, and by neighbouring channels."""

from collections.abc import Iterator
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import DTypeLike

from flaxnets.layers.base import Module, Tensor
from flaxnets.layers.floating import widened
from flaxnets.layers.moments import (
    affine,
    in_its_precision,
    is_single,
    moments,
    scaled,
    weight_and_bias,
)
from flaxnets.layers.parameters import check_last_axis, check_sizes, vectors


class GroupNorm(Module):
    """``torch.nn.GroupNorm``: see ``group_norm``; (N, ..., num_channels) -> the same.

    Attributes:
        num_groups: how many groups the channels are taken in, which must divide them.
        num_channels: the size of the last axis.
        eps: added to the variance.
        affine: whether there are a weight (here ``scale``) and a bias.
        use_bias, dtype, param_dtype: as in ``BatchNorm1d``.

    Raises:
        ValueError: when made, if ``num_groups`` does not divide ``num_channels``; when called, for
            an input of another shape, as ``group_norm`` does, and for maps that were flattened in
            another order than torch's.
    """

    makes_maps: ClassVar[bool] = True
    reads_features: ClassVar[bool] = True
    num_groups: int
    num_channels: int
    eps: float = 1e-5
    affine: bool = True
    use_bias: bool = True
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

    def __post_init__(self) -> None:
        check_sizes(self, "num_channels")
        if self.num_groups < 1 or self.num_channels % self.num_groups:
            raise ValueError(
                f"num_channels ({self.num_channels}) must be divisible by num_groups "
                f"({self.num_groups})"
            )
        super().__post_init__()

    def tensors(self) -> Iterator[Tensor]:
        """``weight`` and ``bias``."""
        held = weight_and_bias(self.affine, self.affine and self.use_bias)
        yield from vectors(self.num_channels, held)

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        if self.affine:
            check_last_axis(self, x, self.num_channels)
        shape = (self.num_channels,)
        weight, bias = affine(self, shape, self.affine, self.affine and self.use_bias)
        x, dtype = in_its_precision(self, x, weight, bias)
        return group_norm(x, self.num_groups, weight, bias, self.eps).astype(dtype)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.affine and self.use_bias}"
        )


def group_norm(
    input: jax.Array,
    num_groups: int,
    weight: jax.Array | None = None,
    bias: jax.Array | None = None,
    eps: float = 1e-5,
) -> jax.Array:
    """``torch.nn.functional.group_norm``: each example's groups of channels normalised.

    Args:
        input: (N, ..., C), of a floating dtype; channels are last.
        num_groups: how many groups, each of C // num_groups channels that lie side by side.
        weight, bias: (C,) each, if there are some.
        eps: added to the variance.

    Returns:
        (N, ..., C), of the dtype of ``input``. Statistics are of float32 at least.

    Raises:
        ValueError: if the channels cannot be so divided, for one value, for a weight or bias of
            another shape, or if the input is not floating.
    """
    *places, channels = input.shape or (0,)
    if not places or num_groups < 1 or channels % num_groups:
        raise ValueError(
            f"group_norm takes (N, ..., C) whose C can be divided by num_groups={num_groups}, got "
            f"an input of shape {input.shape}"
        )
    if is_single((*places, channels // num_groups)):
        raise ValueError(f"Expected more than 1 value per channel, got a shape of {input.shape}")
    x, dtype = widened("group_norm", input)
    x = x.reshape(*places, num_groups, channels // num_groups)
    _, x, var = moments(x, (*range(1, len(places)), len(places) + 1))
    x = (x * lax.rsqrt(var + eps)).reshape(input.shape)
    return scaled(x, weight, bias).astype(dtype)


class LocalResponseNorm(Module):
    """``torch.nn.LocalResponseNorm``: see ``local_response_norm``.

    (N, L, C), (N, H, W, C) or (N, D, H, W, C) -> the same, of the input's dtype.

    Attributes:
        size: how many neighbouring channels are taken.
        alpha, beta, k: the factor, the exponent and the summand of their mean.

    Raises: as ``local_response_norm`` does, when called.
    """

    makes_maps: ClassVar[bool] = True
    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0

    def __call__(self, x: jax.Array) -> jax.Array:
        return local_response_norm(x, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


def local_response_norm(
    input: jax.Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> jax.Array:
    """``torch.nn.functional.local_response_norm``: input / (k + alpha * mean of squares) ** beta.

    Args:
        input: (N, ..., C) of three axes or more, of a floating dtype; channels are last.
        size: of how many channels around each the mean of squares is taken; beyond the first and
            the last there are zeros.
        alpha, beta, k: the numbers of the formula.

    Returns:
        (N, ..., C), of the dtype of ``input``; computed in float32 at least.

    Raises:
        ValueError: for an input of fewer axes, or a size below 1.
    """
    if input.ndim < 3 or size < 1:
        raise ValueError(
            f"local_response_norm takes (N, ..., C) of three axes or more and a size of at least "
            f"1, got an input of shape {input.shape} and size {size}"
        )
    x, dtype = widened("local_response_norm", input)
    window = (1,) * (x.ndim - 1) + (size,)
    padding = [(0, 0)] * (x.ndim - 1) + [(size // 2, (size - 1) // 2)]
    zero = np.zeros((), x.dtype)  # of NumPy: a number, which JAX knows for that of a sum
    sums = lax.reduce_window(x * x, zero, lax.add, window, (1,) * x.ndim, padding)
    return (x / jnp.power(sums / size * alpha + k, beta)).astype(dtype)

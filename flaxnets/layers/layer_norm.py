"""Normalisation over the last axes, or over whole maps."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

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
    moments,
    scaled,
    weight_and_bias,
)
from flaxnets.layers.parameters import vectors


class LayerNorm(Module):
    """``torch.nn.LayerNorm``: normalised over the last axes, (..., E) -> the same.

    Attributes:
        normalized_shape: torch's, a number or several: the sizes that are normalised over.
        eps: added to the variance.
        elementwise_affine: whether there are a weight (here ``scale``) and a bias.
        use_bias: whether there is a bias, if it is ``elementwise_affine``.
        of_maps: whether ``normalized_shape`` is that of whole feature maps, which lie channels last
            here: torch's (C, H, W) of an input (N, H, W, C), or (C, L) of (N, L, C); ``interop``
            permutes the weights then. False: the last axes of the array are as in torch, as of a
            sequence (N, T, E). By default three sizes are those of maps, and one, two or more than
            three are not. Two that are called with what comes from maps, as a network's input of
            four axes does, and say neither, are refused.
        flattened_from: the (H, W, C) of the feature maps whose flattening as they lie is the input,
            as in ``Linear``, for one size: ``interop`` permutes the weights by it.
        dtype: the dtype of the output; it is computed in float32 at least. By default that of the
            input and the parameters together, float32 at least, and the input's without parameters.
        param_dtype: the dtype that parameters are created in, a floating one.

    Raises:
        ValueError: when made, for no sizes or negative ones, ``of_maps=True`` with others than two
            or three, or ``flattened_from`` with several; when called, if the input has other sizes,
            is not floating, or comes from maps that lie in another order than is said.
    """

    reads_features: ClassVar[bool] = True
    normalized_shape: int | Sequence[int]
    eps: float = 1e-5
    elementwise_affine: bool = True
    use_bias: bool = True
    of_maps: bool | None = None
    flattened_from: tuple[int, ...] | None = None
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

    def __post_init__(self) -> None:
        _settle(self)
        super().__post_init__()

    def tensors(self) -> Iterator[Tensor]:
        """``weight`` and ``bias``."""
        has_bias = self.elementwise_affine and self.use_bias
        yield from _tensors(self, weight_and_bias(self.elementwise_affine, has_bias))

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        sizes = _check_sizes(self, x)
        has_bias = self.elementwise_affine and self.use_bias
        weight, bias = affine(self, sizes, self.elementwise_affine, has_bias)
        x, dtype = in_its_precision(self, x, weight, bias)
        return layer_norm(x, sizes, weight, bias, self.eps).astype(dtype)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, "
            f"bias={self.elementwise_affine and self.use_bias}"
        )


class RMSNorm(Module):
    """``torch.nn.RMSNorm``: divided by the root of the mean square, (..., E) -> the same.

    Attributes:
        normalized_shape: torch's, as in ``LayerNorm``.
        eps: added to the mean square; None for the spacing at 1 of the dtype that is computed in,
            float32 at least.
        elementwise_affine: whether there is a weight (here ``scale``).
        of_maps, flattened_from, dtype, param_dtype: as in ``LayerNorm``.

    Raises: as ``LayerNorm`` does.
    """

    reads_features: ClassVar[bool] = True
    normalized_shape: int | Sequence[int]
    eps: float | None = None
    elementwise_affine: bool = True
    of_maps: bool | None = None
    flattened_from: tuple[int, ...] | None = None
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

    def __post_init__(self) -> None:
        _settle(self)
        super().__post_init__()

    def tensors(self) -> Iterator[Tensor]:
        """``weight``."""
        yield from _tensors(self, weight_and_bias(self.elementwise_affine, False))

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        sizes = _check_sizes(self, x)
        weight, _ = affine(self, sizes, self.elementwise_affine, False)
        x, dtype = in_its_precision(self, x, weight, None)
        return rms_norm(x, sizes, weight, self.eps).astype(dtype)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


def layer_norm(
    input: jax.Array,
    normalized_shape: Sequence[int],
    weight: jax.Array | None = None,
    bias: jax.Array | None = None,
    eps: float = 1e-5,
) -> jax.Array:
    """``torch.nn.functional.layer_norm``: normalised over the last axes as they lie.

    Args:
        input: ``(..., *normalized_shape)``, of a floating dtype.
        normalized_shape: the sizes of the last axes.
        weight, bias: shaped as ``normalized_shape``, if there are some.
        eps: added to the variance.

    Returns:
        ``(..., *normalized_shape)``, of the dtype of ``input``. Statistics are of float32 at least.

    Raises:
        ValueError: if the last axes of the input, or a weight or bias, have other sizes, or if the
            input is not floating.
    """
    x, dtype = widened("layer_norm", input)
    _, x, var = moments(x, _last_axes(x, normalized_shape))
    return scaled(x * lax.rsqrt(var + eps), weight, bias, len(normalized_shape)).astype(dtype)


def rms_norm(
    input: jax.Array,
    normalized_shape: Sequence[int],
    weight: jax.Array | None = None,
    eps: float | None = None,
) -> jax.Array:
    """``torch.nn.functional.rms_norm``: divided by the root of the mean square of the last axes.

    Args:
        input: ``(..., *normalized_shape)``, of a floating dtype.
        normalized_shape: the sizes of the last axes.
        weight: shaped as ``normalized_shape``, if there is one.
        eps: added to the mean square; None for the spacing of the dtype, float32's for half.

    Returns:
        ``(..., *normalized_shape)``, of the dtype of ``input``; computed in float32 at least.

    Raises:
        ValueError: if the last axes of the input, or a weight or bias, have other sizes, or if the
            input is not floating.
    """
    x, dtype = widened("rms_norm", input)
    square = jnp.mean(jnp.square(x), _last_axes(x, normalized_shape), keepdims=True)
    added = float(np.finfo(x.dtype).eps) if eps is None else eps
    return scaled(x * lax.rsqrt(square + added), weight, None, len(normalized_shape)).astype(dtype)


def _last_axes(x: jax.Array, sizes: Sequence[int]) -> tuple[int, ...]:
    if not sizes or x.shape[-len(sizes) :] != tuple(sizes):
        raise ValueError(f"an input of shape {x.shape} does not end in {tuple(sizes)}")
    return tuple(range(x.ndim - len(sizes), x.ndim))


# What both layers do with their normalized_shape.


def _settle(layer: Any) -> None:
    """Its sizes as a tuple, and what the look at flattenings asks."""
    shape = layer.normalized_shape
    layer.normalized_shape = sizes = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    if not sizes or min(sizes) < 0:
        raise ValueError(
            f"normalized_shape must have one size at least, none negative, got {shape}"
        )
    if layer.of_maps and len(sizes) not in (2, 3):
        raise ValueError(f"of_maps=True takes a normalized_shape (C, L) or (C, H, W), got {sizes}")
    if layer.flattened_from and len(sizes) > 1:
        raise ValueError(f"flattened_from takes a normalized_shape of one size, got {sizes}")
    layer.makes_maps = _are_maps(layer)
    layer.reads_features = not layer.makes_maps and (len(sizes) == 1 or layer.of_maps is None)
    layer.feature_axes = len(sizes)


def _are_maps(layer: Any) -> bool:
    said: bool | None = layer.of_maps
    return len(layer.normalized_shape) == 3 if said is None else said


def _check_sizes(layer: Any, x: jax.Array) -> tuple[int, ...]:
    """The sizes as they lie here. Raises ValueError if those of an input are others."""
    first, *rest = sizes = layer.normalized_shape
    if _are_maps(layer):
        ours, takes = (*rest, first), f"maps (N, {', '.join(map(str, (*rest, first)))})"
        hint = "; of_maps=False if they are no maps"
        fits = x.shape[1:] == ours
    else:
        ours, takes = sizes, f"an input that ends in {sizes}"
        hint = "; of_maps=True if they are those of maps in torch" if len(sizes) == 2 else ""
        fits = x.shape[-len(sizes) :] == sizes
    if not fits:
        raise ValueError(f"{layer} takes {takes}, got an input of shape {x.shape}{hint}")
    return ours


def _tensors(layer: Any, held: dict[str, tuple[str, ...]]) -> Iterator[Tensor]:
    sizes = layer.normalized_shape
    if len(sizes) == 1:
        yield from vectors(math.prod(sizes), held, layer.flattened_from)
        return
    for name, path in held.items():
        if _are_maps(layer):
            axes = (*range(1, len(sizes)), 0)
            yield Tensor(name, path, sizes, tuple(sizes[i] for i in axes), axes)
        else:
            yield Tensor(name, path, sizes, sizes)

"""Normalisation of each channel of each example."""

import math
import warnings
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from flaxnets.layers.batch_norm import TrackingNorm
from flaxnets.layers.moments import in_its_precision, is_single, moments, scaled, unbiased


class _InstanceNorm(TrackingNorm):
    affine: bool = False
    track_running_stats: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        self.check_input(x)
        weight, bias, running = self.held()
        x, dtype = in_its_precision(self, x, weight, bias)
        if train or running is None:
            if is_single(x.shape[1:-1]):
                raise self.too_few("spatial element", x)
            mean, x, var = moments(x, range(1, x.ndim - 1))
            if train and running and not self.is_initializing() and 0 not in x.shape:
                new = unbiased(var, math.prod(x.shape[1:-1]))
                running.move(jnp.mean(mean, 0), jnp.mean(new, 0), self.momentum or 0.0)
        else:
            mean, var = running.of(x)
            x = x - mean
        return scaled(x * jax.lax.rsqrt(var + self.eps), weight, bias).astype(dtype)

    def check_input(self, x: jax.Array) -> None:
        """Raise ValueError for another number of axes, or of channels that it holds values for."""
        super().check_input(x)
        if x.shape[-1] != self.num_features:  # as torch does
            warnings.warn(
                f"{self} takes a last axis of {self.num_features}, got {x.shape[-1]}: it does not "
                "matter, because affine=False",
                stacklevel=3,
            )


class InstanceNorm1d(_InstanceNorm):
    """``torch.nn.InstanceNorm1d``: each example's channels normalised, (N, L, C) -> the same.

    By their own mean and biased variance, of float32 at least. If running statistics are tracked,
    those move in training towards the examples' mean, the variance unbiased, and are what is taken
    in evaluation; ``num_batches_tracked`` stays 0, as torch leaves it. torch takes (C, L) too, an
    example alone, which is refused here: (1, L, C).

    Attributes:
        num_features: C, the size of the last axis.
        eps: added to the variance.
        momentum: the share of a batch in the running statistics; with None they never move.
        affine: whether there are a weight (here ``scale``) and a bias.
        track_running_stats: whether there are running statistics.
        use_bias, dtype, param_dtype: as in ``BatchNorm1d``.

    Raises:
        ValueError: when made, for a negative ``num_features``; when called, for an input of another
            shape, or that is not floating, or of one place, where it is normalised by that.
    """

    takes: ClassVar[dict[int, str]] = {3: "(N, L, C)"}
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32


class InstanceNorm2d(_InstanceNorm):
    """``torch.nn.InstanceNorm2d``: each example's channels normalised, (N, H, W, C) -> the same.

    Attributes:
        num_features, eps, momentum, affine, track_running_stats, use_bias, dtype, param_dtype: as
            in ``InstanceNorm1d``.

    Raises: as ``InstanceNorm1d`` does.
    """

    takes: ClassVar[dict[int, str]] = {4: "(N, H, W, C)"}
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

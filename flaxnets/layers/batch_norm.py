"""Normalisation of channels by the statistics of a batch, or by running ones."""

import math
from collections.abc import Iterator
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from flaxnets.layers.base import Module, Tensor
from flaxnets.layers.floating import single
from flaxnets.layers.moments import (
    affine,
    in_its_precision,
    is_single,
    moments,
    scaled,
    unbiased,
    weight_and_bias,
)
from flaxnets.layers.parameters import check_last_axis, check_sizes, vectors

RUNNING = {
    "running_mean": ("batch_stats", "mean"),
    "running_var": ("batch_stats", "var"),
    "num_batches_tracked": ("batch_stats", "num_batches_tracked"),
}


class TrackingNorm(Module):
    """What ``BatchNorm`` and ``InstanceNorm`` have in common; torch's ``_NormBase``."""

    makes_maps: ClassVar[bool] = True
    takes: ClassVar[dict[int, str]] = {}  # by their number of axes, the inputs
    num_features: int
    eps: float = 1e-5
    momentum: float | None = 0.1
    affine: bool = True
    track_running_stats: bool = True
    use_bias: bool = True

    def __post_init__(self) -> None:
        check_sizes(self, "num_features")
        super().__post_init__()

    def tensors(self) -> Iterator[Tensor]:
        """``weight``, ``bias``, ``running_mean``, ``running_var`` and ``num_batches_tracked``."""
        held = weight_and_bias(self.affine, self.affine and self.use_bias)
        held |= RUNNING if self.track_running_stats else {}
        count = held.pop("num_batches_tracked", None)
        flattened = getattr(self, "flattened_from", None)
        yield from vectors(self.num_features, held, flattened)
        if count:
            yield Tensor("num_batches_tracked", count, (), ())

    def held(self: Any) -> tuple[jax.Array | None, jax.Array | None, "Running | None"]:
        """The weight, the bias and the running statistics: those that there are."""
        shape = (self.num_features,)
        weight, bias = affine(self, shape, self.affine, self.affine and self.use_bias)
        return weight, bias, Running(self) if self.track_running_stats else None

    def check_input(self, x: jax.Array) -> None:
        """Raise ValueError for another number of axes, or of channels."""
        if x.ndim not in self.takes:
            takes = " or ".join(self.takes.values())
            raise ValueError(f"{self} takes {takes}, got an input of shape {x.shape}")
        if self.affine or self.track_running_stats:
            check_last_axis(self, x, self.num_features)

    def too_few(self, what: str, x: jax.Array) -> ValueError:
        """torch's error, of the place in the network where it arises."""
        where = f"{'.'.join(self.path)} ({type(self).__name__})" if self.path else f"{self}"
        return ValueError(
            f"{where}: Expected more than 1 {what} when training, got an input of shape "
            f"{x.shape}: give it more of them, or take running statistics"
        )

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.affine and self.use_bias}, track_running_stats={self.track_running_stats}"
        )


class Running:
    """The running statistics of a layer, in its collection ``batch_stats``."""

    def __init__(self, layer: Any) -> None:
        dtype = single(layer.param_dtype)
        shape = (layer.num_features,)
        self.mean = layer.variable("batch_stats", "mean", jnp.zeros, shape, dtype)
        self.var = layer.variable("batch_stats", "var", jnp.ones, shape, dtype)
        self.count = layer.variable("batch_stats", "num_batches_tracked", jnp.zeros, (), int)

    def of(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The mean and the variance, to be taken with an input."""
        shape = (1,) * (x.ndim - 1) + self.mean.value.shape
        mean, var = (each.value.astype(x.dtype).reshape(shape) for each in (self.mean, self.var))
        return mean, var

    def move(self, mean: jax.Array, var: jax.Array, by: float | jax.Array) -> None:
        """Towards new ones, whose last axis has the channels."""
        for running, new in ((self.mean, mean), (self.var, var)):
            old = running.value
            new = new.reshape(old.shape)
            moved = (1 - by) * old.astype(new.dtype) + by * new
            running.value = moved.astype(old.dtype)


class _BatchNorm(TrackingNorm):
    @property
    def mixes_batch(self) -> bool:
        """Whether examples depend on those beside them in evaluation too."""
        return not self.track_running_stats

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        self.check_input(x)
        weight, bias, running = self.held()
        x, dtype = in_its_precision(self, x, weight, bias)
        if train or running is None:
            self._check_batch(x)
            mean, x, var = moments(x, range(x.ndim - 1))
            if train and running and not self.is_initializing():
                self._track(running, x, mean, var)
        else:
            self._check_eps(self.eps >= 0, "non-negative")
            mean, var = running.of(x)
            x = x - mean
        return scaled(x * jax.lax.rsqrt(var + self.eps), weight, bias).astype(dtype)

    def _track(self, running: Running, x: jax.Array, mean: jax.Array, var: jax.Array) -> None:
        running.count.value = running.count.value + 1
        if 0 in x.shape:  # torch counts a batch of nothing, and moves nothing
            return
        by = self.momentum
        cumulative = 1 / running.count.value.astype(mean.dtype) if by is None else by
        running.move(mean, unbiased(var, math.prod(x.shape[:-1])), cumulative)

    def _check_batch(self, x: jax.Array) -> None:
        self._check_eps(self.eps > 0, "positive during training")
        if is_single(x.shape[:-1]) and not self.is_initializing():
            raise self.too_few("value per channel", x)

    def _check_eps(self, is_right: bool, what: str) -> None:
        if not is_right:
            raise ValueError(f"{self}: eps must be {what}, got {self.eps}")


class BatchNorm1d(_BatchNorm):
    """``torch.nn.BatchNorm1d``: channels normalised over the batch.

    (N, C) or (N, L, C) -> the same. In training, ``train=True``, by the mean and the biased
    variance of the batch, towards which the running statistics move, by ``momentum``, the variance
    unbiased; so the collection ``batch_stats`` is to be ``mutable`` then. In evaluation by the
    running statistics, if they are tracked. In ``init`` they do not move. The statistics are
    float32 at least.

    Attributes:
        num_features: C, the size of the last axis.
        eps: added to the variance.
        momentum: the share of a batch in the running statistics; None for their mean over all
            batches.
        affine: whether there are a weight (here ``scale``) and a bias.
        track_running_stats: whether there are running statistics; if not, those of the batch are
            taken in evaluation too.
        use_bias: whether there is a bias, if it is ``affine``.
        flattened_from: the (H, W, C) of the feature maps whose flattening as they lie is the input,
            as in ``Linear``: ``interop`` permutes the weights and the statistics by it.
        dtype: the dtype of the output; it is computed in float32 at least. By default that of the
            input and the parameters together, float32 at least, and the input's without parameters.
        param_dtype: the dtype that parameters are created in, a floating one.

    Raises:
        ValueError: when made, for a negative ``num_features``; when called, for an input of another
            shape, or that is not floating; for one value a channel, where it is
            normalised by the batch, but for ``init``; for an ``eps`` that is not positive in
            training, or negative; and for maps that were flattened in another order than is said,
            as ``Linear`` does.
    """

    reads_features: ClassVar[bool] = True
    takes: ClassVar[dict[int, str]] = {2: "(N, C)", 3: "(N, L, C)"}
    flattened_from: tuple[int, ...] | None = None
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

    def check_input(self, x: jax.Array) -> None:
        """Raise ValueError for another number of axes, or of channels."""
        super().check_input(x)
        if self.flattened_from and x.ndim > 2:
            raise ValueError(
                f"{self} with flattened_from={self.flattened_from} takes (N, C), got an input of "
                f"shape {x.shape}: leave flattened_from out"
            )


class BatchNorm2d(_BatchNorm):
    """``torch.nn.BatchNorm2d``: channels normalised over the batch, (N, H, W, C) -> the same.

    Its attributes and its errors are those of ``BatchNorm1d``.

    Attributes:
        num_features, eps, momentum, affine, track_running_stats, use_bias, dtype, param_dtype: as
            in ``BatchNorm1d``.

    Raises: as ``BatchNorm1d`` does.
    """

    takes: ClassVar[dict[int, str]] = {4: "(N, H, W, C)"}
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

"""A leaky ReLU whose slopes are learned."""

from collections.abc import Iterator
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from flaxnets.layers.base import Module, Tensor
from flaxnets.layers.floating import floating, in_one_dtype
from flaxnets.layers.parameters import check_sizes, vectors

SLOPE = ("params", "negative_slope")  # linen's name of it


class PReLU(Module):
    """``torch.nn.PReLU``: see ``prelu``. Shaped (N, C), (N, L, C) or (N, H, W, C), or any with one.

    torch's second axis has the channels, which are last here, also where there are three axes.

    Attributes:
        num_parameters: 1, or the number of channels.
        init_: the slope at the beginning, torch's ``init``: that name is linen's.
        flattened_from: the maps whose flattening is the input, as in ``Linear``.
        dtype: the dtype of the computation and of the output. By default that of the input and
            the slopes together, float32 at least.
        param_dtype: the dtype that the slopes are created in, a floating one.

    Raises:
        ValueError: when made, for a negative ``num_parameters``; when called, as ``prelu`` does,
            and as ``Linear`` does of maps that were flattened in another order than is said.
    """

    num_parameters: int = 1
    init_: float = 0.25
    flattened_from: tuple[int, ...] | None = None
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

    def __post_init__(self: Any) -> None:
        # A slope for each place of the last axis; and three axes or more are maps then.
        self.reads_features = self.makes_maps = self.num_parameters > 1
        check_sizes(self, "num_parameters")
        super().__post_init__()

    def tensors(self) -> Iterator[Tensor]:
        """``weight``, (num_parameters,)."""
        yield from vectors(self.num_parameters, {"weight": SLOPE}, self.flattened_from)

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        init = nn.initializers.constant(self.init_)
        slope = self.param(SLOPE[1], init, (self.num_parameters,), self.param_dtype)
        return prelu(*in_one_dtype(self, x, slope))

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


def prelu(x: jax.Array, weight: jax.Array) -> jax.Array:
    """``torch.nn.functional.prelu``: x, and weight x where x is not above 0, with that slope at 0.

    Args:
        x: (..., C), of a floating dtype.
        weight: a number, (1,) or (C,), of the dtype of ``x``.

    Returns:
        (..., C), of the dtype of ``x``.

    Raises:
        ValueError: if there is more than one weight, and not one for each place of the last of two
            axes or more; for arrays of two dtypes, or of one that is not floating.
    """
    x, weight = floating("prelu", x), jnp.asarray(weight)
    n = weight.size
    if weight.ndim > 1 or (n != 1 and (x.ndim < 2 or x.shape[-1] != n)):
        raise ValueError(
            f"prelu with weights {weight.shape}, {n} weights, takes (N, ..., {n}), got {x.shape}"
        )
    if weight.dtype != x.dtype:
        raise ValueError(f"prelu takes a weight of {x.dtype}, got {weight.dtype}")
    below = jnp.where(x > 0, 0, x)  # no infinity times a gradient of 0
    shape = (1,) * (x.ndim - 1) + (n,) if x.ndim else ()
    return jnp.where(x > 0, x, weight.reshape(shape) * below)

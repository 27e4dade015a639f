"""Fully connected layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from flaxnets.layers.base import Module, Tensor
from flaxnets.layers.embedding import Embedding
from flaxnets.layers.floating import in_one_dtype
from flaxnets.layers.parameters import (
    BIAS,
    check_last_axis,
    check_sizes,
    mapped,
    matrix,
    uniform,
)


class Linear(Module):
    """``torch.nn.Linear``: x @ kernel + bias, (..., in_features) -> (..., out_features).

    Where torch's twin has its weight tied to that of another layer, ``decoder.weight =
    encoder.weight``, it is one array here too, with one gradient, and is the other layer's::

        self.encoder = layers.Embedding(words, size)
        self.decoder = layers.Linear(size, words, tied_to=self.encoder)

    Attributes:
        in_features, out_features: the sizes of the last axis before and after.
        use_bias: whether there is a bias.
        flattened_from: the (H, W, C) of the feature maps whose flattening is the input, if it is
            one. It changes nothing here; torch flattens in the order C, H, W, and ``interop``
            permutes the weights by it, so that no activation has to be transposed. Maps that are
            read without it as they lie are refused when the network is called; () says that
            whatever comes is in the order of torch's twin, or that there is none: it is taken, and
            ``interop`` permutes nothing.
        tied_to: the ``Embedding`` or ``Linear`` whose weight, (out_features, in_features) in torch,
            is this one's too. It is an attribute of a network whose ``setup`` makes it before.
        dtype: the dtype of the computation and of the output. By default that of the input and
            the parameters together, float32 at least.
        param_dtype: the dtype that parameters are created in, a floating one.

    Raises:
        ValueError: when made, for a negative size; when called, if the last axis of the input is
            not ``in_features`` or its dtype not floating; if
            ``tied_to`` has a weight of another shape or is no layer of the same network; or, in a
            ``Module`` that is called by ``apply`` or ``init``, if it comes from maps that were
            flattened in another order than is said.
    """

    reads_features: ClassVar[bool] = True
    makes_features: ClassVar[bool] = True
    bias_init: ClassVar[nn.initializers.Initializer | None] = None  # by default as the weight's
    in_features: int
    out_features: int
    use_bias: bool = True
    flattened_from: tuple[int, ...] | None = None
    tied_to: Embedding | Linear | None = None
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

    def __post_init__(self) -> None:
        check_sizes(self, "in_features", "out_features")
        super().__post_init__()

    def tensors(self) -> Iterator[Tensor]:
        """``weight``, (out, in) in torch, and ``bias``."""
        yield self._weight()
        if self.use_bias:
            yield Tensor("bias", BIAS, (self.out_features,), (self.out_features,))

    def attributes(self) -> dict[str, Any]:
        """None: what it is tied to is no part of it."""
        return {}

    def setup(self) -> None:
        init = uniform(self.in_features)
        if self.tied_to is None:
            shape = (self.in_features, self.out_features)
            self.kernel = self.param("kernel", init, shape, self.param_dtype)
        if self.use_bias:
            of_bias = self.bias_init or init
            self.bias = self.param("bias", of_bias, (self.out_features,), self.param_dtype)

    def __call__(self, x: jax.Array) -> jax.Array:
        check_last_axis(self, x, self.in_features)
        arrays = [x, self._kernel(), *([self.bias] if self.use_bias else [])]
        x, kernel, *bias = in_one_dtype(self, *arrays)
        return mapped(x, kernel, bias[0] if bias else None)

    def _weight(self) -> Tensor:
        if self.tied_to is None:
            shape = (self.out_features, self.in_features)
            return matrix("weight", "kernel", shape, self.flattened_from)
        self._check_tie(tied := next(self.tied_to.tensors()))
        return tied._replace(holder=tied.holder or self.tied_to)

    def _check_tie(self, tied: Tensor) -> None:
        of, shape = self.tied_to, (self.out_features, self.in_features)
        if of is None or of.parent is None or of.parent is self:
            raise ValueError(
                f"{self} is tied to {of}, which is no layer of the same network: make that in "
                "setup, as self.encoder, and say tied_to=self.encoder"
            )
        if tied.shape != shape:
            raise ValueError(f"{self} is tied to {of}, whose weight is {tied.shape}, not {shape}")
        if (getattr(of, "flattened_from", None) or None) != (self.flattened_from or None):
            raise ValueError(
                f"{self} is tied to {of}, but only one of them says flattened_from, so that the "
                "rows of one array would lie in two orders: flatten by Flatten(), and say ()"
            )

    def _kernel(self) -> jax.Array:
        """(in_features, out_features)."""
        if self.tied_to is None:
            return self.kernel
        self._weight()
        return self.tied_to._kernel()

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.use_bias}"
        )

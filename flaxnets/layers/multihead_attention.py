"""Attention of several heads, with weights of its own."""

from collections.abc import Iterator
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from flaxnets.layers.attention import attend
from flaxnets.layers.attention import scaled_dot_product_attention as sdpa
from flaxnets.layers.attention_inputs import check_heads, check_inputs, extended, merged
from flaxnets.layers.base import Module, Tensor
from flaxnets.layers.dropout import Dropout
from flaxnets.layers.floating import in_one_dtype, single
from flaxnets.layers.linear import Linear
from flaxnets.layers.parameters import matrix


class NonDynamicallyQuantizableLinear(Linear):
    """torch's name for the ``Linear`` behind the heads. Its bias begins as zeros."""

    bias_init: ClassVar[nn.initializers.Initializer | None] = staticmethod(nn.initializers.zeros)


class MultiheadAttention(Module):
    """``torch.nn.MultiheadAttention``, of sequences that lie as in torch.

    It is called with query (T, N, embed_dim), key (S, N, kdim), value (S, N, vdim), or (N, T, ...)
    and (N, S, ...) if ``batch_first``, or (T, ...) and (S, ...), and with torch's further arguments
    in torch's order: ``key_padding_mask`` (N, S), True where a key is not read;
    ``need_weights=True``; ``attn_mask`` (T, S) or (N heads, T, S), True where it is not read;
    ``average_attn_weights=True``; ``is_causal=False``, a hint that ``attn_mask`` is causal. Masks
    may be floating, and are added then. It returns the pair of the output, shaped as the query, and
    the weights (N, T, S), or (N, heads, T, S) if they are not averaged, or None if they are not
    needed; both of the dtype of the computation.

    It is torch's with gradients switched on, in training as in evaluation: a query that may read
    nothing gives NaN with ``need_weights=True``, and zeros before ``out_proj`` without. torch's
    fast path in evaluation without gradients differs there. Without ``need_weights`` and
    ``key_padding_mask``, ``is_causal=True`` stands for ``attn_mask``, as in torch.

    In training weights are dropped out; their masks (N, heads, T, S) are those of a ``Dropout``
    that is called ``attn_dropout`` in the collection ``masks``.

    Attributes:
        embed_dim: the size of the last axis of query and output.
        num_heads: how many parts it is divided into.
        dropout: the probability of a weight to be zeroed.
        use_bias: whether the projections before and after the heads have biases.
        add_bias_kv: whether a learnt key and value are added to those given.
        add_zero_attn: whether a key and a value of zeros are.
        kdim, vdim: the sizes of the last axes of key and value, ``embed_dim`` by default.
        batch_first: whether the batch is the first axis, not the second.
        flattened_from: () if what comes from flattened maps is in the order of torch's twin; other
            orders are not baked into the weights.
        dtype: the dtype of the computation and of the output. By default that of the input and
            the parameters together, float32 at least.
        param_dtype: the dtype that parameters are created in, a floating one.

    Raises:
        ValueError: when made, if ``num_heads`` does not divide ``embed_dim``, or for another
            ``flattened_from``; when called, for arrays whose shapes do not fit together or that are
            not floating, masks that are neither bool nor floating, and ``is_causal`` without
            ``attn_mask``.
    """

    reads_features: ClassVar[bool] = True
    makes_features: ClassVar[bool] = True
    embed_dim: int
    num_heads: int
    dropout: float = 0.0
    use_bias: bool = True
    add_bias_kv: bool = False
    add_zero_attn: bool = False
    kdim: int | None = None
    vdim: int | None = None
    batch_first: bool = False
    flattened_from: tuple[int, ...] | None = None
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

    def __post_init__(self) -> None:
        check_heads(self.embed_dim, self.num_heads)
        if self.flattened_from:
            raise ValueError(
                f"flattened_from={self.flattened_from}: MultiheadAttention takes features in the "
                "order of torch's twin only: flatten by Flatten(), and say flattened_from=()"
            )
        super().__post_init__()

    def tensors(self) -> Iterator[Tensor]:
        """``in_proj_weight``, or one each for query, key and value, and the biases."""
        for leaf, shape in self._shapes().items():
            if len(shape) == 2:
                yield matrix(leaf.replace("kernel", "weight"), leaf, shape[::-1])
            else:
                yield Tensor(leaf, ("params", leaf), shape, shape)

    def attributes(self) -> dict[str, Any]:
        """Without the dropout, which is no module in torch."""
        return {"out_proj": self.out_proj}

    def setup(self) -> None:
        size = self.embed_dim
        dtypes: dict[str, Any] = {"dtype": self.dtype, "param_dtype": self.param_dtype}
        inits = {
            1: nn.initializers.zeros,
            2: nn.initializers.xavier_uniform(),
            3: nn.initializers.normal(size**-0.5),  # torch's xavier_normal_ of (1, 1, size)
        }
        self.held = {
            leaf: self.param(leaf, inits[len(shape)], shape, self.param_dtype)
            for leaf, shape in self._shapes().items()
        }
        self.attn_dropout = Dropout(self.dropout)
        self.out_proj = NonDynamicallyQuantizableLinear(size, size, self.use_bias, **dtypes)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """The arrays that it holds itself, in torch's order."""
        size = self.embed_dim
        sizes = {"q": size, "k": self.kdim or size, "v": self.vdim or size}
        shapes: dict[str, tuple[int, ...]] = {"in_proj_kernel": (size, 3 * size)}
        if set(sizes.values()) != {size}:
            shapes = {f"{name}_proj_kernel": (n, size) for name, n in sizes.items()}
        if self.use_bias:
            shapes["in_proj_bias"] = (3 * size,)
        if self.add_bias_kv:
            shapes |= {"bias_k": (1, 1, size), "bias_v": (1, 1, size)}
        return shapes

    def __call__(
        self,
        query: jax.Array,
        key: jax.Array,
        value: jax.Array,
        key_padding_mask: jax.Array | None = None,
        need_weights: bool = True,
        attn_mask: jax.Array | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
        train: bool = False,
    ) -> tuple[jax.Array, jax.Array | None]:
        check_inputs(self, query, key, value)
        if is_causal and attn_mask is None:
            raise ValueError("is_causal=True says that attn_mask is causal: give attn_mask too")
        is_one, is_batched = query is key and key is value, query.ndim == 3
        if not is_batched and key_padding_mask is not None:
            key_padding_mask = key_padding_mask[None]
        q, k, v = self._projected([self._examples_first(x) for x in (query, key, value)], is_one)
        sizes = (q.shape[0], self.num_heads, q.shape[1], k.shape[1])
        is_causal = is_causal and key_padding_mask is None and not need_weights
        dtype = single(q.dtype)  # of the products
        mask = merged(None if is_causal else attn_mask, key_padding_mask, sizes, dtype)
        k, v = self._extended(k, "bias_k"), self._extended(v, "bias_v")
        mask = extended(mask, k.shape[1] - sizes[3])
        q, k, v = self._heads(q), self._heads(k), self._heads(v)
        weights: jax.Array | None = None
        if need_weights:
            read, weights = attend(q, k, v, mask, self.attn_dropout)
            weights = weights.mean(1) if average_attn_weights else weights
        else:
            read = sdpa(q, k, v, mask, is_causal=is_causal, dropout=self.attn_dropout)
        n, t = sizes[0], sizes[2]
        out = self.out_proj(read.swapaxes(1, 2).reshape(n, t, self.embed_dim))
        if not is_batched:
            return out[0], None if weights is None else weights[0]
        return self._examples_first(out), weights

    def _examples_first(self, x: jax.Array) -> jax.Array:
        """And back, which is the same."""
        if x.ndim == 2:
            return x[None]
        return x if self.batch_first else x.swapaxes(0, 1)

    def _projected(self, inputs: list[jax.Array], is_one: bool) -> list[jax.Array]:
        """Query, key and value as (N, ..., embed_dim), in the dtype of the computation."""
        arrays = in_one_dtype(self, *inputs, *self.held.values())
        inputs, held = arrays[:3], dict(zip(self.held, arrays[3:], strict=True))
        if "in_proj_kernel" not in held:
            kernels = [held[f"{name}_proj_kernel"] for name in "qkv"]
        else:
            kernels = jnp.split(held["in_proj_kernel"], 3, axis=-1)
        if is_one:  # one product in place of three
            found = jnp.split(inputs[0] @ held["in_proj_kernel"], 3, axis=-1)
        else:
            found = [x @ kernel for x, kernel in zip(inputs, kernels, strict=True)]
        if not self.use_bias:
            return found
        biases = jnp.split(held["in_proj_bias"].reshape(1, 1, -1), 3, axis=-1)
        return [x + bias for x, bias in zip(found, biases, strict=True)]

    def _extended(self, x: jax.Array, name: str) -> jax.Array:
        """With the keys, or values, that are added to those given."""
        n, _, size = x.shape
        parts = [x]
        if self.add_bias_kv:
            parts.append(jnp.broadcast_to(self.held[name].astype(x.dtype), (n, 1, size)))
        if self.add_zero_attn:
            parts.append(jnp.zeros((n, 1, size), x.dtype))
        return jnp.concatenate(parts, axis=1)

    def _heads(self, x: jax.Array) -> jax.Array:
        """(N, L, embed_dim) -> (N, heads, L, embed_dim / heads)."""
        n, length, size = x.shape
        return x.reshape(n, length, self.num_heads, size // self.num_heads).swapaxes(1, 2)

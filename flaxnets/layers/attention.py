"""Attention by functions: what reads what, and how much of it."""

import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from flaxnets.layers.floating import single


def scaled_dot_product_attention(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    attn_mask: jax.Array | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    dropout: Callable[[jax.Array], jax.Array] | None = None,
) -> jax.Array:
    """``torch.nn.functional.scaled_dot_product_attention``: softmax(query keyᵀ scale + mask) value.

    A query that may read nothing gives zeros, with zero gradients, as in torch.

    Args:
        query, key, value: (..., T, E), (..., S, E) and (..., S, V), as (N, heads, T, E), of one
            floating dtype.
        attn_mask: shaped as (..., T, S), or so that it is broadcast to that; bool, True where a
            query may read a key (in ``MultiheadAttention`` it is the other way round), or floating,
            added to the products.
        dropout_p: 0; what is random takes its masks from a layer here, see ``dropout``.
        is_causal: whether query i reads the keys 0 to i only.
        scale: of the products, 1/sqrt(E) by default.
        enable_gqa: False; repeat the heads of key and value.
        dropout: what is done with the weights (..., T, S), as a ``Dropout`` made in ``setup``: of
            torch's ``dropout_p=p if self.training else 0.0`` it is ``Dropout(p)``.

    Returns:
        (..., T, V) of the dtype of ``query``. It is computed in float32 at least.

    Raises:
        ValueError: for arrays whose shapes or dtypes do not fit together, a mask beside
            ``is_causal``, ``dropout_p`` and ``enable_gqa``.
    """
    query, key, value = (jnp.asarray(array) for array in (query, key, value))
    attn_mask = None if attn_mask is None else jnp.asarray(attn_mask)
    _check_options(attn_mask, dropout_p, is_causal, enable_gqa)
    _check_arrays(query, key, value)
    scores = products(query, key, scale)
    if is_causal:
        at = (lax.broadcasted_iota(jnp.int32, scores.shape[-2:], axis) for axis in (0, 1))
        attn_mask = next(at) >= next(at)
    if attn_mask is not None:
        scores = _masked(scores, attn_mask, query.dtype)
    # a row of -inf has no softmax
    reads = jnp.any(scores != -jnp.inf, axis=-1, keepdims=True)
    weights = jnp.where(reads, nn.softmax(jnp.where(reads, scores, 0)), 0)
    weights = dropout(weights) if dropout else weights
    return jnp.matmul(weights, value.astype(weights.dtype)).astype(query.dtype)


def products(query: jax.Array, key: jax.Array, scale: float | None = None) -> jax.Array:
    """(..., T, S): of each query with each key, scaled, in float32 at least."""
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    query, key = (array.astype(single(array.dtype)) for array in (query, key))
    return jnp.matmul(query * factor, key.swapaxes(-1, -2))


def attend(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    mask: jax.Array | None,
    dropout: Callable[[jax.Array], jax.Array],
) -> tuple[jax.Array, jax.Array]:
    """The same by a plain softmax, NaN where nothing may be read; and the weights."""
    scores = products(query, key)
    weights = dropout(nn.softmax(scores if mask is None else scores + mask))
    read = jnp.matmul(weights, value.astype(weights.dtype))
    return read.astype(query.dtype), weights.astype(query.dtype)


def _masked(scores: jax.Array, mask: jax.Array, dtype: Any) -> jax.Array:
    if mask.dtype not in (jnp.bool_, jnp.float32, dtype):
        raise ValueError(f"attn_mask must be bool or {dtype}, got {mask.dtype}")
    mask = mask.reshape((1,) * (scores.ndim - mask.ndim) + mask.shape)
    pairs = zip(mask.shape, scores.shape, strict=False)
    if mask.ndim > scores.ndim or not all(size in (1, whole) for size, whole in pairs):
        raise ValueError(f"attn_mask {mask.shape} cannot be broadcast to {scores.shape}")
    if mask.dtype == jnp.bool_:
        return jnp.where(mask, scores, -jnp.inf)
    return scores + mask.astype(scores.dtype)


def _check_options(
    mask: jax.Array | None, dropout_p: float, is_causal: bool, enable_gqa: bool
) -> None:
    if dropout_p:
        raise ValueError(
            f"dropout_p={dropout_p} cannot be drawn by a function: make self.dropout = "
            f"Dropout({dropout_p}) in setup, and give dropout=self.dropout"
        )
    if enable_gqa:
        raise ValueError(
            "enable_gqa=True is not taken: repeat the heads of key and value, "
            "jnp.repeat(key, query.shape[-3] // key.shape[-3], axis=-3)"
        )
    if is_causal and mask is not None:
        raise ValueError("attn_mask beside is_causal=True: give one of them")


def _check_arrays(query: jax.Array, key: jax.Array, value: jax.Array) -> None:
    dtypes = {array.dtype for array in (query, key, value)}
    if len(dtypes) > 1 or not jnp.issubdtype(query.dtype, jnp.floating):
        names = ", ".join(sorted(map(str, dtypes)))
        raise ValueError(f"query, key and value must be of one floating dtype, got {names}")
    shapes = (query.shape, key.shape, value.shape)
    fits = min(map(len, shapes)) >= 2 and query.shape[-1] == key.shape[-1]
    if not fits or key.shape[-2] != value.shape[-2]:
        raise ValueError(
            f"expected query (..., T, E), key (..., S, E) and value (..., S, V), got {shapes}"
        )
    jnp.broadcast_shapes(*(shape[:-2] for shape in shapes))  # which raises, if they do not fit

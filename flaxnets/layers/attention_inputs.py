"""What ``MultiheadAttention`` is given: checked, and its masks as one that is added."""

from typing import Any

import jax
import jax.numpy as jnp

Sizes = tuple[int, int, int, int]  # examples, heads, queries, keys
Shapes = dict[tuple[int, ...], tuple[int, ...]]  # as torch has a mask, and as it is added


def check_heads(embed_dim: int, num_heads: int, names: str = "embed_dim and num_heads") -> None:
    """Raise ValueError for numbers of which the second does not divide the first."""
    if embed_dim <= 0 or num_heads <= 0 or embed_dim % num_heads:
        raise ValueError(
            f"{names} must be above 0, the first divisible by the second, got {embed_dim} and "
            f"{num_heads}"
        )


def check_inputs(layer: Any, query: jax.Array, key: jax.Array, value: jax.Array) -> None:
    """Raise ValueError if their shapes do not fit the layer, or one another."""
    inputs, size = (query, key, value), layer.embed_dim
    sizes = (size, layer.kdim or size, layer.vdim or size)
    shapes = [x.shape for x in inputs]
    fits = query.ndim in (2, 3) and {x.ndim for x in inputs} == {query.ndim}
    fits = fits and tuple(shape[-1] for shape in shapes) == sizes
    fits = fits and key.shape[:-1] == value.shape[:-1]
    batch = 0 if layer.batch_first else 1
    if not fits or (query.ndim == 3 and query.shape[batch] != key.shape[batch]):
        order = "(N, {}, {})" if layer.batch_first else "({}, N, {})"
        expected = ", ".join(map(order.format, "TSS", sizes))
        raise ValueError(f"query, key and value must be shaped {expected}, got {shapes}")


def merged(attn_mask: Any, key_padding_mask: Any, sizes: Sizes, dtype: Any) -> jax.Array | None:
    """Both, as (N or 1, heads or 1, T or 1, S), of a dtype; None if there is none.

    Raises ValueError for those that are neither bool nor floating, or of another shape.
    """
    n, heads, t, s = sizes
    found = None
    if attn_mask is not None:
        shapes: Shapes = {(t, s): (1, 1, t, s), (n * heads, t, s): sizes}
        found = _added("attn_mask", attn_mask, shapes, dtype)
    if key_padding_mask is not None:
        padding = _added("key_padding_mask", key_padding_mask, {(n, s): (n, 1, 1, s)}, dtype)
        found = padding if found is None else found + padding
    return found


def extended(mask: jax.Array | None, n: int) -> jax.Array | None:
    """With n further keys, which every query may read."""
    return mask if mask is None else jnp.pad(mask, ((0, 0), (0, 0), (0, 0), (0, n)))


def _added(name: str, given: Any, shapes: Shapes, dtype: Any) -> jax.Array:
    """What is added to products: minus infinity where a mask is True."""
    mask: jax.Array = jnp.asarray(given)
    if mask.shape not in shapes:
        expected = " or ".join(map(str, shapes))
        raise ValueError(f"{name} must be shaped {expected}, got {mask.shape}")
    mask = mask.reshape(shapes[mask.shape])
    if mask.dtype == jnp.bool_:
        return jnp.where(mask, -jnp.inf, 0).astype(dtype)
    if not jnp.issubdtype(mask.dtype, jnp.floating):
        raise ValueError(f"{name} must be bool or floating, got {mask.dtype}: mask.astype(bool)")
    return mask.astype(dtype)

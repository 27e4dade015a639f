"""Bags of embeddings: rows of a matrix, looked up and put together."""

from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from flaxnets.layers.base import Module, Tensor
from flaxnets.layers.embedding import check_table, embedding, if_known, table, table_tensor
from flaxnets.layers.floating import in_one_dtype

MODES = ("sum", "mean", "max")


class EmbeddingBag(Module):
    """``torch.nn.EmbeddingBag``: the sum, mean or maximum of the rows of each bag of indices.

    Called with (bags, n) indices, or with (n,) indices and ``offsets``, (bags,), at which each bag
    begins, it returns (bags, embedding_dim); an empty bag gives zeros. ``per_sample_weights``,
    shaped as the indices and of a floating dtype, are factors of the rows, for the mode "sum".
    Indices and offsets are int32 or int64, and what is out of range is refused where values are
    known; in a compiled program, where they are not, the bag of such an index is NaN, and with such
    offsets every one.

    Attributes:
        num_embeddings, embedding_dim: the rows and columns of the matrix.
        norm_type: printed; torch uses it for ``max_norm`` alone.
        mode: "sum", "mean" or "max".
        include_last_offset: whether offsets have one more at their end, the number of indices.
        padding_idx: a row, counted from the end if it is negative, that is left out of every bag,
            begins as zeros and whose gradient is zero.
        max_norm, scale_grad_by_freq, sparse: torch's; nothing else than their defaults is taken.
        dtype, param_dtype: as in ``Embedding``.

    Raises:
        ValueError: when it is made, for an unknown ``mode``, if ``padding_idx`` is no row, and for
            an option that is not taken, by its name; when it is called, for indices or offsets that
            are known to be out of range, bags of no indices but by offsets, offsets of two axes of
            indices, none of one, or ``per_sample_weights`` of another shape or dtype or in another
            mode.
        TypeError: when it is made, if ``include_last_offset`` is no bool; when it is called with
            indices or offsets of another dtype.
    """

    makes_features: ClassVar[bool] = True
    num_embeddings: int
    embedding_dim: int
    max_norm: float | None = None
    norm_type: float = 2.0
    scale_grad_by_freq: bool = False
    mode: str = "mean"
    sparse: bool = False
    include_last_offset: bool = False
    padding_idx: int | None = None
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

    def __post_init__(self) -> None:
        check_table(self)
        _check_mode(self.mode, None)
        if not isinstance(self.include_last_offset, bool):  # torch has _weight in this position
            raise TypeError(f"include_last_offset must be a bool, got {self.include_last_offset}")
        super().__post_init__()

    def tensors(self) -> Iterator[Tensor]:
        """``weight``, which lies as in torch."""
        yield table_tensor(self)

    def setup(self) -> None:
        self.embedding = table(self)

    def __call__(
        self,
        x: jax.Array,
        offsets: jax.Array | None = None,
        per_sample_weights: jax.Array | None = None,
    ) -> jax.Array:
        arrays = [self.embedding, *([] if per_sample_weights is None else [per_sample_weights])]
        weight, *factors = in_one_dtype(self, *arrays)
        return embedding_bag(
            x,
            weight,
            offsets,
            self.mode,
            factors[0] if factors else None,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        text += f", norm_type={self.norm_type}" if self.norm_type != 2 else ""
        text += f", mode={self.mode!r}"
        if self.padding_idx is not None:
            text += f", padding_idx={self.padding_idx % self.num_embeddings}"
        return text


def embedding_bag(
    input: jax.Array,
    weight: jax.Array,
    offsets: jax.Array | None = None,
    mode: str = "mean",
    per_sample_weights: jax.Array | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> jax.Array:
    """``torch.nn.functional.embedding_bag``: rows of a matrix, put together by bags.

    Args:
        input: (bags, n) or (n,) indices, int32 or int64.
        weight: (rows, columns), of a floating dtype.
        offsets: (bags,), where in (n,) each bag begins, int32 or int64, ascending from 0.
        mode: "sum", "mean" or "max". Among equal values the first gets the gradient.
        per_sample_weights: factors of the rows, shaped as ``input``, of the dtype of ``weight``.
        include_last_offset: whether ``offsets`` has one more, the number of indices.
        padding_idx: a row, counted from the end if it is negative, that is left out.

    Returns:
        (bags, columns), of the dtype of ``weight``: NaN where what cannot be refused, since its
        value is not known, is out of range.

    Raises: as ``EmbeddingBag`` does.
    """
    _check_mode(mode, per_sample_weights)
    if per_sample_weights is not None and per_sample_weights.shape != input.shape:
        raise ValueError(
            f"per_sample_weights must be shaped as the indices, {input.shape}; "
            f"got {per_sample_weights.shape}"
        )
    weight = jnp.asarray(weight)
    if per_sample_weights is not None and per_sample_weights.dtype != weight.dtype:
        raise ValueError(
            f"per_sample_weights must be of the matrix's {weight.dtype}, got "
            f"{per_sample_weights.dtype}"
        )
    bags, are_bags = _bags(input, offsets, include_last_offset)
    rows = embedding(input, weight, padding_idx)
    rows = rows if per_sample_weights is None else rows * per_sample_weights[..., None]
    counts = jnp.ones((*input.shape, 1), bool)
    if padding_idx is not None:
        counts = (jnp.asarray(input) != padding_idx % weight.shape[0])[..., None]
    rows = rows if mode == "max" else jnp.where(counts, rows, 0)
    found = bags.largest(rows, counts) if mode == "max" else bags.sum(rows)
    if mode == "mean":
        found = found / jnp.maximum(bags.sum(counts.astype(rows.dtype)), 1)
    return jnp.where(are_bags, found, jnp.nan)


class _Equal(NamedTuple):
    """Bags of (bags, n) indices."""

    def sum(self, rows: jax.Array) -> jax.Array:
        return jnp.sum(rows, axis=1)

    def largest(self, rows: jax.Array, counts: jax.Array) -> jax.Array:
        place = jnp.argmax(jnp.where(counts, rows, -jnp.inf), axis=1, keepdims=True)
        found = jnp.take_along_axis(rows, place, axis=1)[:, 0]
        return jnp.where(jnp.any(counts, axis=1), found, 0)


class _Runs(NamedTuple):
    """Bags of (n,) indices: the bag of each, and how many there are."""

    of: jax.Array
    bags: int

    def sum(self, rows: jax.Array) -> jax.Array:
        return jax.ops.segment_sum(rows, self.of, self.bags, indices_are_sorted=True)

    def largest(self, rows: jax.Array, counts: jax.Array) -> jax.Array:
        known = jax.lax.stop_gradient(rows)
        largest = jax.ops.segment_max(jnp.where(counts, known, -jnp.inf), self.of, self.bags)
        is_largest = counts & ((known == largest[self.of]) | jnp.isnan(known))
        n = rows.shape[0]
        places = jnp.where(is_largest, jnp.arange(n, dtype=self.of.dtype)[:, None], n)
        first = jax.ops.segment_min(places, self.of, self.bags)  # n or more, where there is none
        return jnp.take_along_axis(rows, first, axis=0, mode="fill", fill_value=0)


def _bags(input: jax.Array, offsets: Any, has_last: bool) -> tuple[_Equal | _Runs, jax.Array]:
    """The bags, and whether the offsets, where their values are not known, are such."""
    if input.ndim not in (1, 2) or (offsets is None) != (input.ndim == 2):
        raise ValueError(
            "embedding_bag takes (bags, n) indices, or (n,) and offsets; got indices of "
            f"{input.shape} and {'no offsets' if offsets is None else 'offsets'}"
        )
    if 0 in input.shape[1:]:
        raise ValueError(
            f"embedding_bag takes bags of an index at least, got indices of {input.shape}: give "
            "offsets, by which bags may be empty"
        )
    if offsets is None:
        return _Equal(), jnp.ones((), bool)
    _check_offsets(offsets, n := input.shape[0])
    offsets = jnp.asarray(offsets)
    are_bags = (offsets[0] == 0) & (offsets[-1] <= n) & jnp.all(jnp.diff(offsets) >= 0)
    starts = offsets[:-1] if has_last else offsets  # torch ignores the last one's value
    places = jnp.arange(n, dtype=starts.dtype)
    of = jnp.searchsorted(starts, places, side="right") - 1
    return _Runs(of, starts.shape[0]), are_bags


def _check_offsets(offsets: Any, n: int) -> None:
    """Raise TypeError for another dtype, ValueError for what is known to be no offsets."""
    if offsets.ndim != 1 or offsets.shape[0] == 0 or offsets.dtype not in (jnp.int32, jnp.int64):
        raise TypeError(
            f"offsets must be (bags,), int32 or int64; got {offsets.dtype} {offsets.shape}"
        )
    if (known := if_known(offsets)) is None:
        return
    if known[0] != 0 or known[-1] > n or (np.diff(known) < 0).any():
        raise ValueError(f"offsets must ascend from 0 to at most {n}, the indices; got {known}")


def _check_mode(mode: str, per_sample_weights: Any) -> None:
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}; got {mode!r}")
    if per_sample_weights is not None and mode != "sum":
        raise ValueError(f"per_sample_weights are for mode='sum', as in torch; got mode={mode!r}")

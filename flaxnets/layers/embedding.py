"""Embeddings: rows of a matrix, looked up."""

from collections.abc import Iterator
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from flaxnets.layers.base import Module, Tensor
from flaxnets.layers.floating import floating, in_one_dtype
from flaxnets.layers.parameters import check_sizes

# What torch takes and is not taken here, and what to do instead.
REFUSED = {
    "max_norm": "torch changes the rows that are looked up, which a call cannot here; shorten them "
    "between steps",
    "scale_grad_by_freq": "gradients are those of the loss; scale them before the optimizer",
    "sparse": "gradients are dense here",
}


class Embedding(Module):
    """``torch.nn.Embedding``: the rows of a matrix, (...,) indices -> (..., embedding_dim).

    Indices are int32 or int64, of any shape. One that is not in [0, num_embeddings) is refused
    where its value is known; in a compiled program, where it is not, its row is NaN.

    The matrix begins as N(0, 1). To hold it fixed, as ``from_pretrained`` of torch's does by
    default, have the optimizer leave it out (``optax.partition``, ``optax.set_to_zero``).

    Attributes:
        num_embeddings, embedding_dim: the rows and columns of the matrix.
        padding_idx: a row, counted from the end if it is negative, that begins as zeros and whose
            gradient is zero.
        norm_type: printed; torch uses it for ``max_norm`` alone.
        max_norm, scale_grad_by_freq, sparse: torch's; nothing else than their defaults is taken.
        dtype: the dtype of the output. By default that of the matrix, float32 at least.
        param_dtype: the dtype that the matrix is created in, a floating one.

    Raises:
        ValueError: when it is made, for a negative size, if ``padding_idx`` is not in
            [-num_embeddings, num_embeddings), and for an option that is not taken, by its name;
            when it is called, if an index whose value is known is no row.
        TypeError: when it is called with indices of another dtype.
    """

    makes_features: ClassVar[bool] = True
    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None = None
    max_norm: float | None = None
    norm_type: float = 2.0
    scale_grad_by_freq: bool = False
    sparse: bool = False
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

    def __post_init__(self) -> None:
        check_table(self)
        super().__post_init__()

    def tensors(self) -> Iterator[Tensor]:
        """``weight``, which lies as in torch."""
        yield table_tensor(self)

    def setup(self) -> None:
        self.embedding = table(self)

    def __call__(self, x: jax.Array) -> jax.Array:
        (weight,) = in_one_dtype(self, self.embedding)
        return embedding(x, weight, self.padding_idx)

    def _kernel(self) -> jax.Array:
        """(embedding_dim, num_embeddings): of a ``Linear`` that is tied to it."""
        return self.embedding.T

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.padding_idx is not None:
            text += f", padding_idx={self.padding_idx % self.num_embeddings}"
        return text + (f", norm_type={self.norm_type}" if self.norm_type != 2 else "")


def embedding(input: jax.Array, weight: jax.Array, padding_idx: int | None = None) -> jax.Array:
    """``torch.nn.functional.embedding``: rows of a matrix.

    Args:
        input: (...,) indices, int32 or int64.
        weight: (rows, columns), of a floating dtype.
        padding_idx: a row, counted from the end if it is negative, that gets no gradient.

    Returns:
        (..., columns), of the dtype of ``weight``. The row of an index that is out of range, which
        cannot be refused where its value is not known, is NaN.

    Raises:
        ValueError: if an index whose value is known is out of range, or ``padding_idx`` is, or if
            the matrix is not floating.
        TypeError: for indices of another dtype.
    """
    weight, indices = floating("embedding", weight), jnp.asarray(input)
    check_padding("embedding", padding_idx, weight.shape[0])
    check_indices("embedding", input, weight.shape[0])
    options: Any = {"mode": "fill", "fill_value": jnp.nan, "wrap_negative_indices": False}
    rows: jax.Array = weight.at[indices].get(**options)
    if padding_idx is None:
        return rows
    is_padding = indices == padding_idx % weight.shape[0]
    return jnp.where(is_padding[..., None], jax.lax.stop_gradient(rows), rows)


def table(layer: Any) -> jax.Array:
    """The matrix of a layer, N(0, 1), its padding row zero."""

    def init(key: jax.Array, shape: tuple[int, int], dtype: DTypeLike) -> jax.Array:
        drawn = jax.random.normal(key, shape, dtype)
        return drawn if layer.padding_idx is None else drawn.at[layer.padding_idx].set(0)

    array: jax.Array = layer.param("embedding", init, table_tensor(layer).ours, layer.param_dtype)
    return array


def table_tensor(layer: Any) -> Tensor:
    """torch's ``weight``."""
    shape = (layer.num_embeddings, layer.embedding_dim)
    return Tensor("weight", ("params", "embedding"), shape, shape)


def check_table(layer: Any) -> None:
    """Raise ValueError for options that are not taken, or not possible."""
    kind = type(layer).__name__
    check_sizes(layer, "num_embeddings", "embedding_dim")
    for option, instead in REFUSED.items():
        if (given := getattr(layer, option)) not in (None, False):
            raise ValueError(f"{kind} takes no {option}={given}: {instead}")
    check_padding(kind, layer.padding_idx, layer.num_embeddings)


def check_padding(kind: str, padding_idx: int | None, rows: int) -> None:
    """Raise ValueError if it is no row."""
    if padding_idx is not None and not -rows <= padding_idx < rows:
        raise ValueError(
            f"{kind}: padding_idx must be in [-{rows}, {rows}), the rows of the matrix; "
            f"got {padding_idx}"
        )


def check_indices(kind: str, indices: Any, rows: int) -> None:
    """Raise TypeError for another dtype, ValueError for an index that is known to be no row."""
    if indices.dtype not in (jnp.int32, jnp.int64):
        raise TypeError(
            f"{kind} takes indices of int32 or int64, got {indices.dtype}; 8-bit ones, which "
            "training.fit and predict take for images, are to be given as int32"
        )
    if (known := if_known(indices)) is not None and known.size:
        low, high = known.min(), known.max()
        if low < 0 or high >= rows:
            raise ValueError(f"{kind} has rows 0 to {rows - 1}, got indices from {low} to {high}")


def if_known(array: Any) -> np.ndarray | None:
    """The values of an array, if it is not traced."""
    try:
        return np.asarray(array)
    except jax.errors.TracerArrayConversionError:
        return None

"""Embeddings, recurrent networks, attention."""

from typing import Any

import jax.numpy as jnp
from draws.draw import normal

from flaxnets.layers import recurrence
from mutants.mutant import Mutant

HIDDEN = {"input_size": 3, "hidden_size": 4}
HEADS = {"embed_dim": 4, "num_heads": 2, "batch_first": True}
LAYER = {"d_model": 4, "nhead": 2, "dim_feedforward": 5, "batch_first": True}
sequence = normal(5, 3)


def queries(n: int, rng: Any) -> tuple[Any, ...]:
    """Which are keys and values too."""
    return (rng.normal(size=(n, 3, 4)),) * 3


def indices(n: int, rng: Any) -> tuple[Any, ...]:
    """Of an embedding of five, the padding row among them."""
    return (rng.integers(0, 5, (n, 6)),)


def _igog(state: Any, of_input: Any, of_hidden: Any) -> Any:
    """An LSTM whose gates are read as i, g, f, o."""
    i, g, f, o = jnp.split(of_input + of_hidden, 4, axis=-1)
    return recurrence._lstm(state, jnp.concatenate([i, f, g, o], -1), jnp.zeros_like(of_hidden))


def _reset_first(state: Any, of_input: Any, of_hidden: Any) -> Any:
    """A GRU whose reset gate is left out of the candidate's hidden part."""
    r, z, n = jnp.split(of_hidden, 3, axis=-1)
    return recurrence._gru(state, of_input, jnp.concatenate([r + 100, z, n], -1))


def _turned(state: Any, of_input: Any, of_hidden: Any) -> Any:
    """A GRU whose update gate is turned round."""
    sign = jnp.repeat(jnp.asarray([1.0, -1.0, 1.0]), state[0].shape[-1])
    return recurrence._gru(state, of_input * sign, of_hidden * sign)


def _with(kind: str, step: Any) -> dict[str, Any]:
    """The table of recurrent kinds with another step."""
    return {"recurrence.KINDS": {kind: recurrence.KINDS[kind]._replace(step=step)}}


def _always_forward(kind: Any, arrays: Any, x: Any, state: Any, reverse: bool) -> Any:
    return recurrence.through_time(kind, arrays, x, state, False)


def _interleaved(self: Any, x: Any) -> Any:
    """Heads that take every so manieth feature."""
    parts = (x.shape[0], x.shape[1], -1, self.num_heads)
    return x.reshape(parts).transpose(0, 3, 1, 2)


def _one_bias(self: Any, x: Any) -> Any:
    return x @ self.kernel_ih


MUTANTS = [
    Mutant(
        "gates read as i, g, f, o",
        "LSTM",
        HIDDEN,
        sequence,
        "evaluation: output",
        _with("lstm", _igog),
    ),
    Mutant(
        "no reset before the product",
        "GRU",
        HIDDEN,
        sequence,
        "evaluation: output",
        _with("gru", _reset_first),
    ),
    Mutant(
        "update gate turned round",
        "GRU",
        HIDDEN,
        sequence,
        "evaluation: output",
        _with("gru", _turned),
    ),
    Mutant(
        "the input's bias forgotten",
        "RNN",
        HIDDEN,
        sequence,
        "evaluation: gradient of bias_ih_l0",
        {"recurrence.Arrays.of_input": _one_bias},
    ),
    Mutant(
        "backwards as forwards",
        "LSTM",
        HIDDEN | {"bidirectional": True},
        sequence,
        "evaluation: output",
        {"recurrent_stack.through_time": _always_forward},
    ),
    Mutant(
        "the batch taken for time",
        "GRU",
        HIDDEN | {"batch_first": True},
        sequence,
        "evaluation: output",
        ours={"batch_first": False},
    ),
    Mutant(
        "no gradient stops at the padding row",
        "Embedding",
        {"num_embeddings": 5, "embedding_dim": 3, "padding_idx": 1},
        indices,
        "evaluation: gradient of weight",
        {"embedding.jax.lax.stop_gradient": lambda rows: rows},
    ),
    Mutant(
        "padding row moved",
        "Embedding",
        {"num_embeddings": 5, "embedding_dim": 3, "padding_idx": 1},
        indices,
        "evaluation: gradient of weight",
        ours={"padding_idx": 0},
    ),
    Mutant(
        "products not scaled",
        "MultiheadAttention",
        HEADS,
        queries,
        "evaluation: output",
        {"attention.products": lambda q, k, scale=None: q @ k.swapaxes(-1, -2)},
    ),
    Mutant(
        "heads interleaved",
        "MultiheadAttention",
        HEADS,
        queries,
        "evaluation: output",
        {"multihead_attention.MultiheadAttention._heads": _interleaved},
    ),
    Mutant(
        "norm first",
        "TransformerEncoderLayer",
        {**LAYER, "norm_first": False},
        normal(3, 4),
        "evaluation: output",
        ours={"norm_first": True},
    ),
    Mutant(
        "GELU for ReLU",
        "TransformerEncoderLayer",
        LAYER,
        normal(3, 4),
        "evaluation: output",
        ours={"activation": "gelu"},
    ),
]

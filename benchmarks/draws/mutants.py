"""Layers with a planted mistake, each with the comparison that must see it."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from unittest import mock

import jax
import jax.numpy as jnp
from layer_check import Finding, compared

from draws import LAYERS
from draws.draw import Draw, Inputs, halves, normal
from flaxnets.layers import moments, recurrence

HERE = "flaxnets.layers."


class Mutant(NamedTuple):
    """A mistake.

    Attributes:
        name: what is mistaken.
        layer: in which layer, by its name.
        arguments, inputs: as in ``Draw``.
        seen: the beginning of the comparison that must see it.
        patches: what stands in place of a function, or entries of a table, in flaxnets.layers.
        ours: arguments that differ from torch's.
    """

    name: str
    layer: str
    arguments: Mapping[str, Any]
    inputs: Inputs
    seen: str
    patches: Mapping[str, Any] = {}
    ours: Mapping[str, Any] = {}

    def findings(self, mistaken: bool = True) -> Iterator[Any]:
        """All comparisons, with the mistake or without it."""
        layer, arguments = LAYERS[self.layer], dict(self.arguments)
        theirs = layer.torchs(self.layer)(**arguments)
        with contextlib.ExitStack() as stack:
            for target, value in self.patches.items() if mistaken else ():
                patch: Any = mock.patch.dict if isinstance(value, dict) else mock.patch
                stack.enter_context(patch(HERE + target, value))
            ours = layer.ours(self.layer, arguments | (dict(self.ours) if mistaken else {}))
            try:
                yield from compared(ours, theirs, Draw(arguments, self.inputs))
            except ValueError as error:
                if "mask" not in str(error):
                    raise
                yield Finding("masks", 1.0, 0.0)


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


def _by_deviation(x: Any, axes: Any) -> Any:
    """Moments whose variance is that of a sample."""
    mean, rest, var = moments.moments(x, axes)
    return mean, rest, var * (rest.size / var.size) / (rest.size / var.size - 1)


def _eps_outside(of: Any) -> Any:
    """1 / (sqrt(var) + eps), given var + eps of 0.1."""
    return 1 / (jnp.sqrt(of - 0.1) + 0.1)


def _uncounted(self: Any, running: Any, mean: Any, var: Any) -> None:
    running.move(mean, var, self.momentum)


def _always_forward(kind: Any, arrays: Any, x: Any, state: Any, reverse: bool) -> Any:
    return recurrence.through_time(kind, arrays, x, state, False)


def _interleaved(self: Any, x: Any) -> Any:
    """Heads that take every so manieth feature."""
    parts = (x.shape[0], x.shape[1], -1, self.num_heads)
    return x.reshape(parts).transpose(0, 3, 1, 2)


def _one_bias(self: Any, x: Any) -> Any:
    return x @ self.kernel_ih


BATCH = {"num_features": 4}
GROUPS = {"num_groups": 2, "num_channels": 4}
HIDDEN = {"input_size": 3, "hidden_size": 4}
sequence = normal(5, 3)
HEADS = {"embed_dim": 4, "num_heads": 2, "batch_first": True}
LAYER = {"d_model": 4, "nhead": 2, "dim_feedforward": 5, "batch_first": True}
REPLAYED = "masks"  # torch's cannot be the twin's


def queries(n: int, rng: Any) -> tuple[Any, ...]:
    """Which are keys and values too."""
    return (rng.normal(size=(n, 3, 4)),) * 3


def indices(n: int, rng: Any) -> tuple[Any, ...]:
    """Of an embedding of five, the padding row among them."""
    return (rng.integers(0, 5, (n, 6)),)


MUTANTS = [
    Mutant(
        "biased running variance",
        "BatchNorm2d",
        BATCH,
        normal(3, 2, 4),
        "training, step 1: state running_var",
        {"batch_norm.unbiased": lambda var, n: var},
    ),
    Mutant(
        "momentum turned round",
        "BatchNorm2d",
        BATCH,
        normal(3, 2, 4),
        "training, step 1: state running_mean",
        ours={"momentum": 0.9},
    ),
    Mutant(
        "a cumulative mean taken for momentum 0.1",
        "BatchNorm1d",
        BATCH | {"momentum": None},
        normal(4),
        "training, step 1: state running_mean",
        ours={"momentum": 0.1},
    ),
    Mutant(
        "batches not counted",
        "BatchNorm1d",
        BATCH,
        normal(4),
        "training, step 1: state num_batches_tracked",
        {"batch_norm._BatchNorm._track": _uncounted},
    ),
    Mutant(
        "epsilon outside the root",
        "BatchNorm2d",
        BATCH | {"eps": 0.1},
        normal(3, 2, 4),
        "evaluation: output",
        {"batch_norm.jax.lax.rsqrt": _eps_outside},
    ),
    Mutant(
        "Flax's epsilon",
        "LayerNorm",
        {"normalized_shape": 4},
        normal(3, 4),
        "evaluation: output",
        ours={"eps": 1e-6},
    ),
    Mutant(
        "variance of a sample",
        "LayerNorm",
        {"normalized_shape": 4},
        normal(3, 4),
        "evaluation: output",
        {"layer_norm.moments": _by_deviation},
    ),
    Mutant(
        "groups counted for their size",
        "GroupNorm",
        {"num_groups": 3, "num_channels": 6},
        normal(3, 2, 6),
        "evaluation: output",
        ours={"num_groups": 2},
    ),
    Mutant(
        "the batch's moments for each example's",
        "InstanceNorm2d",
        BATCH,
        normal(3, 2, 4),
        "evaluation: output",
        {"instance_norm.moments": lambda x, axes: moments.moments(x, (0, *axes))},
    ),
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
        "tanh for exact",
        "GELU",
        {},
        normal(6),
        "evaluation: output",
        ours={"approximate": "tanh"},
    ),
    Mutant(
        "JAX's slope at 0",
        "LeakyReLU",
        {},
        halves(40),
        "evaluation: gradient of input",
        {"piecewise.leaky_relu": jax.nn.leaky_relu},
    ),
    Mutant(
        "JAX's slope at the ends",
        "Hardtanh",
        {},
        halves(40),
        "evaluation: gradient of input",
        {"piecewise.hardtanh": lambda x, low, high: jnp.clip(x, low, high)},
    ),
    Mutant(
        "a mask for the batch",
        "StochasticDepth",
        {"p": 0.5, "mode": "row"},
        normal(3, 4),
        REPLAYED,
        ours={"mode": "batch"},
    ),
    Mutant(
        "zeros for SELU's limit",
        "AlphaDropout",
        {},
        normal(6),
        "training, step 1: output",
        {"dropout.AlphaDropout.dropped": lambda self, x, keep: x * keep / (1 - self.p)},
    ),
    Mutant(
        "padding not counted",
        "AvgPool2d",
        {"kernel_size": 3, "padding": 1},
        normal(4, 4, 2),
        "evaluation: output",
        ours={"count_include_pad": False},
    ),
    Mutant(
        "ceil_mode lost",
        "MaxPool2d",
        {"kernel_size": 2, "ceil_mode": True},
        normal(5, 5, 2),
        "evaluation: output",
        ours={"ceil_mode": False},
    ),
    Mutant(
        "a tie's gradient shared",
        "MaxPool2d",
        {"kernel_size": 2},
        halves(8, 8, 2),
        "evaluation: gradient of input",
        {"windows.first_maximum": lambda a, b, forced=False: jnp.maximum(a, b)},
    ),
    Mutant(
        "corners aligned",
        "Upsample",
        {"scale_factor": 2, "mode": "bilinear"},
        normal(3, 4, 2),
        "evaluation: output",
        ours={"align_corners": True},
    ),
    Mutant(
        "another bicubic kernel",
        "Upsample",
        {"scale_factor": 2, "mode": "bicubic"},
        normal(3, 4, 2),
        "evaluation: output",
        {"sampling._far": lambda x: ((-0.5 * x + 2.5) * x - 4) * x + 2},
    ),
    Mutant(
        "edges reflected for repeated",
        "ReplicationPad2d",
        {"padding": 1},
        normal(3, 4, 2),
        "evaluation: output",
        {"pads.ReplicationPad2d.mode": "reflect"},
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

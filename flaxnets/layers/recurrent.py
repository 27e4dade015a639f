"""Recurrent networks."""

from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from flaxnets.layers.recurrence import pair
from flaxnets.layers.recurrent_stack import Recurrent, run


class RNN(Recurrent):
    """``torch.nn.RNN``: layers of h = tanh(x @ kernel_ih + bias_ih + h @ kernel_hh + bias_hh).

    Called with a sequence (T, N, input_size), or (N, T, input_size) with ``batch_first``, with
    the first state ``hx`` (layers * directions, N, hidden_size), zeros by default, and ``train``,
    it returns (output, h_n): the hidden states of the last layer, (T, N, directions * hidden_size)
    or (N, T, ...), and the last ones of every layer, shaped as ``hx``, all of the dtype of the
    computation. As in torch, both of a single sequence have no axis N, and ``batch_first`` changes
    nothing in the states.

    Sequences of several lengths, torch's PackedSequence, are refused: fill them up at their ends,
    and read each one's outputs up to its own length. In the backward direction that is not the
    same: it begins with what fills them up.

    Attributes:
        input_size, hidden_size: the sizes of the last axis before and after.
        num_layers: so many, each of which reads the outputs of the one before.
        nonlinearity: "tanh" or "relu".
        use_bias: whether there are biases, two a layer and direction as in torch.
        batch_first: whether the batch is the first axis of the sequences, not the second.
        dropout: the probability of an output of each layer but the last to be zeroed in training.
            The masks, (T, N, directions * hidden_size), one for each of these layers, are drawn,
            recorded and replayed as those of ``Dropout``, below the name ``Dropout_0``.
        bidirectional: whether each layer also goes through time backwards.
        flattened_from: as in ``Linear``, of the input.
        dtype: the dtype of the computation. By default that of the input, the states and the
            parameters together, float32 at least.
        param_dtype: the dtype that parameters are created in, a floating one. They begin uniform
            in +-1/sqrt(hidden_size).

    Raises:
        ValueError: when it is made, if a size is no whole number above 0, ``dropout`` is not in
            [0, 1], or ``nonlinearity`` is another; when it is called, if the input or ``hx`` has
            another shape, or no steps, or is not floating.
        TypeError: when it is made, if a switch is no bool; when it is called with a PackedSequence.
        flax.errors.InvalidRngError: in training, if a mask is to be drawn and there is no
            ``dropout`` key.
    """

    input_size: int
    hidden_size: int
    num_layers: int = 1
    nonlinearity: str = "tanh"
    use_bias: bool = True
    batch_first: bool = False
    dropout: float = 0.0
    bidirectional: bool = False
    flattened_from: tuple[int, ...] | None = None
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, x: jax.Array, hx: jax.Array | None = None, train: bool = False
    ) -> tuple[jax.Array, jax.Array]:
        output, (hidden,) = run(self, x, () if hx is None else (hx,), train)
        return output, hidden


class LSTM(Recurrent):
    """``torch.nn.LSTM``: long short-term memory, its gates in torch's order: i, f, g, o.

    Called as ``RNN`` is, with sequences as (N, T, input_size), but ``hx`` is a pair: (h_0, c_0),
    (layers * directions, N, hidden_size) each, and it returns (output, (h_n, c_n)).

    Attributes:
        input_size, hidden_size, num_layers, use_bias, batch_first, dropout, bidirectional: as in
            ``RNN``.
        proj_size: if it is not 0, the hidden state is projected to this size, which is less than
            ``hidden_size``; outputs and h are of that size then, c is not.
        flattened_from, dtype, param_dtype: as in ``RNN``.

    Raises: as ``RNN`` does, and ValueError for another ``proj_size``, or if ``hx`` is no pair.
    """

    gates: ClassVar[str] = "lstm"
    input_size: int
    hidden_size: int
    num_layers: int = 1
    use_bias: bool = True
    batch_first: bool = False
    dropout: float = 0.0
    bidirectional: bool = False
    proj_size: int = 0
    flattened_from: tuple[int, ...] | None = None
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        hx: tuple[jax.Array, jax.Array] | None = None,
        train: bool = False,
    ) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        output, (hidden, cell) = run(self, x, pair(self, hx), train)
        return output, (hidden, cell)


class GRU(Recurrent):
    """``torch.nn.GRU``: gated recurrent units, their gates in torch's order: r, z, n.

    Called as ``RNN`` is, with sequences as (N, T, input_size), of the same dtypes. The bias of the
    hidden state's part of n is within the product with r, as in torch.

    Attributes:
        input_size, hidden_size, num_layers, use_bias, batch_first, dropout, bidirectional: as in
            ``RNN``.
        flattened_from, dtype, param_dtype: as in ``RNN``.

    Raises: as ``RNN`` does.
    """

    gates: ClassVar[str] = "gru"
    input_size: int
    hidden_size: int
    num_layers: int = 1
    use_bias: bool = True
    batch_first: bool = False
    dropout: float = 0.0
    bidirectional: bool = False
    flattened_from: tuple[int, ...] | None = None
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, x: jax.Array, hx: jax.Array | None = None, train: bool = False
    ) -> tuple[jax.Array, jax.Array]:
        output, (hidden,) = run(self, x, () if hx is None else (hx,), train)
        return output, hidden

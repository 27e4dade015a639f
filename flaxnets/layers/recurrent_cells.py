"""Recurrent cells: one step of a recurrent network."""

from collections.abc import Iterator
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from flaxnets.layers.base import Module, Tensor
from flaxnets.layers.floating import floating
from flaxnets.layers.parameters import check_last_axis
from flaxnets.layers.recurrence import (
    State,
    check_options,
    chosen,
    kind_of,
    made,
    pair,
    tensors,
)


class Cell(Module):
    """What the three have in common; their fields stand in each, in torch's order."""

    reads_features: ClassVar[bool] = True
    makes_features: ClassVar[bool] = True
    gates: ClassVar[str] = ""  # of ``KINDS``, if no field says which

    def __post_init__(self: Any) -> None:
        check_options(self, "input_size", "hidden_size")
        super().__post_init__()

    def tensors(self: Any) -> Iterator[Tensor]:
        """``weight_ih``, ``weight_hh``, ``bias_ih``, ``bias_hh``."""
        yield from tensors(self, kind_of(self), self.input_size, "", self.flattened_from)

    def extra_repr(self: Any) -> str:
        text = f"{self.input_size}, {self.hidden_size}" + ("" if self.use_bias else ", bias=False")
        nonlinearity = getattr(self, "nonlinearity", "tanh")
        return text + (f", nonlinearity={nonlinearity}" if nonlinearity != "tanh" else "")


class RNNCell(Cell):
    """``torch.nn.RNNCell``: a step of ``RNN``, (N, input_size) -> (N, hidden_size).

    Called with the input and the state ``hx`` (N, hidden_size), zeros by default, it returns the
    next state, of the dtype of the computation. As in torch, neither of a single one has an axis N.

    Attributes:
        input_size, hidden_size: the sizes of the last axis before and after.
        use_bias: whether there are biases, two as in torch.
        nonlinearity: "tanh" or "relu".
        flattened_from, dtype, param_dtype: as in ``RNN``.

    Raises:
        ValueError: when it is made, if a size is no whole number above 0, or ``nonlinearity`` is
            another; when it is called, if the input or ``hx`` has another shape, or is not
            floating.
        TypeError: when it is made, if ``use_bias`` is no bool.
    """

    input_size: int
    hidden_size: int
    use_bias: bool = True
    nonlinearity: str = "tanh"
    flattened_from: tuple[int, ...] | None = None
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, hx: jax.Array | None = None) -> jax.Array:
        return _stepped(self, x, () if hx is None else (hx,))[0]


class LSTMCell(Cell):
    """``torch.nn.LSTMCell``: a step of ``LSTM``, (N, input_size) -> (N, hidden_size) twice.

    Called as ``RNNCell`` is, but ``hx`` is a pair, (h, c), and so is what it returns.

    Attributes:
        input_size, hidden_size, use_bias, flattened_from, dtype, param_dtype: as in ``RNNCell``.

    Raises: as ``RNNCell`` does, and ValueError if ``hx`` is no pair.
    """

    gates: ClassVar[str] = "lstm"
    input_size: int
    hidden_size: int
    use_bias: bool = True
    flattened_from: tuple[int, ...] | None = None
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, x: jax.Array, hx: tuple[jax.Array, jax.Array] | None = None
    ) -> tuple[jax.Array, jax.Array]:
        hidden, cell = _stepped(self, x, pair(self, hx))
        return hidden, cell


class GRUCell(Cell):
    """``torch.nn.GRUCell``: a step of ``GRU``, (N, input_size) -> (N, hidden_size).

    Called as ``RNNCell`` is.

    Attributes:
        input_size, hidden_size, use_bias, flattened_from, dtype, param_dtype: as in ``RNNCell``.

    Raises: as ``RNNCell`` does.
    """

    gates: ClassVar[str] = "gru"
    input_size: int
    hidden_size: int
    use_bias: bool = True
    flattened_from: tuple[int, ...] | None = None
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, hx: jax.Array | None = None) -> jax.Array:
        return _stepped(self, x, () if hx is None else (hx,))[0]


def _stepped(layer: Any, x: jax.Array, hx: tuple[jax.Array, ...]) -> State:
    """The next state of a cell."""
    if x.ndim not in (1, 2):
        raise ValueError(f"{layer} takes (N, features) or (features,), got {x.shape}")
    check_last_axis(layer, x, layer.input_size)
    x = floating(type(layer).__name__, x)
    expected = (*x.shape[:-1], layer.hidden_size)
    if any(state.shape != expected for state in hx):
        shapes = ", ".join(str(state.shape) for state in hx)
        raise ValueError(f"{layer} takes a state of {expected}, got {shapes}")
    kind = kind_of(layer)
    begun = hx or (jnp.zeros(expected, x.dtype),) * kind.states
    (x, *state), arrays = made(layer, x, *begun)
    own = chosen(arrays)
    return own.next(kind.step, tuple(state), own.of_input(x))

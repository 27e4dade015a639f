"""What recurrent layers have in common: their gates, their arrays, and a walk through time."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from flaxnets.layers.base import Tensor
from flaxnets.layers.floating import in_one_dtype
from flaxnets.layers.parameters import mapped, matrix, uniform

State = tuple[jax.Array, ...]
"""The hidden state, (N, hidden), and after it an LSTM's cell state."""

Step = Callable[[State, jax.Array, jax.Array], State]
"""What becomes of a state by its gates, (N, gates * hidden): from the input, from itself."""


class Kind(NamedTuple):
    """What makes a network recurrent: gates, so many times the hidden state, and states."""

    step: Step
    gates: int
    states: int


def _tanh(state: State, of_input: jax.Array, of_hidden: jax.Array) -> State:
    return (jnp.tanh(of_input + of_hidden),)


def _relu(state: State, of_input: jax.Array, of_hidden: jax.Array) -> State:
    return (nn.relu(of_input + of_hidden),)


def _lstm(state: State, of_input: jax.Array, of_hidden: jax.Array) -> State:
    i, f, g, o = jnp.split(of_input + of_hidden, 4, axis=-1)
    cell = nn.sigmoid(f) * state[1] + nn.sigmoid(i) * jnp.tanh(g)
    return nn.sigmoid(o) * jnp.tanh(cell), cell


def _gru(state: State, of_input: jax.Array, of_hidden: jax.Array) -> State:
    (input_r, input_z, input_n), (r, z, n) = (
        jnp.split(gates, 3, axis=-1) for gates in (of_input, of_hidden)
    )
    new = jnp.tanh(input_n + nn.sigmoid(input_r + r) * n)  # the bias of n is within the product
    return (new + nn.sigmoid(input_z + z) * (state[0] - new),)


KINDS = {
    "tanh": Kind(_tanh, 1, 1),
    "relu": Kind(_relu, 1, 1),
    "lstm": Kind(_lstm, 4, 2),
    "gru": Kind(_gru, 3, 1),
}


def kind_of(layer: Any) -> Kind:
    """What makes a layer recurrent."""
    return KINDS[getattr(layer, "nonlinearity", layer.gates)]


class Arrays(NamedTuple):
    """Those of one layer in one direction; kernels are (in, out)."""

    kernel_ih: jax.Array
    kernel_hh: jax.Array
    bias_ih: jax.Array | None
    bias_hh: jax.Array | None
    kernel_hr: jax.Array | None

    def of_input(self, x: jax.Array) -> jax.Array:
        """The input's part of the gates."""
        return mapped(x, self.kernel_ih, self.bias_ih)

    def next(self, step: Step, state: State, of_input: jax.Array) -> State:
        """The state after a step."""
        hidden, *cell = step(state, of_input, mapped(state[0], self.kernel_hh, self.bias_hh))
        return (hidden if self.kernel_hr is None else hidden @ self.kernel_hr, *cell)


def tensors(
    layer: Any,
    kind: Kind,
    inputs: int,
    suffix: str = "",
    flattened_from: tuple[int, ...] | None = None,
) -> Iterator[Tensor]:
    """What torch calls the arrays of one layer in one direction, in its order."""
    width, proj = kind.gates * layer.hidden_size, getattr(layer, "proj_size", 0)
    shapes = {"ih": (width, inputs), "hh": (width, proj or layer.hidden_size)}
    for part, shape in shapes.items():
        declared = flattened_from if part == "ih" else None
        yield matrix(f"weight_{part}{suffix}", f"kernel_{part}{suffix}", shape, declared)
    for part in shapes if layer.use_bias else ():
        name = f"bias_{part}{suffix}"
        yield Tensor(name, ("params", name), (width,), (width,))
    if proj:
        yield matrix(f"weight_hr{suffix}", f"kernel_hr{suffix}", (proj, layer.hidden_size))


def made(layer: Any, *given: jax.Array) -> tuple[list[jax.Array], dict[str, jax.Array]]:
    """What a layer was given, and its arrays by their names, in the dtype of the computation."""
    init = uniform(layer.hidden_size)
    arrays = {
        tensor.path[-1]: layer.param(tensor.path[-1], init, tensor.ours, layer.param_dtype)
        for tensor in layer.tensors()
    }
    same = in_one_dtype(layer, *given, *arrays.values())
    return same[: len(given)], dict(zip(arrays, same[len(given) :], strict=True))


def chosen(arrays: Mapping[str, jax.Array], suffix: str = "") -> Arrays:
    """Those of one layer in one direction."""
    kernels = (arrays[f"{name}{suffix}"] for name in ("kernel_ih", "kernel_hh"))
    rest = (arrays.get(f"{name}{suffix}") for name in ("bias_ih", "bias_hh", "kernel_hr"))
    return Arrays(*kernels, *rest)


def through_time(
    kind: Kind, arrays: Arrays, x: jax.Array, state: State, reverse: bool
) -> tuple[jax.Array, State]:
    """(T, N, C) -> the hidden states (T, N, hidden), and the state after the last step."""

    def step(state: State, of_input: jax.Array) -> tuple[State, jax.Array]:
        state = arrays.next(kind.step, state, of_input)
        return state, state[0]

    # The input's part does not wait for the steps: one product for all of them.
    last, hidden = jax.lax.scan(step, state, arrays.of_input(x), reverse=reverse)
    return hidden, last


def pair(layer: Any, hx: Any) -> tuple[jax.Array, ...]:
    """The states that an LSTM was given, none or two. Raises ValueError for others."""
    if hx is None:
        return ()
    if not isinstance(hx, tuple | list) or len(hx) != 2:
        raise ValueError(f"{layer} takes hx=(h, c), a pair of states; got {type(hx).__name__}")
    return (*hx,)


def check_options(layer: Any, *names: str) -> None:
    """Raise ValueError for sizes of these names that are none, or an unknown nonlinearity.

    TypeError for a switch that is no bool: torch's positions may be one off.
    """
    for name in names:
        value = getattr(layer, name)
        if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
            raise ValueError(f"{name} must be a whole number above 0, got {value!r}")
    if not isinstance(layer.use_bias, bool):
        raise TypeError(f"use_bias must be a bool, got {layer.use_bias!r}")
    nonlinearity = getattr(layer, "nonlinearity", "tanh")
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")

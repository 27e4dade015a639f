"""Layers of steps through time, one after another, in one direction or in both."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from flaxnets.layers.base import Module, Tensor
from flaxnets.layers.dropout import Dropout
from flaxnets.layers.floating import floating
from flaxnets.layers.parameters import check_last_axis
from flaxnets.layers.recurrence import (
    State,
    check_options,
    chosen,
    kind_of,
    made,
    tensors,
    through_time,
)


class Recurrent(Module):
    """What the three have in common; their fields stand in each, in torch's order."""

    reads_features: ClassVar[bool] = True
    makes_features: ClassVar[bool] = True
    gates: ClassVar[str] = ""  # of ``KINDS``, if no field says which

    def __post_init__(self: Any) -> None:
        check_options(self, "input_size", "hidden_size", "num_layers")
        is_number = isinstance(self.dropout, int | float) and not isinstance(self.dropout, bool)
        if not is_number or not 0 <= self.dropout <= 1:
            raise ValueError(f"dropout must be a number from 0 to 1, got {self.dropout!r}")
        for name in ("batch_first", "bidirectional"):
            if not isinstance(value := getattr(self, name), bool):
                raise TypeError(f"{name} must be a bool, got {value!r}")
        proj = getattr(self, "proj_size", 0)
        if not 0 <= proj < self.hidden_size:
            raise ValueError(f"proj_size must be from 0 to below hidden_size, got {proj}")
        super().__post_init__()

    def tensors(self: Any) -> Iterator[Tensor]:
        """``weight_ih_l0``, ``weight_hh_l0``, ``bias_ih_l0``, ... a layer and direction each."""
        for layer in range(self.num_layers):
            inputs = len(_directions(self)) * _outputs(self) if layer else self.input_size
            declared = None if layer else self.flattened_from
            for direction in _directions(self):
                yield from tensors(self, kind_of(self), inputs, f"_l{layer}{direction}", declared)

    def extra_repr(self: Any) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if proj := getattr(self, "proj_size", 0):
            text += f", proj_size={proj}"
        text += f", num_layers={self.num_layers}" if self.num_layers != 1 else ""
        text += "" if self.use_bias else ", bias=False"
        text += ", batch_first=True" if self.batch_first else ""
        text += f", dropout={float(self.dropout)}" if self.dropout else ""
        return text + (", bidirectional=True" if self.bidirectional else "")


def run(layer: Any, x: jax.Array, hx: Sequence[jax.Array], train: bool) -> tuple[jax.Array, State]:
    """The outputs and the last states, as torch has them; ``hx`` is empty if none are given."""
    x = _checked(layer, x)
    is_single, batch_axis = x.ndim == 2, 0 if layer.batch_first else 1
    x = jnp.expand_dims(x, batch_axis) if is_single else x
    x = x.swapaxes(0, 1) if layer.batch_first else x
    hx = [jnp.expand_dims(state, 1) if is_single else state for state in hx]
    (x, *hx), arrays = made(layer, x, *_begun(layer, x, hx))
    x, last = _through_layers(layer, x, hx, arrays, train)
    x = x.swapaxes(0, 1) if layer.batch_first else x
    if not is_single:
        return x, last
    return x.squeeze(batch_axis), tuple(state.squeeze(1) for state in last)


def _through_layers(
    layer: Any, x: jax.Array, hx: Sequence[jax.Array], arrays: Any, train: bool
) -> tuple[jax.Array, State]:
    """(T, N, C) and states (layers * directions, N, size) -> the same of the outputs."""
    drops = layer.num_layers > 1 and layer.dropout
    dropout = Dropout(layer.dropout) if drops else None  # a call, and a mask, for each layer
    lasts: list[State] = []
    for i in range(layer.num_layers):
        x = dropout(x, train) if i and dropout else x
        sides = []
        for direction in _directions(layer):
            state = tuple(each[len(lasts)] for each in hx)
            own = chosen(arrays, f"_l{i}{direction}")
            out, last = through_time(kind_of(layer), own, x, state, bool(direction))
            sides.append(out)
            lasts.append(last)
        x = jnp.concatenate(sides, axis=-1)
    return x, tuple(jnp.stack(states) for states in zip(*lasts, strict=True))


def _directions(layer: Any) -> tuple[str, ...]:
    """What torch has behind the names of each direction's arrays."""
    return ("", "_reverse") if layer.bidirectional else ("",)


def _outputs(layer: Any) -> int:
    """The size of the hidden state of one direction."""
    size: int = getattr(layer, "proj_size", 0) or layer.hidden_size
    return size


def _checked(layer: Any, x: Any) -> jax.Array:
    if hasattr(x, "batch_sizes"):
        raise TypeError(
            f"{type(layer).__name__} takes no PackedSequence: give the sequences filled up at "
            "their ends, an array, and read each one's outputs up to its own length"
        )
    if x.ndim not in (2, 3):
        raise ValueError(
            f"{layer} takes (N, T, features), (T, N, features) without batch_first, or "
            f"(T, features); got {x.shape}"
        )
    check_last_axis(layer, x, layer.input_size)
    return floating(type(layer).__name__, x)


def _begun(layer: Any, x: jax.Array, hx: Sequence[jax.Array]) -> list[jax.Array]:
    """The first states, zeros if none are given; x is (T, N, C)."""
    if x.shape[0] == 0:
        raise ValueError(f"{layer} takes sequences of one step at least, got none")
    count = layer.num_layers * len(_directions(layer))
    sizes = (_outputs(layer), layer.hidden_size)[: kind_of(layer).states]
    expected = [(count, x.shape[1], size) for size in sizes]
    if hx and [state.shape for state in hx] != expected:
        raise ValueError(
            f"{layer} takes first states of {', '.join(map(str, expected))}, got "
            f"{', '.join(str(state.shape) for state in hx)}"
        )
    return [*hx] or [jnp.zeros(shape, x.dtype) for shape in expected]

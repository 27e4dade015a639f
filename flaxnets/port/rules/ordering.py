"""Along axes: turned round, shifted, repeated, summed up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flaxnets.port.operation import Operation, Refused, Written

Make = Callable[[Operation], Written | None]


def _axes(op: Operation, dims: Any) -> str:
    if op.lies(op.input).flat:
        op.analysis.wish(op.lies(op.input).origin, "torch")
    found = [op.axis(dim) for dim in ([dims] if isinstance(dims, int) else dims)]
    return str(found[0]) if len(found) == 1 else f"({', '.join(map(str, found))})"


def _flip(op: Operation) -> Written:
    dims: Any = op["dims"]
    dims = dims[0] if dims and not isinstance(dims[0], int) else dims
    axes = _axes(op, dims)
    op.gives(op.lies(op.input))
    return op.written(f"jnp.flip({{input}}, axis={axes})")


def _roll(op: Operation) -> Written:
    if op["dims"] is None:
        raise Refused("roll of a flattened tensor", "say the axis: dims=1")
    axes = _axes(op, op["dims"])
    op.gives(op.lies(op.input))
    return op.written(f"jnp.roll({{input}}, {{shifts}}, axis={axes})")


def _summed_up(op: Operation) -> Written:
    axis = _axes(op, op["dim"])
    op.gives(op.lies(op.input))
    return op.written(f"jnp.{op.event.name}({{input}}, axis={axis})")


def _repeated(op: Operation) -> Written:
    if not isinstance(op["repeats"], int) or op["dim"] is None:
        raise Refused("repeat_interleave by a tensor, or without dim", "say a number and an axis")
    axis = _axes(op, op["dim"])
    op.gives(op.lies(op.input))
    return op.written(f"jnp.repeat({{input}}, {{repeats}}, axis={axis})")


RULES: dict[str, tuple[str, Make]] = {
    "flip": ("input *dims", _flip),
    "roll": ("input shifts dims", _roll),
    "cumsum": ("input dim", _summed_up),
    "cumprod": ("input dim", _summed_up),
    "repeat_interleave": ("input repeats dim", _repeated),
}

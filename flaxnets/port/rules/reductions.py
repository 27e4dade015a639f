"""Sums, means and the like over some axes, and softmax along one."""

from collections.abc import Callable
from typing import Any

import torch

from flaxnets.port.operation import Operation, Refused, Written
from flaxnets.port.rules import elementwise

Make = Callable[[Operation], Written | None]


def reduction(function: str, more: str = "") -> Make:
    """Over the axes ``dim``, or all."""

    def rule(op: Operation) -> Written:
        dims, keep = _dims(op["dim"]), bool(op["keepdim"])
        options = ""
        if dims is not None:
            options += f", axis={_axes(op, dims)}"
        if keep:
            options += ", keepdims=True"
        _give(op, dims, keep)
        return op.written(f"{function}({{input}}{options}{more})")

    return rule


def _dims(dim: Any) -> tuple[int, ...] | None:
    if dim is None or dim == ():
        return None
    return (dim,) if isinstance(dim, int) else tuple(dim)


def _axes(op: Operation, dims: tuple[int, ...]) -> str:
    found = [op.axis(dim) for dim in dims]
    return str(found[0]) if len(found) == 1 else f"({', '.join(map(str, sorted(found)))})"


def _give(op: Operation, dims: tuple[int, ...] | None, keep: bool) -> None:
    """What is left: maps, if the channels are left."""
    layout = op.lies(op.input)
    if layout.flat:
        if dims is None or {dim % op.rank for dim in dims} == {op.rank - 1}:
            return op.gives()
        return op.gives(layout)
    gone = set() if dims is None or keep else {dim % op.rank for dim in dims}
    op.gives(layout._replace(last=layout.last and dims is not None and not gone & {0, 1}))


def _variance(function: str) -> Make:
    def rule(op: Operation) -> Written | None:
        unbiased = op["unbiased"] is not False and op["correction"] in (None, 1)
        return reduction(function, ", ddof=1" if unbiased else "")(op)

    return rule


def _extreme(function: str) -> Make:
    """``max``: of all numbers, or of two tensors; along an axis torch gives the places too."""

    def rule(op: Operation) -> Written | None:
        is_one = isinstance(op.event.out, torch.Tensor) and op.event.out.ndim == 0
        if is_one and op["dim"] is None:
            return reduction(f"jnp.{function}")(op)
        if isinstance(op.event.out, torch.Tensor):  # of two tensors
            elementwise.agree(op, ["input", "dim"])
            return op.written(f"jnp.{function}imum({{input}}, {{dim}})")
        axis, keep = op.axis(op["dim"]), bool(op["keepdim"])
        _give(op, _dims(op["dim"]), keep)
        more = ", keepdims=True" if keep else ""
        return op.written(f"layers.{function}({{input}}, axis={axis}{more})")

    return rule


def _place(function: str) -> Make:
    def rule(op: Operation) -> Written | None:
        if op["dim"] is None:
            op.want("input")
        return reduction(f"jnp.{function}")(op)

    return rule


def _softmax(function: str) -> Make:
    def rule(op: Operation) -> Written:
        if (dim := op["dim"]) is None:
            raise Refused(f"{op.event.name} without dim", "say the axis: dim=1")
        op.gives(op.lies(op.input))
        place = op.axis(dim)
        is_default = place == -1 or place == op.rank - 1
        return op.written(f"{function}({{input}}{'' if is_default else f', axis={place}'})")

    return rule


def _norm(op: Operation) -> Written:
    """``F.normalize``: a gradient of its own at nothing but zeros."""
    if op["p"] not in (None, 2, 2.0):
        raise Refused("normalize with another p than 2", "write it by hand")
    dim = 1 if op["dim"] is None else op["dim"]
    op.gives(op.lies(op.input))
    eps = "" if op["eps"] is None else f", eps={op['eps']}"
    return op.written(f"layers.normalize({{input}}, axis={op.axis(dim)}{eps})")


RULES: dict[str, tuple[str, Make]] = {
    "mean": ("input dim keepdim", reduction("jnp.mean")),
    "sum": ("input dim keepdim", reduction("jnp.sum")),
    "prod": ("input dim keepdim", reduction("jnp.prod")),
    "amax": ("input dim keepdim", reduction("jnp.max")),
    "amin": ("input dim keepdim", reduction("jnp.min")),
    "all": ("input dim keepdim", reduction("jnp.all")),
    "any": ("input dim keepdim", reduction("jnp.any")),
    "logsumexp": ("input dim keepdim", reduction("jax.nn.logsumexp")),
    "var": ("input dim unbiased keepdim correction", _variance("jnp.var")),
    "std": ("input dim unbiased keepdim correction", _variance("jnp.std")),
    "max": ("input dim keepdim", _extreme("max")),
    "min": ("input dim keepdim", _extreme("min")),
    "argmax": ("input dim keepdim", _place("argmax")),
    "argmin": ("input dim keepdim", _place("argmin")),
    "normalize": ("input p dim eps", _norm),
    "softmax": ("input dim", _softmax("nn.softmax")),
    "log_softmax": ("input dim", _softmax("nn.log_softmax")),
}

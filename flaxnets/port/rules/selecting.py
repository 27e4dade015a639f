"""Parts of tensors by indices and slices."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import torch

from flaxnets.port import layouts
from flaxnets.port.operation import Operation, Refused, Written

Make = Callable[[Operation], Written | None]


def _item(op: Operation) -> Written | None:
    node, layout = op.event.node, op.lies(op.input)
    if not isinstance(node, ast.Subscript):
        op.want("input")
        op.gives()
        return None
    index = op["index"] if isinstance(op["index"], tuple) else (op["index"],)
    if any(isinstance(each, torch.Tensor) and each.dtype == torch.bool for each in index):
        raise Refused("a selection by a mask", "its size depends on data: use torch.where")
    if layout.flat:
        op.analysis.wish(layout.origin, "torch")
    if layout.last and _are_slices(index):
        op.gives(layout)
        return _of_maps(op, node, index)
    op.want("input")
    op.gives()
    return op.written("{input}[" + "{index}" + "]")


def _are_slices(index: tuple[Any, ...]) -> bool:
    return all(isinstance(each, slice) or each is Ellipsis for each in index)


def _of_maps(op: Operation, node: ast.Subscript, index: tuple[Any, ...]) -> Written:
    """Slices of maps: each on the axis that lies here."""
    count = len(node.slice.elts) if isinstance(node.slice, ast.Tuple) else 1
    places: list[int | None] = [None] * op.rank
    place = 0
    for i, each in enumerate(index):
        if each is Ellipsis:
            place = op.rank - (count - i - 1)
            continue
        places[place] = i
        place += 1
    order = [places[dim] for dim in layouts.held(True, op.rank)]
    texts = [":" if i is None else f"{{index[{i}]}}" for i in order]
    while texts and texts[-1] == ":":
        texts.pop()
    if len(texts) == op.rank and set(texts[:-1]) == {":"}:
        texts = ["...", texts[-1]]
    return op.written(f"{{input}}[{', '.join(texts)}]")


def _narrow(op: Operation) -> Written:
    layout = op.lies(op.input)
    op.gives(layout)
    place = op.axis(op["dim"])
    return op.written(
        f"jax.lax.slice_in_dim({{input}}, {{start}}, {{start}} + {{length}}, axis={place})"
    )


def _select(op: Operation) -> Written:
    op.want("input")
    op.gives()
    return op.written("jnp.take({input}, {index}, axis={dim})")


RULES: dict[str, tuple[str, Make]] = {
    "__getitem__": ("input index", _item),
    "narrow": ("input dim start length", _narrow),
    "select": ("input dim index", _select),
    "index_select": ("input dim index", _select),
}

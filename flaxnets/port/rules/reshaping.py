"""Other shapes: flattening, views, permutations, axes that come and go."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from typing import Any

from flaxnets.port import layouts
from flaxnets.port.layouts import Layout
from flaxnets.port.operation import Operation, Refused, Written

Make = Callable[[Operation], Written | None]
ORDER = "in torch's order: channels, height, width"
BATCH = "say x.size(0), or -1, where the batch is"


def _flatten(op: Operation) -> Written:
    start = (op["start_dim"] or 0) % op.rank
    end = (-1 if op["end_dim"] is None else op["end_dim"]) % op.rank
    layout = op.lies(op.input)
    if start == end or layout.flat:
        op.gives(layout)
        return op.written("{input}")
    is_whole = start == 1 and end == op.rank - 1
    rows = "{input}.reshape({input}.shape[0], -1)"
    if not isinstance(op.nodes["input"], ast.Name | ast.Attribute):
        rows = "jax.lax.collapse({input}, 1)"
    if layout.last and is_whole:
        return _features(op, rows)
    if layout.last and start > 1:
        op.gives(True)
        return op.written(f"jax.lax.collapse({{input}}, {start - 1}, {end})")
    op.want("input")
    op.gives()
    if is_whole:
        return op.written(rows)
    stop = "" if end == op.rank - 1 else f", {end + 1}"
    return op.written(f"jax.lax.collapse({{input}}, {start}{stop})")


def _features(op: Operation, template: str) -> Written:
    """Maps flattened as they lie, if all that reads them can be told so."""
    maps = _maps(op)
    if math.prod(maps[:-1]) == 1 or maps[-1] == 1:  # one order
        op.gives()
    elif op.wish == "torch":
        op.gives()
        op.wraps["input"] = layouts.moved("{}", False, op.rank)
        op.comment = ORDER
    else:
        op.gives(Layout(flat=maps))
    return op.written(template)


def _maps(op: Operation) -> tuple[int, ...]:
    _, channels, *places = op.input.shape
    return (*places, channels)


def _view(op: Operation) -> Written:
    """``view`` and ``reshape``."""
    before, after = tuple(op.input.shape), tuple(op.event.out.shape)
    layout = op.lies(op.input)
    if layout.last and len(after) == 2 and after[0] == before[0]:
        return _features(op, "{input}.reshape({sizes})")
    if layout.last and before[:2] == after[:2] and len(after) == 3:
        return _reordered(op, [0, 2, 1])
    if layout.flat and after[:1] == before[:1] and _last_of(after) == layout.flat:
        return _reordered(op, [0, *range(2, len(after)), 1])
    if layout.flat and before != after:
        op.analysis.wish(layout.origin, "torch")
    if before == after:
        op.gives(layout)
        return op.written("{input}")
    op.want("input")
    if op.wish == "last" and len(after) > 2 and max(after[2:]) == 1 and len(before) == 2:
        return _reordered(op, [0, *range(2, len(after)), 1])
    op.gives(op.wish == "last")
    text = "{input}.reshape({sizes})"
    if op.wish == "last":
        op.comment = "channels last, as what follows reads them"
    return op.written(layouts.moved(text, True, len(after)) if op.wish == "last" else text)


def _last_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape[2:], *shape[1:2])


def _reordered(op: Operation, order: list[int]) -> Written:
    """Sizes in another order, where each is written by itself."""
    op.gives(True)
    sizes = op.nodes_of_sizes()
    if len(sizes) != len(order):
        raise Refused(f"sizes that are not written one by one in {op.event.name}", "write them so")
    names = ", ".join(f"{{sizes[{i}]}}" for i in order)
    return op.written(f"{{input}}.reshape({names})")


def _permute(op: Operation) -> Written:
    dims = op["dims"]
    dims = dims[0] if dims and not isinstance(dims[0], int) else dims
    return _permuted(op, [dim % op.rank for dim in dims])


def _transpose(op: Operation) -> Written:
    dims = [*range(op.rank)]
    a, b = op["dim0"] % op.rank, op["dim1"] % op.rank
    dims[a], dims[b] = dims[b], dims[a]
    return _permuted(op, dims)


def _t(op: Operation) -> Written:
    if op.rank > 2:
        return _permuted(op, [*range(op.rank)][::-1])
    return _permuted(op, [1, 0] if op.rank == 2 else [0])


def _mt(op: Operation) -> Written:
    dims = [*range(op.rank)]
    return _permuted(op, [*dims[:-2], dims[-1], dims[-2]])


def _permuted(op: Operation, dims: list[int]) -> Written:
    """Where only the names of axes change, nothing is moved."""
    layout, rank = op.lies(op.input), op.rank
    if layout.flat:
        op.analysis.wish(layout.origin, "torch")
    lying = layouts.held(layout.last, rank)
    wanted = [lying.index(dim) for dim in dims]  # as in torch
    as_last = [wanted[i] for i in layouts.held(True, rank)]
    if op.wish == "last" or (op.wish != "torch" and rank > 2 and as_last == [*range(rank)]):
        op.gives(True)
        return op.written(_moving(as_last))
    op.gives()
    return op.written(_moving(wanted))


def _moving(order: list[int]) -> str:
    """The template that brings axes in this order."""
    if order == [*range(len(order))]:
        return "{input}"
    moved = [i for i, j in enumerate(order) if i != j]
    if len(moved) == 2:
        a, b = (
            i - len(order) if moved == [*range(len(order))][-2:] and len(order) > 2 else i
            for i in moved
        )
        return "{input}.T" if len(order) == 2 else f"{{input}}.swapaxes({a}, {b})"
    return f"{{input}}.transpose({', '.join(map(str, order))})"


def _unsqueeze(op: Operation) -> Written:
    dim, layout = op["dim"] % (op.rank + 1), op.lies(op.input)
    if layout.flat:
        op.analysis.wish(layout.origin, "torch")
    if layout.last and dim >= 2:
        op.gives(True)
        return op.written(f"jnp.expand_dims({{input}}, {dim - 1})")
    op.want("input")
    if op.wish == "last" and dim == 1 and op.rank > 1:
        op.gives(True)
        return op.written("jnp.expand_dims({input}, -1)")
    op.gives()
    return op.written(f"jnp.expand_dims({{input}}, {op['dim']})")


def _squeeze(op: Operation) -> Written:
    dims = op["dim"]
    before = op.input.shape
    if dims is None:
        raise Refused("squeeze without dim", "say the axis: a batch of one would go too")
    dims = [dims] if isinstance(dims, int) else list(dims)
    gone = sorted(dim % op.rank for dim in dims if before[dim] == 1)
    if not gone:
        op.gives(op.lies(op.input))
        return op.written("{input}")
    layout = op.lies(op.input)
    places = [op.axis(dim) for dim in gone]
    rank = op.rank - len(gone)
    op.gives(layout._replace(last=layout.last and not {0, 1} & {*gone} and rank > 2))
    axes = str(places[0]) if len(places) == 1 else str(tuple(places))
    return op.written(f"{{input}}.squeeze({axes})")


def _expand(op: Operation) -> Written:
    op.want("input")
    op.gives()
    sizes = op["sizes"]
    sizes = sizes[0] if sizes and not isinstance(sizes[0], int) else sizes
    if -1 not in sizes:
        return op.written("jnp.broadcast_to({input}, ({sizes}))")
    offset = len(sizes) - op.rank
    first = sizes.index(-1)
    if all(size == -1 for size in sizes[first:]):
        names = "".join(f"{{sizes[{i}]}}, " for i in range(first))
        rest = f"*{{input}}.shape[{first - offset}:]"
        return op.written(f"jnp.broadcast_to({{input}}, ({names}{rest}))")
    names = ", ".join(
        f"{{input}}.shape[{i - offset}]" if size == -1 else f"{{sizes[{i}]}}"
        for i, size in enumerate(sizes)
    )
    return op.written(f"jnp.broadcast_to({{input}}, ({names}))")


def _expand_as(op: Operation) -> Written:
    op.want("input")
    op.want("other")
    op.gives()
    return op.written("jnp.broadcast_to({input}, {other}.shape)")


def _repeat(op: Operation) -> Written:
    op.want("input")
    op.gives()
    return op.written("jnp.tile({input}, ({sizes},))")


def _shape(op: Operation) -> Written | None:
    """``shape`` and ``size``: axes are those that lie here."""
    dim: Any = op["dim"]
    layout = op.lies(op.input)
    if layout.flat or not layout.last:
        text = "{input}.shape" if dim is None else f"{{input}}.shape[{dim}]"
        return op.written(text)
    if dim is not None:
        return op.written(f"{{input}}.shape[{op.axis(dim)}]")
    op.analysis.shape(op.event.node, op.rank)
    return op.written("{input}.shape")


def _nothing(op: Operation) -> Written:
    return op.written("{input}.ndim")


def _numel(op: Operation) -> Written:
    return op.written("{input}.size")


def _len(_: Operation) -> None:
    """The batch is first, here too."""


RULES: dict[str, tuple[str, Make]] = {
    "flatten": ("input start_dim end_dim", _flatten),
    "view": ("input *sizes", _view),
    "reshape": ("input *sizes", _view),
    "permute": ("input *dims", _permute),
    "transpose": ("input dim0 dim1", _transpose),
    "swapaxes": ("input dim0 dim1", _transpose),
    "t": ("input", _t),
    "__getT": ("input", _t),
    "__getmT": ("input", _mt),
    "unsqueeze": ("input dim", _unsqueeze),
    "squeeze": ("input dim", _squeeze),
    "expand": ("input *sizes", _expand),
    "expand_as": ("input other", _expand_as),
    "repeat": ("input *sizes", _repeat),
    "size": ("input dim", _shape),
    "__getshape": ("input", _shape),
    "dim": ("input", _nothing),
    "__getndim": ("input", _nothing),
    "numel": ("input", _numel),
    "nelement": ("input", _numel),
    "__len__": ("input", _len),
}

"""Several tensors made one, and one several."""

import ast
from collections.abc import Callable
from typing import Any

from flaxnets.port.operation import Operation, Refused, Written

Make = Callable[[Operation], Written | None]


def _cat(op: Operation) -> Written:
    tensors = op["tensors"]
    is_last = any(op.lies(each).last for each in tensors)
    op.want("tensors", is_last)
    first = max(tensors, key=lambda each: op.lies(each).last)
    dim = op["dim"] or 0
    op.gives(is_last)
    place = op.axis(dim, first) if is_last else dim
    return op.written(f"jnp.concatenate({{tensors}}, axis={place})")


def _stack(op: Operation) -> Written:
    op.want("tensors")
    op.gives()
    dim = op["dim"] or 0
    return op.written("jnp.stack({tensors})" if dim == 0 else f"jnp.stack({{tensors}}, axis={dim})")


def _chunk(op: Operation) -> Written:
    return _parts(op, equally="{chunks}")


def _split(op: Operation) -> Written:
    return _parts(op, equally=None)


def _parts(op: Operation, equally: str | None) -> Written:
    dim, parts = op["dim"] or 0, op.event.out
    layout = op.lies(op.input)
    if layout.flat:
        op.analysis.wish(layout.origin, "torch")
    if dim % op.rank == 0:
        raise Refused(f"{op.event.name} of the batch", "split the batch outside of the network")
    sizes = [part.shape[dim] for part in parts]
    op.gives(layout)
    place = op.axis(dim)
    if equally is None and isinstance(op["split_size_or_sections"], int):
        if not isinstance(op.nodes.get("input"), ast.Name | ast.Attribute):
            raise Refused("a split by a size of what has no name", "assign it to a name first")
        size = "{split_size_or_sections}"
        ends = f"[*range({size}, {{input}}.shape[{place}], {size})]"
        return op.written(f"jnp.split({{input}}, {ends}, axis={place})")
    if len(set(sizes)) == 1:
        return op.written(f"jnp.split({{input}}, {equally or len(sizes)}, axis={place})")
    sums = [sum(sizes[: i + 1]) for i in range(len(sizes) - 1)]
    return op.written(f"jnp.split({{input}}, {sums}, axis={place})")


def _unbind(op: Operation) -> Written | None:
    """``unbind``, and the iteration over a tensor."""
    op.want("input")
    op.gives()
    if op.event.node is None or not hasattr(op.event.node, "func"):
        return None  # the tensor is what is iterated over, here too
    dim: Any = op["dim"] or 0
    return op.written("{input}" if dim == 0 else f"jnp.moveaxis({{input}}, {dim}, 0)")


RULES: dict[str, tuple[str, Make]] = {
    "cat": ("tensors dim", _cat),
    "concat": ("tensors dim", _cat),
    "concatenate": ("tensors dim", _cat),
    "stack": ("tensors dim", _stack),
    "chunk": ("input chunks dim", _chunk),
    "split": ("input split_size_or_sections dim", _split),
    "unbind": ("input dim", _unbind),
    "__iter__": ("input", _unbind),
}

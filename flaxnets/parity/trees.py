"""Trees of outputs, of torch or here: their arrays by name."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any


def named_leaves(name: str, tree: Any) -> dict[str, Any]:
    """The arrays in tuples, lists, mappings and dataclasses, as ``output[0][mask]``.

    What is no array is left out.
    """
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        tree = {field.name: getattr(tree, field.name) for field in dataclasses.fields(tree)}
    if isinstance(tree, Mapping):
        items: Any = tree.items()
    elif isinstance(tree, tuple | list):
        items = enumerate(tree)
    else:
        return {name: tree} if hasattr(tree, "shape") else {}
    found: dict[str, Any] = {}
    for key, item in items:
        found |= named_leaves(f"{name}[{key}]", item)
    return found


def numbered(name: str, call: int) -> str:
    """Of a call of a module; that of a later one has its number behind it."""
    return f"{name}, call {call}" if call > 1 else name


def module_of(name: str) -> str:
    """The module that an output of this name is of."""
    return re.split(r", call |\[", name)[0]


def call_of(name: str) -> int:
    """The number of the call that it is of, from 1."""
    found = re.search(r", call (\d+)", name)
    return int(found[1]) if found else 1


def along(outputs: Any, targets: Mapping[str, Any]) -> Any:
    """A loss, of torch's outputs or ours: their sum, weighted by arrays of their names."""
    leaves = named_leaves("output", outputs)
    return sum((leaf * targets[name]).sum() for name, leaf in leaves.items() if name in targets)

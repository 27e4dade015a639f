"""Trees of outputs, of torch or here: their arrays by name."""

import dataclasses
import re
from collections.abc import Callable, Mapping
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


def mapped(change: Callable[[str, Any], Any], tree: Any, name: str = "output") -> Any:
    """The tree with what a function makes of the name of each array, and of the array."""
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        fields = {field.name: getattr(tree, field.name) for field in dataclasses.fields(tree)}
        return dataclasses.replace(tree, **mapped(change, fields, name))
    if isinstance(tree, Mapping):
        return {key: mapped(change, item, f"{name}[{key}]") for key, item in tree.items()}
    if isinstance(tree, tuple | list):
        items = [mapped(change, item, f"{name}[{i}]") for i, item in enumerate(tree)]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    return change(name, tree) if hasattr(tree, "shape") else tree


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

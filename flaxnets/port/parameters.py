"""The initial values of parameters of the author's own, as linen's initialisers."""

from __future__ import annotations

import ast
from typing import Any

import torch

CONSTANTS = {"zeros": "nn.initializers.zeros", "ones": "nn.initializers.ones"}
DRAWN = {"randn": "nn.initializers.normal({})", "rand": "nn.initializers.uniform({})"}


def initial(writer: Any, value: ast.expr, shape: tuple[int, ...]) -> tuple[str, str]:
    """The texts of an initialiser and of the shape, for ``nn.Parameter(...)``.

    What is drawn in another way begins as zeros here: its values come with the weights.
    """
    inner = value.args[0] if isinstance(value, ast.Call) and value.args else value
    scale, call = _scaled(inner)
    name = _name(call)
    if name not in (*CONSTANTS, *DRAWN, "empty", "full") or not isinstance(call, ast.Call):
        return CONSTANTS["zeros"], str(shape)
    sizes = _sizes(writer, call, shape, 1 if name == "full" else None)
    if name == "full":
        return f"nn.initializers.constant({writer.text(call.args[1])})", sizes
    factor = writer.text(scale) if scale is not None else "1.0"
    if name in DRAWN:
        return DRAWN[name].format(factor), sizes
    if scale is not None and name == "ones":
        return f"nn.initializers.constant({factor})", sizes
    return CONSTANTS.get(name, CONSTANTS["zeros"]), sizes


def _scaled(node: ast.expr) -> tuple[ast.expr | None, ast.expr]:
    """A factor, if there is one, and what it scales."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        if isinstance(node.left, ast.Call) and _name(node.left):
            return node.right, node.left
        return node.left, node.right
    return None, node


def _name(node: ast.expr) -> str:
    func = node.func if isinstance(node, ast.Call) else None
    is_torchs = isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name)
    if not is_torchs or func.value.id != "torch":  # type: ignore[union-attr]
        return ""
    name: str = func.attr  # type: ignore[union-attr]
    return name if hasattr(torch, name) else ""


def _sizes(writer: Any, call: ast.Call, shape: tuple[int, ...], count: int | None) -> str:
    given = call.args[:count]
    if any(isinstance(each, ast.Starred) for each in given) or not given:
        return str(shape)
    texts = [writer.text(each) for each in given]
    if len(given) == 1 and isinstance(given[0], ast.Tuple | ast.List):
        return texts[0] if texts[0][:1] == "(" else f"({texts[0][1:-1]})"
    if len(texts) == 1:
        return f"({texts[0]},)" if len(shape) == 1 else texts[0]
    return f"({', '.join(texts)})"

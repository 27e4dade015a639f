"""``__init__`` and its helpers, as ``setup``: the same statements on the layers of this package."""

from __future__ import annotations

import ast
from typing import Any

import torch

from flaxnets.port.author import File
from flaxnets.port.constructors import Constructors, is_self
from flaxnets.port.names import LAYERS
from flaxnets.port.parameters import CONSTANTS, initial
from flaxnets.port.plan import Plan
from flaxnets.port.rewrite import indented
from flaxnets.port.rules.elementwise import DTYPES

LISTS = ("append", "extend", "insert")


class Setup(Constructors):
    """Writes the statements of ``__init__``, or of what it calls."""

    def __init__(
        self, plan: Plan, file: File, owner: torch.nn.Module | None, fields: dict[str, str]
    ) -> None:
        super().__init__(plan, file, owner, fields)
        self.bodies: list[ast.AST] = []

    # statements

    def statement(self, node: Any, depth: int) -> list[str] | None:
        """What makes no layer and sets nothing is left out: values come with the weights."""
        if isinstance(node, ast.Expr):
            return self._expression(node, depth)
        if isinstance(node, ast.Assign | ast.AnnAssign):
            return self._assign(node, depth)
        is_own = isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Attribute)
        if is_own and node.target.attr in self.lists:
            text = f"{self.lists[node.target.attr]} += {self.text(node.value)}"
            return [indented(text, depth)]
        if isinstance(node, ast.Assert | ast.Pass | ast.With | ast.Delete):
            return []
        if isinstance(node, ast.Return) and node.value is None:
            return []
        if isinstance(node, ast.For) and self._only_initialises(node):
            return []
        if isinstance(node, ast.If) and isinstance(node.body[0], ast.Raise) and not node.orelse:
            return []
        return None

    def _only_initialises(self, node: ast.For) -> bool:
        text = self.file.segment(node.iter)
        return "modules()" in text or "parameters()" in text or "named_" in text

    def _expression(self, node: ast.Expr, depth: int) -> list[str] | None:
        call = node.value
        if not isinstance(call, ast.Call):
            return []
        func = call.func
        if isinstance(func, ast.Attribute) and _is_super(func.value):
            return self._of_super(call, depth)
        if isinstance(func, ast.Attribute) and is_self(func.value):
            return self._of_self(func.attr, call, depth)
        if isinstance(func, ast.Attribute) and func.attr in LISTS:
            return None
        if isinstance(func, ast.Attribute) and func.attr == "update":
            return None
        return []

    def _of_super(self, call: ast.Call, depth: int) -> list[str]:
        """A ``Sequential`` with a name of its own is a function that makes it."""
        if self.owner is not None and isinstance(self.owner, torch.nn.Sequential):
            return [indented(f"return {LAYERS}.Sequential({self._listed(call)})", depth)]
        return []

    def _of_self(self, name: str, call: ast.Call, depth: int) -> list[str]:
        arguments = call.args
        if name in ("add_module", "register_module") and isinstance(arguments[0], ast.Constant):
            return [indented(f"self.{arguments[0].value!s} = {self.text(arguments[1])}", depth)]
        if name == "add_module":
            texts = ", ".join(map(self.text, arguments))
            return [indented(f"setattr(self, {texts})", depth)]
        if name == "register_buffer" and isinstance(arguments[0], ast.Constant):
            return self._buffer(str(arguments[0].value), depth)
        if name == "register_parameter" and isinstance(arguments[0], ast.Constant):
            return self._parameter(str(arguments[0].value), arguments[1], depth)
        return []

    def _assign(self, node: ast.Assign | ast.AnnAssign, depth: int) -> list[str] | None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        target: Any = targets[0]
        value = node.value
        if value is None:
            return []
        is_of_child = isinstance(target, ast.Attribute) and isinstance(target.value, ast.Attribute)
        if is_of_child and target.attr == "weight":
            return []  # a tie, which the layer says itself
        if isinstance(target, ast.Attribute) and is_self(target.value) and len(targets) == 1:
            found = self._attribute(target.attr, value, depth)
            if found is not None:
                return found
        if isinstance(node, ast.AnnAssign):
            return [indented(f"{self.kept(target)} = {self.text(value)}", depth)]
        return None

    def _attribute(self, name: str, value: ast.expr, depth: int) -> list[str] | None:
        owner: Any = self.owner
        if isinstance(value, ast.Name) and self.fields.get(value.id) == name:
            return []  # a field already
        if owner is not None and name in owner._parameters:
            return self._parameter(name, value, depth)
        held = () if owner is None else (*vars(owner), *owner._modules, *owner._buffers)
        if owner is not None and name not in held:
            return []  # it is gone when the network is made
        if name in self.lists or self._is_built_up(name):
            self.lists.setdefault(name, name)
            return [indented(f"{name} = {self.text(value)}", depth)]
        here = self.plan.attribute(type(owner), name)
        if here != name:
            return [indented(f"self.{here} = {self.text(value)}", depth)]
        return None

    def _is_built_up(self, name: str) -> bool:
        """Whether it is appended to, or set again: linen takes it when it is whole."""
        nodes = [node for each in self.bodies for node in ast.walk(each)]
        sets = [node for node in nodes if isinstance(node, ast.Attribute) and node.attr == name]
        stores = [node for node in sets if isinstance(node.ctx, ast.Store)]
        holder: Any = getattr(self.owner, "_modules", {})
        return name in holder and (len(stores) > 1 or self._is_grown(nodes, name))

    def _is_grown(self, nodes: list[ast.AST], name: str) -> bool:
        return any(
            isinstance(node, ast.Attribute)
            and node.attr in (*LISTS, "update", "add_module")
            and isinstance(node.value, ast.Attribute)
            and node.value.attr == name
            for node in nodes
        )

    def assigned_lists(self) -> list[str]:
        """The lists that are whole now."""
        return [indented(f"self.{name} = {here}", 2) for name, here in self.lists.items()]

    def _parameter(self, name: str, value: ast.expr, depth: int) -> list[str]:
        owner: Any = self.owner
        tensor = owner._parameters.get(name)
        if tensor is None:
            return [indented(f"self.{name} = None", depth)]
        if not tensor.requires_grad:
            return self._buffer(name, depth)
        init, shape = initial(self, value, tuple(tensor.shape))
        if init == CONSTANTS["zeros"] and "zeros" not in self.file.segment(value):
            self.plan.note(self.file, value, f"{name} begins as zeros where it is made anew")
        here = self.plan.attribute(type(owner), name)
        return [indented(f'self.{here} = self.param("{here}", {init}, {shape})', depth)]

    def _buffer(self, name: str, depth: int) -> list[str]:
        owner: Any = self.owner
        tensor = owner._buffers.get(name, owner._parameters.get(name))
        if tensor is None:
            return [indented(f"self.{name} = None", depth)]
        here = self.plan.attribute(type(owner), name)
        dtype = "" if tensor.dtype == torch.float32 else f", {_dtype(tensor)}"
        made = f'"buffers", "{here}", jnp.zeros, {tuple(tensor.shape)}{dtype}'
        return [indented(f"self.{here} = self.variable({made})", depth)]


def _dtype(tensor: torch.Tensor) -> str:

    return DTYPES[tensor.dtype]


def _is_super(node: ast.AST) -> bool:
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return is_call and node.func.id == "super"  # type: ignore[attr-defined]

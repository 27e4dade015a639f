"""``__init__`` and its helpers, as ``setup``: the same statements on the layers of this package."""

from __future__ import annotations

import ast
import inspect
import types
from typing import Any

import torch

from flaxnets.port.author import DEPTHS, File, is_authors
from flaxnets.port.parameters import initial
from flaxnets.port.plan import LAYERS, Plan
from flaxnets.port.rewrite import Statements, indented
from flaxnets.port.rules.elementwise import DTYPES

LISTS = ("append", "extend", "insert")
BY_HAND = "write it as plain assignments in __init__"


class Setup(Statements):
    """Writes ``__init__``, or what it calls.

    ``fields`` are the arguments of ``__init__`` by the names that they have here: they are
    attributes. In a helper they are none, and arguments stay arguments.
    """

    def __init__(
        self, plan: Plan, file: File, owner: torch.nn.Module | None, fields: dict[str, str]
    ) -> None:
        super().__init__(file)
        self.plan, self.owner, self.fields = plan, owner, fields
        self.lists: dict[str, str] = {}  # attributes that are built up as variables first
        self.bodies: list[ast.AST] = []
        self.returns_sequential = False

    def other(self, node: ast.AST) -> str | None:
        """torch's layers as ours, and arguments as fields."""
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.Lambda):
            text: str = self.plan.call_writer(self.file).text(node)
            return text
        if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
            return self._read(node)
        return None

    def _read(self, node: ast.Attribute | ast.Name) -> str | None:
        if isinstance(node, ast.Name) and node.id in self.fields:
            return f"self.{self.fields[node.id]}"
        if isinstance(node, ast.Attribute) and _is_self(node.value):
            if node.attr in self.lists:
                return self.lists[node.attr]
            kind = type(self.owner) if self.owner is not None else object
            return f"self.{self.plan.attribute(kind, node.attr)}"
        value = self.plan.resolve(self.file, node)
        return None if value is None else self.plan.named(self.file, node, value)

    def _call(self, node: ast.Call) -> str | None:
        value = self.plan.resolve(self.file, node.func)
        if isinstance(value, type) and issubclass(value, torch.nn.Module):
            if value in DEPTHS:
                return self._depth(value, node)
            if not value.__module__.startswith("torch."):
                return self._arguments(value.__name__, node, self._renamed(value))
            return self._layer(value, node)
        if isinstance(value, types.FunctionType) and is_authors(value.__code__.co_filename):
            return self._arguments(self.plan.named(self.file, node.func, value), node, {})
        if isinstance(node.func, ast.Name) and node.func.id in ("super",):
            self.plan.offences.at(self.file, node, "super() within __init__", BY_HAND)
        return None

    def _depth(self, kind: type, node: ast.Call) -> str:
        """Stochastic depth by hand."""
        given = [*node.args, *(each.value for each in node.keywords)]
        p = self.text(given[0]) if given else repr(float(vars(kind()).get(DEPTHS[kind], 0.0)))
        return f'{LAYERS}.StochasticDepth({p}, "row")'

    def _renamed(self, kind: type) -> dict[str, str]:
        return self.plan.fields_of(kind)

    def _layer(self, kind: type, node: ast.Call) -> str:
        """A layer of torch's."""
        if kind is torch.nn.Sequential:
            return f"{LAYERS}.Sequential({self._listed(node)})"
        if kind is torch.nn.ModuleList:
            return self._list(node)
        if kind is torch.nn.ModuleDict:
            return self.text(node.args[0]) if node.args else "{}"
        name = self.plan.named(self.file, node.func, kind)
        options = self.plan.options_at(node)
        return self._arguments(name, node, {"bias": "use_bias"}, options, ("device", "dtype"))

    def _listed(self, node: ast.Call) -> str:
        """What a Sequential is given: one list."""
        arguments = node.args
        if len(arguments) == 1 and isinstance(arguments[0], ast.Starred):
            inner = arguments[0].value
            return self.text(inner)
        if len(arguments) == 1 and self._is_mapping(arguments[0]):
            return self.text(arguments[0])
        if not arguments:
            return "[]"
        start, end = self.file.span(arguments[0])[0], self.file.span(arguments[-1])[1]
        return f"[{self._between(arguments, start, end)}]"

    def _is_mapping(self, node: ast.expr) -> bool:
        is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute)
        name = getattr(node.func, "id", getattr(node.func, "attr", "")) if is_call else ""  # type: ignore[attr-defined]
        return isinstance(node, ast.Dict) or name in ("OrderedDict", "dict")

    def _between(self, nodes: list[ast.expr], start: int, end: int) -> str:
        """The text of several nodes, and what stands between them: lines and comments."""
        found, at = "", start
        for each in nodes:
            first, last = self.file.span(each)
            found += self.file.text[at:first] + self.text(each)
            at = last
        return found + self.file.text[at:end]

    def _list(self, node: ast.Call) -> str:
        if not node.args:
            return "[]"
        inner = node.args[0]
        if isinstance(inner, ast.GeneratorExp):
            text = self.kept(inner)
            return f"[{text[1:-1] if text[:1] == '(' else text}]"
        is_list = isinstance(inner, ast.List | ast.ListComp | ast.Name)
        return self.text(inner) if is_list else f"[*{self.text(inner)}]"

    def _arguments(
        self,
        name: str,
        node: ast.Call,
        renamed: dict[str, str],
        options: dict[str, Any] | None = None,
        dropped: tuple[str, ...] = (),
    ) -> str:
        """A call with its arguments as they are written, some under another name."""
        options = dict(options or {})
        texts = []
        for each in [*node.args, *node.keywords]:
            if isinstance(each, ast.keyword):
                if each.arg in dropped:
                    continue
                if each.arg in options:
                    texts.append(f"{each.arg}={options.pop(each.arg)!r}")
                    continue
                head = f"{renamed.get(each.arg, each.arg)}=" if each.arg else "**"
                texts.append(head + self.text(each.value))
            else:
                texts.append(self.text(each))
        kind = self.plan.resolve(self.file, node.func)
        for place, option in self._given_by_place(kind, node, options):
            texts[place] = repr(options.pop(option))
        texts += [f"{key}={value!r}" for key, value in options.items()]
        return f"{name}({', '.join(texts)})"

    def _given_by_place(self, kind: Any, node: ast.Call, options: dict[str, Any]) -> Any:
        if not options or not isinstance(kind, type):
            return []
        names = [*inspect.signature(kind).parameters][: len(node.args)]
        return [(names.index(option), option) for option in [*options] if option in names]

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
        if isinstance(func, ast.Attribute) and _is_self(func.value):
            return self._of_self(func.attr, call, depth)
        if isinstance(func, ast.Attribute) and func.attr in LISTS:
            return None
        if isinstance(func, ast.Attribute) and func.attr == "update":
            return None
        return []

    def _of_super(self, call: ast.Call, depth: int) -> list[str]:
        """A ``Sequential`` with a name of its own is a function that makes it."""
        if self.owner is not None and isinstance(self.owner, torch.nn.Sequential):
            self.returns_sequential = True
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
        if isinstance(target, ast.Attribute) and _is_self(target.value) and len(targets) == 1:
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


def _is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _is_super(node: ast.AST) -> bool:
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return is_call and node.func.id == "super"  # type: ignore[attr-defined]

"""Calls that make layers: torch's as ours."""

from __future__ import annotations

import ast
import inspect
import types
from typing import Any

import torch

from flaxnets.port.author import DEPTHS, File, is_authors
from flaxnets.port.names import LAYERS
from flaxnets.port.plan import Plan
from flaxnets.port.rewrite import Statements

BY_HAND = "write it as plain assignments in __init__"


class Constructors(Statements):
    """Writes the expressions of ``__init__``, or what it calls.

    ``fields`` are the arguments of ``__init__`` by the names that they have here: they are
    attributes. In a helper they are none, and arguments stay arguments.
    """

    def __init__(
        self, plan: Plan, file: File, owner: torch.nn.Module | None, fields: dict[str, str]
    ) -> None:
        super().__init__(file)
        self.plan, self.owner, self.fields = plan, owner, fields
        self.lists: dict[str, str] = {}  # attributes that are built up as variables first

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
        if isinstance(node, ast.Attribute) and is_self(node.value):
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


def is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"

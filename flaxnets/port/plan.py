"""What the source of the port is made of: which classes, functions, constants and imports."""

from __future__ import annotations

import ast
import inspect
import types
from typing import Any

import torch

from flaxnets import layers
from flaxnets.layers.tree import LINENS
from flaxnets.port.analysis import Analysis
from flaxnets.port.author import File, file_of, is_authors, is_torchs
from flaxnets.port.making import Making
from flaxnets.port.modules import layer_of
from flaxnets.port.names import Names, stored
from flaxnets.port.offences import Offences
from flaxnets.port.rules.elementwise import DTYPES


class Plan(Names):
    """What is ported of whom.

    Attributes:
        classes: the author's classes whose modules are in the network.
    """

    def __init__(
        self, net: torch.nn.Module, analysis: Analysis, making: Making, by_hand: bool = False
    ) -> None:
        super().__init__()
        self.writer: Any = None  # of classes by hand
        self._trained: dict[torch.nn.Module, bool] = {}
        self.notes: dict[str, None] = {}  # what a reader must know, each once
        self.by_hand = by_hand  # written from the modules: it is not known how they were made
        self.net, self.analysis, self.making = net, analysis, making
        self.offences: Offences = analysis.offences
        self.lines = {line for run in analysis.runs for line in run.lines}
        self.classes: dict[type, torch.nn.Module] = {}
        for module in net.modules():
            if not is_torchs(module):
                self.classes.setdefault(type(module), module)
        self.renamed: dict[type, dict[str, str]] = {}
        self.sequentials: dict[type, torch.nn.Module] = {}
        for module in net.modules():
            is_own = not type(module).__module__.startswith("torch.")
            if is_torchs(module) and isinstance(module, torch.nn.Sequential) and is_own:
                self.sequentials.setdefault(type(module), module)
        self._sites: dict[ast.AST, list[torch.nn.Module]] = {}
        modules = dict(net.named_modules())
        for name, made in making.modules.items():
            if made.node is not None and name in modules:
                self._sites.setdefault(made.node, []).append(modules[name])

    # modules

    def attribute(self, kind: type, name: str) -> str:
        """What an attribute is called here: linen owns some names."""
        renamed = self.renamed.get(kind, {})
        return renamed.get(name, f"{name}_" if name in OWNED else name)

    def bound(self, function: ast.FunctionDef) -> set[str]:
        """The names that a function binds, its parameters too."""
        return stored(function)

    def note(self, file: File, node: Any, what: str) -> None:
        """Something that a reader must know, with its line."""
        self.notes[f"{file.name}:{node.lineno}: {what}: {file.line(node.lineno)}"] = None

    def options_at(self, node: ast.AST) -> dict[str, Any]:
        """The options that a layer needs here, beside torch's, where it is made."""
        found = [self.analysis.options.get(each, {}) for each in self._sites.get(node, [])]
        if found and any(each != found[0] for each in found):
            file = next(m.file for m in self.making.modules.values() if m.node is node)
            if file is not None:
                what = f"layers that are made here need different options: {found}"
                self.offences.at(file, node, what, "make them in two places")
        return found[0] if found else {}

    def fields_of(self, kind: type) -> dict[str, str]:
        """The names here of the arguments of an author's ``__init__``."""
        method = self.method(kind, "__init__")
        if method is None or issubclass(kind, torch.nn.Sequential):
            return {}
        _, node = method
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        return {each.arg: self._field(kind, node, each.arg) for each in arguments[1:]}

    def _field(self, kind: type, node: ast.FunctionDef, name: str) -> str:
        """An attribute that is no argument, and is called like one, has its name to itself."""
        if not _is_set_otherwise(node, name):
            return f"{name}_" if name in OWNED else name
        values = [value for value in self.values_of(kind, name) if value is not None]
        value = values[0] if values else None
        endings = {bool: "_on", float: "_rate", int: "_size"}
        return name + endings.get(type(value), "_fn" if callable(value) else "_")

    def read_by(self, kind: type) -> set[str]:
        """The attributes of ``self`` that are read in a call."""
        found: set[str] = set()
        for each in kind.__mro__:
            for name in vars(each):
                method = self.method(kind, name) if name != "__init__" else None
                if method and self.ran(method[0], method[1].lineno, method[1].end_lineno):
                    found |= {n.attr for n in ast.walk(method[1]) if isinstance(n, ast.Attribute)}
        return found

    def dtype(self, tensor: torch.Tensor) -> str:
        """Of a buffer, if it is not the usual one."""
        return "" if tensor.dtype.is_floating_point else DTYPES[tensor.dtype]

    def values_of(self, kind: type, name: str) -> list[Any]:
        """What an argument was given, in all modules of a class."""
        modules = dict(self.net.named_modules())
        return [
            made.arguments[name]
            for path, made in self.making.modules.items()
            if type(modules.get(path)) is kind and name in made.arguments
        ]

    def holds(self, name: str) -> bool:
        """Whether a function of the author's is an attribute of this name."""
        values = [vars(module).get(name) for module in self.net.modules()]
        return any(isinstance(v, types.FunctionType | types.BuiltinFunctionType) for v in values)

    def given(self, kind: type, node: ast.FunctionDef) -> tuple[dict[str, Any], Any]:
        """What ``forward`` was given in a call, and what came out."""
        if node.name != "forward":
            return {}, None
        for run in self.analysis.runs:
            for module, given, output in run.calls:
                if type(module) is kind:
                    return given, output
        return {}, None

    def is_constant(self, owner: torch.nn.Module, name: str) -> bool:
        """Whether it is a parameter that is not trained: a buffer here."""
        parameter = owner._parameters.get(name)
        return parameter is not None and not parameter.requires_grad

    def takes_train(self, module: torch.nn.Module) -> bool:
        """Whether a call of a module differs in training."""
        if module not in self._trained:
            self._trained[module] = self._takes_train(module)
        return self._trained[module]

    def _takes_train(self, module: torch.nn.Module) -> bool:
        if isinstance(module, torch.nn.Sequential):
            return any(map(self.takes_train, module))
        if is_torchs(module):
            kind = getattr(layers, layer_of(module))
            return "train" in inspect.signature(kind.__call__).parameters
        if any(each.owner is type(module) for each in self.analysis.own_layers.values()):
            return True
        return any(map(self.takes_train, module.children()))

    def second_is_train(self, modules: list[torch.nn.Module]) -> bool:
        """Whether ``train`` comes right behind the input."""
        for module in modules:
            if isinstance(module, torch.nn.Sequential):
                continue
            if is_torchs(module):
                names = [*inspect.signature(getattr(layers, layer_of(module)).__call__).parameters]
                if names[2:3] != ["train"]:
                    return False
            elif len(inspect.signature(module.forward).parameters) != 1:
                return False
        return True

    def method(self, kind: type, name: str) -> tuple[File, ast.FunctionDef] | None:
        """The definition of a method of the author's."""
        for each in kind.__mro__:
            value = vars(each).get(name)
            value = value.__func__ if isinstance(value, staticmethod | classmethod) else value
            if isinstance(value, types.FunctionType) and is_authors(value.__code__.co_filename):
                file = file_of(value.__code__.co_filename)
                node = file.function(value.__code__)
                return (file, node) if node is not None else None
        return None

    def helper(
        self, file: File, node: ast.Call, owner: torch.nn.Module | None
    ) -> tuple[str, bool] | None:
        """The name here of a method or function of the author's, and whether it takes train."""
        func: Any = node.func
        is_own = isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name)
        if is_own and func.value.id == "self" and owner is not None:
            if (found := self.method(type(owner), func.attr)) is None:
                return None
            name = "self" if func.attr == "forward" else f"self.{func.attr}"
            return name, self._runs_with_train(*found, type(owner))
        if isinstance(func, ast.Name):
            value = self.resolve(file, func)
            if isinstance(value, types.FunctionType) and is_authors(value.__code__.co_filename):
                return self._helper_function(value), False
        return None

    def _runs_with_train(self, file: File, node: ast.FunctionDef, kind: type) -> bool:
        """Whether something in a function differs in training."""
        for each in ast.walk(node):
            if each in self.analysis.own_layers:
                return True
            modules = self.analysis.calls[each][0] if each in self.analysis.calls else []
            if any(map(self.takes_train, modules)):
                return True
            if isinstance(each, ast.Attribute) and each.attr == "training":
                return True
            if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute):
                inner = self.method(kind, each.func.attr)
                if inner and inner[1] is not node and self._runs_with_train(*inner, kind):
                    return True
        return False

    def run_functions(self) -> list[tuple[File, ast.FunctionDef]]:
        """The author's functions that ran in a call."""
        found = [
            method
            for kind in self.classes
            for each in kind.__mro__
            for name in vars(each)
            if name != "__init__" and (method := self.method(kind, name))
        ]
        found += [key for key, when in self.functions.items() if when == "call"]
        return [
            f for f in dict.fromkeys(found) if self.ran(f[0], f[1].body[0].lineno, f[1].end_lineno)
        ]

    # what ran

    def ran(self, file: File, line: int, end: int | None = None) -> bool:
        """Whether a line of the author's ran in a call."""
        return any((file.path, n) in self.lines for n in range(line, (end or line) + 1))


def _is_set_otherwise(node: ast.FunctionDef, name: str) -> bool:
    """Whether ``self.name`` is set to something else than the argument itself."""
    for each in ast.walk(node):
        if isinstance(each, ast.Assign):
            for target in each.targets:
                is_own = isinstance(target, ast.Attribute) and target.attr == name
                is_same = isinstance(each.value, ast.Name) and each.value.id == name
                if is_own and not (is_same and not is_rebound(node, name)):
                    return True
    return False


def is_rebound(node: ast.FunctionDef, name: str) -> bool:
    """Whether a function gives another value to this name."""
    return any(
        isinstance(each, ast.Name) and each.id == name and isinstance(each.ctx, ast.Store)
        for each in ast.walk(node)
    )


OWNED = {name for name in LINENS if not name.startswith("_")} | {
    "init",
    "apply",
    "param",
    "variable",
}

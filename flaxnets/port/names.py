"""What the author's names are here."""

from __future__ import annotations

import ast
import builtins
import re
import sys
import types
from collections.abc import Iterable
from typing import Any

import torch

from flaxnets import layers
from flaxnets.port.author import File, file_of, is_authors
from flaxnets.port.offences import Offences
from flaxnets.port.operation import Refused
from flaxnets.port.rules.elementwise import _FUNCTIONS as FUNCTIONS
from flaxnets.port.rules.elementwise import DTYPES

LAYERS = "_LAYERS_"  # flaxnets.layers, until it is known what it may be called here

MISSING = object()

TORCHS = ("torch", "flaxnets")


class Names:
    """Global names of the author's, and what has to be written for them.

    Attributes:
        functions: helpers of theirs, by their definition, and whether they run in the call.
        constants: names of theirs that are written out.
        imports: lines of theirs for modules of Python that are used.
    """

    classes: dict[type, torch.nn.Module]
    sequentials: dict[type, torch.nn.Module]
    offences: Offences

    def __init__(self) -> None:
        self.call_writer: Any = None  # of functions in files
        self.functions: dict[tuple[File, ast.FunctionDef], str] = {}
        self.constants: dict[tuple[File, str], ast.stmt] = {}
        self.imports: dict[str, None] = {}

    def ran(self, file: File, line: int, end: int | None = None) -> bool:
        """Whether a line of the author's ran in a call."""
        raise NotImplementedError

    def resolve(self, file: File, node: ast.AST) -> Any:
        """What a global name, or an attribute of one, is; None if it is local or unknown."""
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if not isinstance(root, ast.Name) or root.id in self._locals(file, node):
            return None
        value = self._globals(file).get(root.id, MISSING)
        for name in _chain(node):
            value = MISSING if value is MISSING else getattr(value, name, MISSING)
        return None if value is MISSING else value

    def _globals(self, file: File) -> dict[str, Any]:
        return _globals_of(file.path, [*self.classes, *self.sequentials])

    def _locals(self, file: File, node: ast.AST) -> set[str]:
        found: set[str] = set()
        for each in file.above(node):
            if isinstance(each, ast.FunctionDef | ast.Lambda | ast.ListComp | ast.GeneratorExp):
                found |= stored(each)
        return found

    def named(self, file: File, node: ast.AST, value: Any) -> str:
        """How something global is called here."""
        text = file.segment(node)
        if isinstance(value, torch.dtype):
            return DTYPES.get(value, text)
        if value is torch.Tensor:
            return "jax.Array"
        if isinstance(value, type) and issubclass(value, torch.nn.Module):
            return self._class(file, node, value)
        if isinstance(value, types.ModuleType):
            if value.__name__ in ("random", "numpy.random"):
                what, remedy = "randomness in forward", "give it to the network as an input"
                self.offences.at(file, node, what, remedy)
            self._import(file, node, text)
            return text
        if _is_of(value, "torch"):
            return self._function(file, node, value)
        root = text.partition(".")[0]
        if hasattr(builtins, root):
            return text
        if isinstance(value, types.FunctionType) and is_authors(value.__code__.co_filename):
            return self._helper_function(value)
        self._constant(file, node, root)
        return text

    def _class(self, file: File, node: ast.AST, kind: type) -> str:
        if kind is torch.nn.Module:
            return "nn.Module"
        if not kind.__module__.startswith("torch."):
            return kind.__name__
        if hasattr(layers, kind.__name__):
            return f"{LAYERS}.{kind.__name__}"
        self.offences.at(file, node, f"torch.nn.{kind.__name__} is not known", "write it otherwise")
        return kind.__name__

    def _function(self, file: File, node: ast.AST, value: Any) -> str:
        name = FUNCTIONS.get(getattr(value, "__name__", ""))
        if name is None:
            what = f"{file.segment(node)} has no counterpart here"
            self.offences.at(file, node, what, "call it where it is needed, or write it otherwise")
            return file.segment(node)
        return name.replace("layers.", f"{LAYERS}.")

    def function(self, value: Any) -> str:
        """How a function or class that a module holds is called here. Raises Refused."""
        if isinstance(value, type) and issubclass(value, torch.nn.Module):
            is_torchs_own = value.__module__.startswith("torch.")
            return f"{LAYERS}.{value.__name__}" if is_torchs_own else value.__name__
        if isinstance(value, types.FunctionType) and is_authors(value.__code__.co_filename):
            if value.__name__ == "<lambda>":
                return self._lambda(value)
            return self._helper_function(value)
        name = FUNCTIONS.get(getattr(value, "__name__", ""))
        if name is None:
            raise Refused(f"{value} is kept in an attribute", "call it where it is needed")
        return name.replace("layers.", f"{LAYERS}.")

    def _lambda(self, value: types.FunctionType) -> str:
        """Its text, if it needs nothing from where it was made."""
        file = file_of(value.__code__.co_filename)
        line = value.__code__.co_firstlineno
        found = [n for n in ast.walk(file.tree) if isinstance(n, ast.Lambda) and n.lineno == line]
        if len(found) != 1 or value.__code__.co_freevars:
            raise Refused("a lambda that is kept in an attribute", "write it as a method")
        text: str = self.call_writer(file).text(found[0])
        return text

    def _helper_function(self, value: types.FunctionType) -> str:
        file = file_of(value.__code__.co_filename)
        node = file.function(value.__code__)
        if node is not None:
            ran = self.ran(file, node.body[-1].lineno)
            self.functions.setdefault((file, node), "call" if ran else "setup")
        return value.__name__

    def _import(self, file: File, node: ast.AST, text: str) -> None:
        root = text.partition(".")[0]
        for statement in file.tree.body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                for alias in statement.names:
                    if (alias.asname or alias.name).partition(".")[0] == root:
                        self._import_line(file, node, statement, alias)

    def _import_line(self, file: File, node: ast.AST, statement: Any, alias: ast.alias) -> None:
        module = getattr(statement, "module", None) or alias.name
        if module.partition(".")[0] in TORCHS:
            what = f"{file.segment(node)} is torch's"
            self.offences.at(file, node, what, "write it with what the guide lists")
            return
        behind = f" as {alias.asname}" if alias.asname else ""
        line = f"import {alias.name}{behind}"
        if isinstance(statement, ast.ImportFrom):
            line = f"from {'.' * statement.level}{statement.module or ''} {line}"
        self.imports[line] = None

    def _constant(self, file: File, node: ast.AST, name: str) -> None:
        for statement in file.tree.body:
            targets = statement.targets if isinstance(statement, ast.Assign) else []
            targets = [statement.target] if isinstance(statement, ast.AnnAssign) else targets
            if any(isinstance(t, ast.Name) and t.id == name for t in targets):
                if not self._is_as_written(file, statement, name):
                    what = f"{name} is not what the file says"
                    self.offences.at(file, node, what, "give it to the network as an argument")
                self.constants[file, name] = statement
                return
        before = len(self.imports)
        self._import(file, node, name)
        if len(self.imports) == before and not self._is_imported(name):
            what = f"{name} is not known here"
            self.offences.at(file, node, what, "write it with tensors, numbers and layers only")

    def _is_as_written(self, file: File, statement: Any, name: str) -> bool:
        """Whether a global constant still has the value that it is given there."""
        names = self._globals(file)
        calls = [node for node in ast.walk(statement.value) if isinstance(node, ast.Call)]
        if any(not ast.unparse(call.func).startswith("math.") for call in calls):
            return False  # it may do something when it is called again
        try:
            value = eval(compile(ast.Expression(statement.value), file.path, "eval"), {**names})
            return bool(value == names[name])
        except Exception:  # it cannot be known
            return False

    def _is_imported(self, name: str) -> bool:
        """Whether a line of imports that is kept has it."""
        return any(re.search(rf"\b{name}\b", line) for line in self.imports)


def _chain(node: ast.AST) -> list[str]:
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return names


def stored(node: Any) -> set[str]:
    """The names that a function, or what is like it, binds."""
    found = {
        each.id
        for each in ast.walk(node)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    }
    if isinstance(node, ast.FunctionDef | ast.Lambda):
        arguments = node.args
        each = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        found |= {a.arg for a in each} | {a.arg for a in (arguments.vararg, arguments.kwarg) if a}
    return found


def _globals_of(path: str, kinds: Iterable[type]) -> dict[str, Any]:
    """The names of a module: of the classes that are ported, if they are from there."""
    for kind in kinds:
        for value in vars(kind).values():
            if isinstance(value, types.FunctionType) and value.__code__.co_filename == path:
                return value.__globals__
    for module in [*sys.modules.values()]:
        if getattr(module, "__file__", None) == path:
            return vars(module)
    return {}


def _is_of(value: Any, package: str) -> bool:
    return str(getattr(value, "__module__", "") or "").partition(".")[0] == package or (
        isinstance(value, types.BuiltinFunctionType) and "torch" in str(value)
    )

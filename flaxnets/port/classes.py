"""A class of the author's as a class of linen modules."""

from __future__ import annotations

import ast
import re
from typing import Any

import torch

from flaxnets.port.analysis import is_attribute
from flaxnets.port.author import File, class_of
from flaxnets.port.forward import Forward, signature
from flaxnets.port.names import LAYERS
from flaxnets.port.plan import Plan, is_rebound
from flaxnets.port.rewrite import indented
from flaxnets.port.setup import Setup


class Unit:
    """A class or function of the source, and where its author has it."""

    def __init__(self, file: File, node: Any, lines: list[str]) -> None:
        self.file, self.node, self.text = file, node, "\n".join(lines)


def class_unit(plan: Plan, kind: type, owner: torch.nn.Module) -> Unit:
    """A class of modules."""
    found = class_of(kind)
    head = [f"class {kind.__name__}({LAYERS}.Module):"]
    head += docstring(found.node, 1)
    if plan.by_hand:
        setup, fields = _by_hand(plan, kind)
    else:
        setup, fields = _setup(plan, kind, owner), _fields(plan, kind)
    methods = _methods(plan, kind, owner)
    attributes = _class_attributes(plan, kind, "\n".join([*setup, *methods]))
    parts = [part for part in ([*attributes, *fields], setup, methods) if part]
    lines = head
    for i, part in enumerate(parts):
        lines = [*lines, *([""] if i or len(head) > 1 else []), *part]
    return Unit(found.file, found.node, lines)


def docstring(node: Any, depth: int) -> list[str]:
    text = ast.get_docstring(node)
    if not text:
        return []
    quotes = '"""' if '"""' not in text else "'''"
    lines = f"{'r' if chr(92) in text else ''}{quotes}{text}{quotes}".split("\n")
    if len(lines) > 1:
        lines[-1:] = [lines[-1][:-3], quotes]
    return [indented(line, depth) for line in lines]


def _class_attributes(plan: Plan, kind: type, text: str) -> list[str]:
    """What is the same for all of a class."""
    found = class_of(kind)
    lines = []
    for node in found.node.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) and node.value else targets
        for target in targets:
            if isinstance(target, ast.Name) and _is_read(plan, target.id, text):
                given: Any = node
                value = Setup(plan, found.file, None, {}).text(given.value)
                lines.append(indented(f"{target.id} = {value}", 1))
    return lines


def _is_read(plan: Plan, name: str, text: str) -> bool:
    sources = [text, *(found.file.text for found in map(class_of, plan.classes))]
    return any(re.search(rf"\.{name}\b", each) for each in sources)


def _fields(plan: Plan, kind: type) -> list[str]:
    """The arguments of ``__init__``."""
    fields = plan.fields_of(kind)
    if not fields or (method := plan.method(kind, "__init__")) is None:
        return []
    file, node = method
    arguments = [*node.args.posonlyargs, *node.args.args][1:]
    count = len(arguments) - len(node.args.defaults)
    defaults: list[Any] = [None] * count + [*node.args.defaults]
    arguments, defaults = [*arguments, *node.args.kwonlyargs], [*defaults, *node.args.kw_defaults]
    writer = Setup(plan, file, None, {})
    lines = []
    for argument, default in zip(arguments, defaults, strict=True):
        name = fields[argument.arg]
        line = f"{name}: {_type(plan.values_of(kind, argument.arg), default)}"
        lines.append(line + (f" = {_default(writer, default)}" if default is not None else ""))
    return [indented(line, 1) for line in lines]


def _default(writer: Setup, node: ast.expr) -> str:
    text = writer.text(node)
    return (
        f"({text[1:-1]}{',' if len(node.elts) == 1 else ''})"
        if isinstance(node, ast.List)
        else text
    )


def _type(values: list[Any], default: ast.expr | None) -> str:
    """The annotation of a field, by what it was given."""
    given = [*values]
    if default is not None:
        try:
            given.append(ast.literal_eval(default))
        except ValueError:  # a name: as of a class
            given += [] if any(value is not None for value in values) else [len]
    names = dict.fromkeys(_type_of(value) for value in given if value is not None)
    names = dict.fromkeys(["float"]) if {*names} == {"int", "float"} else names
    found = next(iter(names)) if len(names) == 1 else "Any"
    is_optional = any(value is None for value in given) and found != "Any"
    return f"{found} | None" if is_optional else found


def _type_of(value: Any) -> str:
    if isinstance(value, bool | int | float | str):
        return type(value).__name__
    if isinstance(value, torch.nn.Module):
        return "nn.Module"
    if isinstance(value, tuple | list):
        inner = {_type_of(each) for each in value}
        return f"Sequence[{inner.pop()}]" if len(inner) == 1 else "Sequence[Any]"
    if isinstance(value, type):
        return "type[Any]"
    if callable(value):
        return "Callable[..., Any]"
    return "Any"


def _setup(plan: Plan, kind: type, owner: torch.nn.Module) -> list[str]:
    """``setup``, and the helpers of ``__init__``."""
    method = plan.method(kind, "__init__")
    if method is None:
        return []
    file, node = method
    fields = plan.fields_of(kind)
    rebound = [name for name in fields if is_rebound(node, name)]
    kept = {name: here for name, here in fields.items() if name not in rebound}
    writer = Setup(plan, file, owner, kept)
    writer.bodies = [node]
    lines = writer.block(node.body, 2)
    text = "\n".join(lines)
    lines = [
        *(indented(f"{n} = self.{fields[n]}", 2) for n in rebound if re.search(rf"\b{n}\b", text)),
        *lines,
        *writer.assigned_lists(),
        *_functional(plan, kind),
    ]
    found = [indented("def setup(self) -> None:", 1), *lines] if lines else []
    return [*found, *_helpers(plan, kind, owner, text)]


def _by_hand(plan: Plan, kind: type) -> tuple[list[str], list[str]]:
    """``setup`` and fields, from the modules of a class."""
    lines = [*plan.writer.lines(kind), *_functional(plan, kind)]
    columns = plan.writer.fields(kind)
    fields = [f"{name}: {_type_of_texts([*texts.values()])}" for name, texts in columns.items()]
    head = [indented("def setup(self) -> None:", 1)] if lines else []
    return [*head, *lines], [indented(field, 1) for field in fields]


def _type_of_texts(texts: list[str]) -> str:
    values = []
    for text in texts:
        try:
            values.append(ast.literal_eval(text))
        except (ValueError, SyntaxError):
            values.append(torch.nn.Identity())
    return _type(values, None)


def _functional(plan: Plan, kind: type) -> list[str]:
    """Layers for what the author has as functions."""
    layers: dict[str, str] = {}
    for each in plan.analysis.own_layers.values():
        if each.owner is kind:
            p, node = each.p
            text = f"{p!r}"
            if is_attribute(node):
                text = ast.unparse(node)
            layers[each.name] = indented(f"self.{each.name} = {LAYERS}.{each.kind}({text})", 2)
    return [*layers.values()]


def _helpers(plan: Plan, kind: type, owner: torch.nn.Module, text: str) -> list[str]:
    """Methods that ``setup`` calls."""
    found: list[str] = []
    done: set[str] = set()
    while todo := {n: None for n in re.findall(r"self\.(\w+)\(", text) if n not in done}:
        for name in todo:
            done.add(name)
            method = plan.method(kind, name)
            if method is None:
                continue
            file, node = method
            writer = Setup(plan, file, owner, {})
            lines = [
                "",
                indented("@nn.nowrap", 1),
                indented(f"def {name}({untyped(plan, file, node)}):", 1),
                *docstring(node, 2),
                *writer.block(without_docstring(node), 2),
            ]
            found += lines
            text += "\n".join(lines)
    return found


def untyped(plan: Plan, file: File, node: ast.FunctionDef) -> str:
    """Parameters as they are, without what torch is in them."""
    writer = Setup(plan, file, None, {})
    arguments = ast.parse(ast.unparse(node)).body[0].args  # type: ignore[attr-defined]
    for each in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
        each.annotation = None
    texts = [writer.text(each) for each in node.args.defaults]
    arguments.defaults = [ast.Name(text) for text in texts]
    return ast.unparse(arguments)


def without_docstring(node: ast.FunctionDef) -> list[ast.stmt]:
    return node.body[1:] if ast.get_docstring(node) else node.body


def _methods(plan: Plan, kind: type, owner: torch.nn.Module) -> list[str]:
    """``forward`` as ``__call__``, and what it calls, in the author's order."""
    found: dict[str, tuple[int, list[str]]] = {}
    todo = ["forward"]
    while todo:
        name = todo.pop()
        method = plan.method(kind, name)
        if name in found or method is None:
            continue
        lines, used = _method(plan, kind, owner, *method)
        found[name] = (method[1].lineno, lines)
        todo += used
    written: list[str] = []
    for _, each in sorted(found.values()):
        written += [*([""] if written else []), *each]
    return written


def _method(
    plan: Plan, kind: type, owner: torch.nn.Module, file: File, node: ast.FunctionDef
) -> tuple[list[str], list[str]]:
    writer = Forward(plan, file, owner)
    body = writer.block(without_docstring(node), 2)
    given, output = plan.given(kind, node)
    names = signature(node, given, is_method=True)
    if writer.takes_train or (kind is type(plan.net) and node.name == "forward"):
        names.append("train: bool = False")
    returns = " -> jax.Array" if isinstance(output, torch.Tensor) else ""
    name = "__call__" if node.name == "forward" else node.name
    head = indented(f"def {name}({', '.join(['self', *names])}){returns}:", 1)
    used = [
        each.func.attr
        for each in ast.walk(node)
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute)
        if isinstance(each.func.value, ast.Name) and each.func.value.id == "self"
    ]
    return [head, *docstring(node, 2), *body], used

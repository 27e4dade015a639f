"""One operation of a run, as a rule sees it: operands by name, how they lie, what is written."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

from flaxnets.port import layouts
from flaxnets.port.layouts import Layout
from flaxnets.port.record import Event

OPERATOR = re.compile(r"\{input\} [^{}()]+ \{other\}|\{other\} [^{}()]+ \{input\}|[-~]\{input\}")
ALIASES = {"axis": "dim", "x": "input", "self": "input"}
REFLECTED = ("rsub", "__rsub__", "__rpow__", "__rtruediv__", "__rdiv__")
EVERY = "..."  # in a template: all arguments, as they are written


class Written(NamedTuple):
    """What stands in the place of a node: a template with the names of its operands in braces.

    ``{...}`` is all arguments as they are written, but those that are ``dropped``.
    """

    template: str
    nodes: tuple[tuple[str, ast.AST], ...] = ()
    wraps: tuple[tuple[str, str], ...] = ()  # around an operand: a template with one {}
    dropped: tuple[str, ...] = ()
    comment: str = ""
    outer: str = "{}"  # around the whole

    @property
    def is_plain(self) -> bool:
        """Whether Python's own operator, as the author wrote it, is what stands here."""
        return not self.wraps and OPERATOR.fullmatch(self.template) is not None


class Refused(Exception):
    """An operation that cannot be ported as it is used: what, and what to do."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy


class Operation:
    """An event with its operands bound to names.

    Rules ask how operands ``lie``, ``want`` them otherwise, say how the result ``gives`` and
    return what is written.
    """

    def __init__(self, analysis: Any, event: Event, signature: str) -> None:
        self.analysis, self.event = analysis, event
        self.values, self.nodes = bound(event, signature)
        self.wraps: dict[str, str] = {}
        self.dropped: list[str] = []
        self.comment = ""

    def __getitem__(self, name: str) -> Any:
        return self.values.get(name)

    @property
    def input(self) -> torch.Tensor:
        """The first operand."""
        first: torch.Tensor = next(iter(self.values.values()))
        return first

    @property
    def rank(self) -> int:
        """Of the first operand."""
        return self.input.ndim

    def lies(self, value: Any) -> Layout:
        """How a tensor lies."""
        found: Layout = self.analysis.lies(value)
        return found

    def axis(self, dim: int, of: torch.Tensor | None = None) -> int:
        """Where an axis of torch's lies."""
        tensor = self.input if of is None else of
        return layouts.axis(dim, self.lies(tensor), tensor.ndim)

    def want(self, name: str, last: bool = False) -> None:
        """An operand is brought to torch's axes, or to channels last, where it is not so."""
        value = self.values.get(name)
        if isinstance(value, torch.Tensor):
            text = self.brought(value, "{}", last)
            if text != "{}":
                self.wraps[name] = text
        elif isinstance(value, tuple | list):
            texts = {self.brought(each, "{}", last) for each in value}
            if texts == {"{}"} or not texts:
                return
            if len(texts) > 1 or isinstance(self.nodes.get(name), ast.List | ast.Tuple):
                for i, each in enumerate(value):
                    if (text := self.brought(each, "{}", last)) != "{}":
                        self.wraps[f"{name}[{i}]"] = text
            else:
                self.wraps[name] = f"[{texts.pop().format('each')} for each in {{}}]"

    def brought(self, value: torch.Tensor, text: str, last: bool) -> str:
        """The text of a tensor in that layout. What it comes from is asked to give it so first."""
        layout = self.lies(value)
        if layout.flat:
            self.analysis.wish(layout.origin, "torch")
            return text
        if layout.last == last or value.ndim < 3:
            return text
        self.analysis.wish(layout.origin, "last" if last else "torch")
        return layouts.moved(text, last, value.ndim)

    def gives(self, layout: Layout | bool = False, values: Any = None) -> None:
        """How the result lies."""
        layout = Layout(last=layout) if isinstance(layout, bool) else layout
        out = self.event.out if values is None else values
        for leaf in torch.utils._pytree.tree_leaves(out):
            if isinstance(leaf, torch.Tensor):
                own = layout._replace(last=layout.last and leaf.ndim > 2)
                origin = layout.origin if layout.origin is not None else self.origin
                self.analysis.set(leaf, own._replace(origin=origin))

    @property
    def origin(self) -> Any:
        """Of what is made here."""
        return self.event.node if self.event.node is not None else id(self.event.module)

    @property
    def wish(self) -> str:
        """How what reads the result wants it: "", "torch" or "last"."""
        return str(self.analysis.settled.get(self.origin, ""))

    def nodes_of_sizes(self) -> list[ast.AST]:
        """What is written for ``sizes``, one by one."""
        found: Any = self.nodes.get("sizes", ())
        if len(found) == 1 and isinstance(found[0], ast.Tuple | ast.List):
            return [*found[0].elts]
        return [*found]

    def written(self, template: str) -> Written:
        """What stands in the place of the node."""
        nodes = tuple((name, node) for name, node in self.nodes.items())
        return Written(
            template, nodes, tuple(self.wraps.items()), tuple(self.dropped), self.comment
        )

    def called(self, function: str, *drop: str) -> Written:
        """The arguments as they are written, given to another function."""
        self.dropped += ["inplace", *drop]
        return self.written(f"{function}({{{EVERY}}})")


def bound(event: Event, signature: str) -> tuple[dict[str, Any], dict[str, ast.AST]]:
    """The operands of an event, and the nodes that are written for them, by names.

    In a signature as ``input start_dim end_dim``, ``*sizes`` takes what is left, or one tuple.
    """
    names = signature.split()
    values = _named(names, event.args, event.kwargs)
    node, nodes = event.node, dict[str, ast.AST]()
    if isinstance(node, ast.BinOp) and event.name in REFLECTED:
        nodes = dict(zip(names, (node.right, node.left), strict=False))
    elif isinstance(node, ast.BinOp):
        nodes = dict(zip(names, (node.left, node.right), strict=False))
    elif isinstance(node, ast.Compare):
        nodes = dict(zip(names, (node.left, *node.comparators), strict=False))
    elif isinstance(node, ast.UnaryOp):
        nodes = {names[0]: node.operand}
    elif isinstance(node, ast.AugAssign):
        nodes = dict(zip(names, (node.target, node.value), strict=False))
    elif isinstance(node, ast.Subscript):
        nodes = {names[0]: node.value, "index": node.slice}
    elif isinstance(node, ast.Attribute):
        nodes = {names[0]: node.value}
    elif isinstance(node, ast.Call):
        given: list[ast.AST] = [*node.args]
        if event.is_method and isinstance(node.func, ast.Attribute):
            given = [node.func.value, *given]
        keywords = {each.arg: each.value for each in node.keywords if each.arg}
        nodes = _named(names, given, keywords)
    return values, nodes


def _named(names: list[str], args: Any, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for place, name in enumerate(names):
        if name.startswith("*"):
            rest = tuple(args[place:])
            if rest:
                found[name[1:]] = rest
        elif place < len(args):
            found[name] = args[place]
    for name, value in kwargs.items():
        plain = [each.lstrip("*") for each in names]
        found[name if name in plain else ALIASES.get(name, name)] = value
    return found


# Of torch, and no matter here: where a tensor is, and how its memory lies.
UNHEARD = {"device", "requires_grad", "memory_format", "non_blocking", "copy", "pin_memory"}
UNHEARD |= {"layout", "inplace"}


def unheard(event: Event, signature: str, written: Written | None) -> list[str]:
    """The options of a call that a rule does not know: what it writes would be without them."""
    names = [name.lstrip("*") for name in signature.split()]
    if written is None or f"{{{EVERY}}}" in written.template:
        return []
    given = {n for n, value in event.kwargs.items() if value is not None and n[:1] != "_"}
    known = {*names, *ALIASES, *UNHEARD, *(["dtype"] if "dtype=" in written.template else [])}
    count = len(event.args) if "*" not in signature else 0
    return [*sorted(given - known), *(f"argument {i + 1}" for i in range(len(names), count))]

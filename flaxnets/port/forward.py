"""``forward`` and its helpers, as ``__call__`` and methods."""

from __future__ import annotations

import ast
import re
from typing import Any

import torch

from flaxnets.port.author import File
from flaxnets.port.operation import EVERY, Written
from flaxnets.port.plan import Plan
from flaxnets.port.rewrite import Statements, indented

STATEMENTS: tuple[type[ast.stmt], ...] = (  # which are none of a pure call
    *(ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal),
    *(ast.With, ast.Try, ast.TryStar, ast.Match),
)
SHAPES = re.compile(r"\b[BNn]\w*\s*[,x*]\s*[CcDd]\w*\s*[,x*]|\b[Bb]\w*\s*[,x*]\s*[Cc]")


class Forward(Statements):
    """Writes a function that runs in a call of the network."""

    def __init__(self, plan: Plan, file: File, owner: torch.nn.Module | None) -> None:
        super().__init__(file)
        self.plan, self.owner = plan, owner
        self.takes_train = False

    def other(self, node: ast.AST) -> str | None:
        """Operations by their rules; calls of modules with ``train``; names of this world."""
        analysis = self.plan.analysis
        if isinstance(node, ast.Subscript) and node.value in analysis.shapes:
            return self._sizes(node)
        if node in analysis.shapes:
            return self._shape(node)
        if node in analysis.calls:
            return self._call(node)
        if node in analysis.written:
            written = analysis.written[node]
            if written.comment:
                self.remarks.append(written.comment)
            return self._operation(node, written)
        if isinstance(node, ast.IfExp):
            return self._either(node)
        if isinstance(node, ast.Call):
            return self._helper(node)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            return self._attribute(node)
        if isinstance(node, ast.Name):
            return self._name(node)
        return None

    def _operation(self, node: ast.AST, written: Written) -> str | None:
        """By its rule; Python's own operator is JAX's too, and stays."""
        is_operator = isinstance(node, ast.BinOp | ast.Compare | ast.UnaryOp)
        if isinstance(node, ast.AugAssign):
            return None
        kept = is_operator and written.is_plain
        if kept and written.outer == "{}":
            return None
        text = self.kept(node) if kept else self.filled(written, node)
        return self._with_train(written.outer.replace("{}", text))

    def _either(self, node: ast.IfExp) -> str | None:
        """A conditional expression, of which one side may never have been computed."""
        seen = [self._has(side, self.plan.analysis.seen) for side in (node.body, node.orelse)]
        other = node.orelse if seen[0] else node.body
        if all(seen) or not any(seen) or not self._has(other, None):
            return None
        if not self._depends_on_call(node.test):
            return self.text(node.body if seen[0] else node.orelse)
        what = "only one side of this was computed"
        self.plan.offences.at(self.file, node, what, "write both on whole tensors, or as an if")
        return None

    def _has(self, node: ast.AST, known: set[ast.AST] | None) -> bool:
        """Whether it has operations: any, or such as are known."""
        kinds = (ast.Call, ast.BinOp, ast.UnaryOp, ast.Subscript, ast.Compare)
        found = [each for each in ast.walk(node) if isinstance(each, kinds)]
        return any(known is None or each in known for each in found)

    def _is_elif(self, node: ast.If) -> bool:
        """Where a branch of it never ran it is a statement of its own, which says so."""
        return super()._is_elif(node) and self._ran(node.body) and self._ran(node.orelse)

    def _with_train(self, text: str) -> str:
        if ", train)" in text:
            self.takes_train = True
        return text

    def _call(self, node: ast.AST) -> str:
        """The call of a module."""
        assert isinstance(node, ast.Call)
        modules, own = self.plan.analysis.calls[node]
        named = self._named(node)
        written = Written(f"{{{EVERY}}}", tuple(named.items()), own.wraps)
        text = self.arguments(node, written)
        takes = {self.plan.takes_train(module) for module in modules}
        if any(takes):
            self.takes_train = True
            is_one = len(node.args) == 1 and not node.keywords
            if all(takes):
                text += (
                    ", train" if is_one and self.plan.second_is_train(modules) else ", train=train"
                )
        return own.outer.replace("{}", f"{self.text(node.func)}({text})")

    def _named(self, node: ast.Call) -> dict[str, ast.AST]:
        return (
            {"input": node.args[0]}
            if node.args
            else {k.arg: k.value for k in node.keywords if k.arg}
        )

    def _helper(self, node: ast.Call) -> str | None:
        """The call of a method or function of the author's."""
        if isinstance(node.func, ast.Name) and node.func.id == "hasattr" and len(node.args) == 2:
            names = ", ".join(map(self.text, node.args))  # a field may be there, and be None
            return f"getattr({names}, None) is not None"
        if self._is_of_dict(node.func):
            return f"self.named_children().{node.func.attr}()"  # type: ignore[attr-defined]
        found = self.plan.helper(self.file, node, self.owner)
        if found is None:
            return None
        name, takes_train = found
        inside = [self.text(each) for each in node.args]
        inside += [f"{k.arg}={self.text(k.value)}" for k in node.keywords]
        if takes_train:
            self.takes_train = True
            inside.append("train=train")
        return f"{name}({', '.join(inside)})"

    def _is_of_dict(self, node: ast.AST) -> bool:
        """Whether it reads the children of a ``ModuleDict`` with a forward of its own."""
        return (
            isinstance(self.owner, torch.nn.ModuleDict)
            and isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and (node.value.id, node.attr) in [("self", n) for n in ("items", "values", "keys")]
        )

    def _attribute(self, node: ast.Attribute) -> str | None:
        if not isinstance(node.value, ast.Name) or node.value.id != "self" or self.owner is None:
            found = self.plan.resolve(self.file, node)
            return self.plan.named(self.file, node, found) if found is not None else None
        if node.attr == "training":
            self.takes_train = True
            return "train"
        name = self.plan.attribute(type(self.owner), node.attr)
        is_buffer = node.attr in self.owner._buffers or self.plan.is_constant(self.owner, node.attr)
        return f"self.{name}.value" if is_buffer else f"self.{name}"

    def _name(self, node: ast.Name) -> str | None:
        if isinstance(node.ctx, ast.Load):
            found = self.plan.resolve(self.file, node)
            if found is not None:
                return self.plan.named(self.file, node, found)
        return None

    def _sizes(self, node: ast.Subscript) -> str:
        """Some of the sizes of maps."""
        rank = self.plan.analysis.shapes[node.value]
        text = self._shape_of(node.value)
        if isinstance(node.slice, ast.Slice):
            start, stop = (self._number(each) for each in (node.slice.lower, node.slice.upper))
            dims = [*range(rank)][start:stop]
            if dims == [*range(2, rank)]:
                return f"{text}[1:-1]"
            return f"({', '.join(f'{text}[{_place(dim, rank)}]' for dim in dims)},)"
        return f"{text}[{_place(self._number(node.slice) or 0, rank)}]"

    def _number(self, node: ast.AST | None) -> int | None:
        if node is None:
            return None
        try:
            value: int = ast.literal_eval(node)
        except ValueError:
            self.plan.offences.at(self.file, node, "an axis that is no number", "write the number")
            return 0
        return value

    def _shape_of(self, node: ast.AST) -> str:
        return self.filled(self.plan.analysis.written[node], node)

    def _shape(self, node: ast.AST) -> str:
        """All sizes of maps, in torch's order."""
        parent = self.file.parents[node]
        text = self._shape_of(node)
        if isinstance(parent, ast.Assign) and self._are_all(parent.targets[0], node):
            return text  # and the targets are in the order that they have here
        return f"({text}[0], {text}[-1], *{text}[1:-1])"

    def statement(self, node: ast.stmt, depth: int) -> list[str] | None:
        """What never ran is left out; what cannot be in a pure function is refused."""
        if not self.plan.ran(self.file, node.lineno, node.end_lineno):
            return self._behind_return(node, depth)
        if isinstance(node, ast.Expr):
            return self._expression(node)
        if isinstance(node, ast.If):
            return self._branches(node, depth)
        if isinstance(node, ast.Assign):
            return self._assigned(node, depth)
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Attribute):
            what = "forward sets an attribute"
            self.plan.offences.at(self.file, node, what, "return it, or compute it in __init__")
        if isinstance(node, ast.AugAssign) and node in self.plan.analysis.written:
            return self._augmented(node, depth)
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            return [indented(f"{self.text(node.target)} = {self.text(node.value)}", depth)]
        if isinstance(node, STATEMENTS):
            what = f"{type(node).__name__.lower()} in forward"
            self.plan.offences.at(self.file, node, what, "write it as plain statements or a method")
            return []
        if isinstance(node, ast.Assert):
            return []
        return None

    def _expression(self, node: ast.Expr) -> list[str] | None:
        func = node.value.func if isinstance(node.value, ast.Call) else None
        return [] if isinstance(func, ast.Name) and func.id == "print" else None

    def _assigned(self, node: ast.Assign, depth: int) -> list[str] | None:
        if any(isinstance(each, ast.Attribute) for each in node.targets):
            what = "forward sets an attribute"
            self.plan.offences.at(self.file, node, what, "return it, or compute it in __init__")
        target: Any = node.targets[0]
        if isinstance(target, ast.Name) and self.text(node.value) == target.id:
            return []
        if node.value in self.plan.analysis.shapes and self._are_all(target, node.value):
            names = [self.text(each) for each in target.elts]
            names = [names[0], *names[2:], names[1]]
            return [indented(f"{', '.join(names)} = {self.text(node.value)}", depth)]
        return None

    def _are_all(self, target: Any, node: ast.AST) -> bool:
        """Whether a name is given to each size of maps."""
        rank = self.plan.analysis.shapes[node]
        is_tuple = isinstance(target, ast.Tuple) and len(target.elts) == rank
        return is_tuple and not any(isinstance(each, ast.Starred) for each in target.elts)

    def _augmented(self, node: ast.AugAssign, depth: int) -> list[str] | None:
        written = self.plan.analysis.written[node]
        if written.is_plain and written.outer == "{}":
            return None
        text = written.outer.replace("{}", self.filled(written, node))
        return [indented(f"{self.text(node.target)} = {text}", depth)]

    def _branches(self, node: ast.If, depth: int) -> list[str] | None:
        """What was never taken is not known: it raises, or is left out if no call can take it."""
        ran = [self._ran(node.body), self._ran(node.orelse)]
        if all(ran) or (ran[0] and not node.orelse):
            return None
        self.plan.note(self.file, node, "only what was taken is ported")
        if not self._depends_on_call(node.test):
            return self.block(node.body if ran[0] else node.orelse, depth) if any(ran) else []
        never = self._never(node)
        test = self._condition(node.test)
        if ran[0]:
            taken, other = f"if {test}:", self.block(node.body, depth + 1)
            lines = [indented(taken, depth), *other, indented("else:", depth)]
            return [*lines, indented(never, depth + 1)]
        guard = [indented(f"if {test}:", depth), indented(never, depth + 1)]
        return [*guard, *(self.block(node.orelse, depth) if ran[1] else [])]

    def _behind_return(self, node: ast.stmt, depth: int) -> list[str]:
        """What never ran, since a branch before it has always returned."""
        body: list[ast.stmt] = getattr(self.file.parents[node], "body", [])
        before = body[body.index(node) - 1] if node in body[1:] else None
        returns = isinstance(before, ast.If) and self._ran(before.body)
        if not isinstance(before, ast.If) or not returns or not self._depends_on_call(before.test):
            return []
        self.plan.note(self.file, node, "only what was taken is ported")
        return [indented(self._never(node), depth)]

    def _never(self, node: ast.stmt) -> str:
        where = f"{self.file.name}:{node.lineno}"
        return f'raise NotImplementedError("{where}: never taken where it was ported")'

    def _depends_on_call(self, test: ast.expr) -> bool:
        """Whether another call may take the other branch: by its arguments or by shapes."""
        names = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
        functions = [n for n in self.file.above(test) if isinstance(n, ast.FunctionDef)]
        return bool((names - {"self"}) & self.plan.bound(functions[0])) if functions else True

    def _ran(self, body: list[ast.stmt]) -> bool:
        return bool(body) and self.plan.ran(self.file, body[0].lineno, body[0].end_lineno)

    def holds(self, comment: str) -> bool:
        """Not, if it has torch's order of axes, and some maps lie otherwise."""
        return not SHAPES.search(comment)


def _place(dim: int, rank: int) -> int:
    dim %= rank
    return {0: 0, 1: -1}.get(dim, dim - 1)


def signature(function: ast.FunctionDef, given: dict[str, Any], is_method: bool) -> list[str]:
    """The parameters of a function, with the types of what was given."""
    arguments = function.args
    names = [*arguments.posonlyargs, *arguments.args]
    defaults: list[Any] = [None] * (len(names) - len(arguments.defaults)) + [*arguments.defaults]
    names += arguments.kwonlyargs
    defaults += arguments.kw_defaults
    found = []
    for name, default in zip(names, defaults, strict=True):
        if is_method and name is names[0]:
            continue
        value = given.get(name.arg)
        is_array = isinstance(value, torch.Tensor)
        text = name.arg + (": jax.Array" if is_array else "")
        if default is not None:
            is_none = isinstance(default, ast.Constant) and default.value is None
            text += " | None" if is_array and is_none else ""
            text += f" = {ast.unparse(default)}" if is_array else f"={ast.unparse(default)}"
        found.append(text)
    return found

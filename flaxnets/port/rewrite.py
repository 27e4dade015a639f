"""The author's text with some nodes written otherwise: what is around them stays as it was."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from flaxnets.port.author import File
from flaxnets.port.operation import EVERY, Written

HOLE = re.compile(r"\{(\.\.\.|\w+(?:\[\d+\])?)\}")
LAYERS_USED = re.compile(r"\blayers\.")
BINDS = re.compile(r"[-+*/@%&|^<>=~]\s*$")  # an operator that what follows may not be torn by
ATOMS = (ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.List, ast.Dict, ast.Tuple)


class Rewriter:
    """Writes nodes of one file. What is written otherwise is said by ``other``."""

    def __init__(self, file: File) -> None:
        self.file = file

    def other(self, node: ast.AST) -> str | None:
        """What stands in the place of a node, None if it stays."""
        raise NotImplementedError

    def text(self, node: ast.AST) -> str:
        """A node, written."""
        found = self.other(node)
        return self.kept(node) if found is None else found

    def kept(self, node: ast.AST) -> str:
        """A node as it was, with what is in it written."""
        start, end = self.file.span(node)
        found, at = "", start
        for child in sorted(self.parts(node), key=lambda part: self.file.span(part)[0]):
            first, last = self.file.span(child)
            found += self.file.text[at:first] + self._fitting(node, child)
            at = last
        return found + self.file.text[at:end]

    def parts(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes in a node that have a text of their own."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.JoinedStr):
                continue  # Python 3.11 does not know where its parts are
            if hasattr(child, "lineno"):
                yield child
            elif not isinstance(child, ast.expr_context | ast.operator | ast.cmpop | ast.boolop):
                yield from self.parts(child)

    def _fitting(self, node: ast.AST, child: ast.AST) -> str:
        """A child, in parentheses where it needs them now."""
        text = self.text(child)
        if text == self.file.segment(child):
            return text
        binds = isinstance(node, ast.BinOp | ast.UnaryOp | ast.Attribute | ast.Compare)
        binds |= isinstance(node, ast.Subscript | ast.Call) and child is next(self.parts(node))
        was_atom = isinstance(child, (*ATOMS, ast.Constant))
        return text if not binds or not was_atom or is_atom(text) else f"({text})"

    def filled(self, written: Written, call: ast.AST) -> str:
        """A template with its operands."""
        nodes, wraps = dict(written.nodes), dict(written.wraps)

        template = LAYERS_USED.sub(r"_LAYERS_.", written.template)

        def hole(match: re.Match[str]) -> str:
            name = match[1]
            if name == EVERY:
                return self.arguments(call, written)
            text = self._operand(name, nodes, wraps)
            before, after = template[: match.start()], template[match.end() :]
            is_alone = (not before or before[-1] in "(, [") and (not after or after[0] in "),]")
            is_alone &= not BINDS.search(before)
            return text if is_alone or is_atom(text) else f"({text})"

        return HOLE.sub(hole, template)

    def _operand(self, name: str, nodes: dict[str, ast.AST], wraps: dict[str, str]) -> str:
        base, _, number = name.partition("[")
        node = nodes[base]
        if isinstance(node, tuple):
            items = [*node]
            if len(items) == 1 and isinstance(items[0], ast.Tuple | ast.List):
                items = [*items[0].elts]
            if number:
                return self.text(items[int(number[:-1])])
            return ", ".join(map(self.text, items))
        if number:
            elements = node.elts if isinstance(node, ast.Tuple) else [node]
            return self.text(elements[int(number[:-1])])
        return self._wrapped(base, node, wraps)

    def _wrapped(self, name: str, node: ast.AST, wraps: dict[str, str]) -> str:
        if isinstance(node, ast.List | ast.Tuple) and any(k.startswith(f"{name}[") for k in wraps):
            items = [
                wrapped(wraps.get(f"{name}[{i}]", "{}"), self.text(each))
                for i, each in enumerate(node.elts)
            ]
            return f"[{', '.join(items)}]"
        return wrapped(wraps.get(name, "{}"), self.text(node))

    def arguments(self, call: ast.AST, written: Written) -> str:
        """All arguments of a call, as they are written."""
        assert isinstance(call, ast.Call)
        wraps, nodes = dict(written.wraps), dict(written.nodes)
        names = {id(node): name for name, node in nodes.items()}
        given: list[ast.AST] = [*call.args]
        first = nodes.get("input")
        if (
            first is not None
            and first not in given
            and first not in [k.value for k in call.keywords]
        ):
            given = [first, *given]
        texts = [
            self._wrapped(names.get(id(each), ""), each, wraps)
            for each in given
            if names.get(id(each)) not in written.dropped
        ]
        for each in call.keywords:
            if each.arg not in written.dropped:
                text = self._wrapped(names.get(id(each.value), ""), each.value, wraps)
                texts.append(f"{each.arg}={text}" if each.arg else f"**{text}")
        return ", ".join(texts)


def wrapped(wrap: str, text: str) -> str:
    """A text within another, in parentheses where it needs them."""
    is_argument = wrap == "{}" or "({}" in wrap
    return wrap.replace("{}", text if is_argument or is_atom(text) else f"({text})")


def is_atom(text: str) -> bool:
    """Whether nothing around it can tear it apart."""
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return True
    if isinstance(node, ast.Constant):
        return not (isinstance(node.value, int | float) and not text.strip().isalnum())
    return isinstance(node, ATOMS) and not (isinstance(node, ast.Tuple) and text[:1] != "(")


class Statements(Rewriter):
    """Writes whole statements, with the comments that are at them."""

    def statement(self, node: ast.stmt, depth: int) -> list[str] | None:
        """What stands in the place of a statement: [] if nothing does, None if it stays."""
        raise NotImplementedError

    def block(self, body: list[ast.stmt], depth: int) -> list[str]:
        """The lines of a block, indented so deep."""
        found: list[str] = []
        at = body[0].lineno
        for i, node in enumerate(body):
            self.remarks: list[str] = []
            lead = self._lead(at, node.lineno) if i else self._before(node)
            lines = self.statement(node, depth)
            if lines is None:
                lines = self.whole(node, depth)
            if lines:
                remarks = [f"# {text}" for text in dict.fromkeys(self.remarks)]
                found += [indented(line, depth) for line in [*lead, *remarks]]
                found += lines
            at = (node.end_lineno or node.lineno) + 1
        while found and not found[0].strip():
            found.pop(0)
        return found

    def _before(self, node: ast.stmt) -> list[str]:
        """The comments right before the first statement of a block."""
        first = node.lineno - 1
        while first > 0 and self.file.lines[first - 1].strip().startswith("#"):
            first -= 1
        return self._lead(first + 1, node.lineno)

    def _lead(self, start: int, end: int) -> list[str]:
        """The comments and empty lines in between."""
        lines = [line.strip() for line in self.file.lines[start - 1 : end - 1]]
        kept = [line for line in lines if not line or (line[0] == "#" and self.holds(line))]
        return kept if any(kept) else kept[:1]

    def holds(self, comment: str) -> bool:
        """Whether a comment is true of what is written: one of shapes in torch's order is not."""
        return True

    def whole(self, node: ast.stmt, depth: int) -> list[str]:
        """A statement that stays, with what is in it written."""
        if isinstance(node, ast.If):
            return self._if(node, depth, "if")
        if isinstance(node, ast.For | ast.While):
            return self._loop(node, depth)
        text = self.kept(node)
        lines = text.split("\n")
        shift = node.col_offset
        rest = [line[shift:] if line[:shift].strip() == "" else line.lstrip() for line in lines[1:]]
        lines = [lines[0], *rest]
        lines[-1] += self._trailing(node)
        return [indented(line, depth) for line in lines]

    def _if(self, node: ast.If, depth: int, word: str) -> list[str]:
        body = self.block(node.body, depth + 1)
        head = indented(f"{word} {self._condition(node.test)}:{self._remark(node)}", depth)
        found = [head, *(body or [indented("pass", depth + 1)])]
        if not node.orelse:
            return found if body else []
        first = node.orelse[0]
        if len(node.orelse) == 1 and isinstance(first, ast.If) and self._is_elif(first):
            return [*found, *self._if(first, depth, "elif")]
        other = self.block(node.orelse, depth + 1)
        if not body and not other:
            return []
        return [*found, indented("else:", depth), *other] if other else found

    def _is_elif(self, node: ast.If) -> bool:
        return self.file.text[self.file.span(node)[0] :].startswith("elif")

    def _loop(self, node: ast.For | ast.While, depth: int) -> list[str]:
        body = self.block(node.body, depth + 1)
        if not body:
            return []
        if isinstance(node, ast.While):
            head = f"while {self._condition(node.test)}:"
        else:
            head = f"for {self.text(node.target)} in {self._condition(node.iter)}:"
        other = self.block(node.orelse, depth + 1) if node.orelse else []
        last = [indented("else:", depth), *other] if other else []
        return [indented(head + self._remark(node), depth), *body, *last]

    def _condition(self, node: ast.expr) -> str:
        text = self.text(node)
        return f"({text})" if "\n" in text else text

    def _remark(self, node: ast.If | ast.For | ast.While) -> str:
        """The comment behind a header."""
        line = self.file.lines[node.lineno - 1]
        found = re.search(r":\s*(#.*)$", line.rstrip())
        return f"  {found[1]}" if found and self.holds(found[1]) else ""

    def _trailing(self, node: ast.stmt) -> str:
        _, end = self.file.span(node)
        rest = self.file.text[end:].split("\n", 1)[0]
        found = re.match(r"\s*(#.*)$", rest)
        return f"  {found[1].rstrip()}" if found and self.holds(found[1]) else ""


def indented(line: str, depth: int) -> str:
    """A line, so deep."""
    return "    " * depth + line if line.strip() else ""

"""The author's source: files, functions and classes, and which text a node of them is."""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

Range = tuple[int, int, int, int]
CONTAINERS = (torch.nn.Sequential, torch.nn.ModuleList, torch.nn.ModuleDict)
OURS = Path(__file__).parent


class File:
    """A source file, its syntax tree, and the text of each node.

    Raises:
        OSError: if there is no source.
    """

    def __init__(self, path: str) -> None:
        self.path, self.name = path, Path(path).name
        self.lines = linecache.getlines(path)
        if not self.lines:
            raise OSError(f"there is no source of {path}")
        self.text = "".join(self.lines)
        self.tree = ast.parse(self.text)
        self._starts = [0]
        for each in self.lines:
            self._starts.append(self._starts[-1] + len(each))
        self.parents: dict[ast.AST, ast.AST] = {}
        self._nodes: dict[Range, list[ast.AST]] = {}
        for node in ast.walk(self.tree):
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node
            if hasattr(node, "end_lineno"):
                self._nodes.setdefault(range_of(node), []).append(node)

    def line(self, number: int) -> str:
        """Without what is around it."""
        return self.lines[number - 1].strip() if 0 < number <= len(self.lines) else ""

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Where its text begins and ends."""
        line, end_line, column, end_column = range_of(node)
        return self.offset(line, column), self.offset(end_line, end_column)

    def offset(self, line: int, column: int) -> int:
        """Of a line's column, in bytes as ``ast`` has it."""
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        inside = len(text.encode()[:column].decode())
        return self._starts[line - 1] + inside

    def segment(self, node: ast.AST) -> str:
        """The text of a node."""
        start, end = self.span(node)
        return self.text[start:end]

    def at(self, place: Range) -> ast.expr | ast.stmt | None:
        """The node that an instruction stands for: of several of one range the expression."""
        found = self._nodes.get(place, [])
        wanted: list[Any] = [node for node in found if isinstance(node, ast.expr)]
        wanted += [node for node in found if isinstance(node, ast.AugAssign)]
        return wanted[0] if wanted else None

    def function(self, code: types.CodeType) -> ast.FunctionDef | None:
        """The definition of a function's code."""
        for node in self._functions:
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            if node.name == code.co_name and first == code.co_firstlineno:
                return node
        return None

    @functools.cached_property
    def _functions(self) -> list[ast.FunctionDef]:
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)]

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """What it is in, from the inside."""
        while node in self.parents:
            node = self.parents[node]
            yield node


def range_of(node: Any) -> Range:
    """As ``co_positions`` has it."""
    return node.lineno, node.end_lineno, node.col_offset, node.end_col_offset


_files: dict[str, tuple[Any, File]] = {}


def file_of(path: str) -> File:
    """The file, read once, and again when its author has changed it."""
    stamp = _stamp(path)
    if path not in _files or _files[path][0] != stamp:
        linecache.checkcache(path)
        _files[path] = stamp, File(path)
    return _files[path][1]


def _stamp(path: str) -> Any:
    try:
        found = os.stat(path)
    except OSError:  # a notebook's cell
        return None
    return found.st_mtime_ns, found.st_size


@functools.lru_cache(4096)
def is_authors(path: str) -> bool:
    """Whether it is source of the user's, or of a library that is ported as theirs."""
    where = Path(path)
    inside = [Path(torch.__file__).parent, OURS]
    library = Path(functools.__file__).parent
    is_standard = library in where.parents and "site-packages" not in where.parts
    is_other = is_standard or any(f == where or f in where.parents for f in inside)
    return not is_other and bool(linecache.getlines(path))


def frame_of_author(depth: int = 1) -> types.FrameType | None:
    """The innermost frame whose code is the author's."""
    frame: types.FrameType | None = sys._getframe(depth)
    while frame is not None and not is_authors(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def place_of(frame: types.FrameType) -> tuple[File, ast.expr | ast.stmt | None]:
    """The node of the source that a frame is at."""
    file = file_of(frame.f_code.co_filename)
    place = [*frame.f_code.co_positions()][frame.f_lasti // 2]
    if None in place:
        return file, None
    return file, file.at(place)  # type: ignore[arg-type]  # looked at in the line above


class Class:
    """A class of modules of the author's."""

    def __init__(self, kind: type) -> None:
        self.kind = kind
        path = _path_of(kind)
        self.file = file_of(path)
        self.node = next(
            node
            for node in ast.walk(self.file.tree)
            if isinstance(node, ast.ClassDef)
            and node.name == kind.__name__
            and node.lineno == _line(kind, node)
        )

    def method(self, name: str) -> ast.FunctionDef | None:
        """The definition of a method in this class itself."""
        for node in self.node.body:
            if isinstance(node, ast.FunctionDef) and node.name == name:
                return node
        return None

    def line_of(self, attribute: str) -> int:
        """Where an attribute is defined, else where the class is."""
        for node in ast.walk(self.node):
            targets = node.targets if isinstance(node, ast.Assign) else []
            for target in targets:
                if isinstance(target, ast.Attribute) and target.attr == attribute:
                    return target.lineno
        return self.node.lineno


def _path_of(kind: type) -> str:
    """Its methods know, though its module may be none that Python knows of."""
    for value in vars(kind).values():
        if isinstance(value, types.FunctionType):
            return value.__code__.co_filename
    path = inspect.getsourcefile(kind)
    if path is None:
        raise OSError(f"there is no source of {kind.__name__}")
    return path


def _line(kind: type, node: ast.ClassDef) -> int:
    """Of several classes of a name, that whose methods are these."""
    for value in vars(kind).values():
        if isinstance(value, types.FunctionType):
            inside = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            return node.lineno if value.__code__.co_firstlineno in inside else -1
    return node.lineno


_classes: dict[type, Class] = {}


def class_of(kind: type) -> Class:
    """The class, read once. Raises OSError if there is no source."""
    if kind not in _classes or _classes[kind].file is not file_of(_path_of(kind)):
        _classes[kind] = Class(kind)
    return _classes[kind]


DEPTHS: dict[type, str] = {}  # classes of stochastic depth by hand: the probability's name


def is_torchs(module: torch.nn.Module | type) -> bool:
    """Whether a module is torch's own, by the class that has its ``forward``, or is like one."""
    kind = module if isinstance(module, type) else type(module)
    if kind in DEPTHS:
        return True
    holder = next(each for each in kind.__mro__ if "forward" in vars(each))
    return holder.__module__.split(".")[0] == "torch"

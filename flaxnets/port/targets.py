"""What is ported: a network that a file or a module has under a name."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

import flaxnets
from flaxnets.parity.example import as_arrays
from flaxnets.port import making
from flaxnets.port.author import is_authors, is_torchs
from flaxnets.port.offences import Unsupported

PACKAGE = Path(flaxnets.__file__).parent


class Unusable(ValueError):
    """What was named cannot be used; the message is one line, with the author's file and line."""


class Unbound(Unusable):
    """A class or function was not given the arguments that it needs."""


class Target(NamedTuple):
    """A network that was made.

    Attributes:
        net: the network.
        made: how, as ``port`` takes it; None where that was not seen.
        module: where its name was looked up.
        name: that name.
    """

    net: torch.nn.Module
    made: making.Making | None
    module: types.ModuleType
    name: str


def load(text: str, kwargs: Mapping[str, Any] | None = None) -> Target:
    """The network of ``FILE.py:NAME`` or ``package.module:NAME``. Runs the file.

    Args:
        text: NAME is a class or a function, which is called, or a module.
        kwargs: what it is called with.

    Raises:
        Unusable: if there is no such thing, or its code raises something.
    """
    where, _, name = text.rpartition(":")
    if not where or not name:
        raise Unusable(f"{text}: name the network, as FILE.py:NAME or package.module:NAME")
    modules: list[types.ModuleType] = []

    def make() -> torch.nn.Module:
        modules.append(_module(where))
        return _made(modules[0], where, name, kwargs or {})

    with authors_errors():
        net, made = making.recorded(make)
    return Target(net, made if _is_seen(net, made) else None, modules[0], name)


@contextlib.contextmanager
def authors_errors() -> Iterator[None]:
    """Whatever the author's code raises, in one line and with the author's line."""
    try:
        yield
    except (Unusable, Unsupported):
        raise
    except (Exception, SystemExit) as error:
        text = " ".join(str(error).split())
        if isinstance(error, SyntaxError) and error.filename:
            place, text = f"{Path(error.filename).name}:{error.lineno}: ", str(error.msg)
        else:
            place = _place(error)
        is_ours = isinstance(error, ValueError) and not place
        told = text if is_ours else f"{place}{type(error).__name__}: {text}"
        raise Unusable(told) from error


def _place(error: BaseException) -> str:
    """The innermost line of the author's, "" if there is none."""
    place, traceback = "", error.__traceback__
    while traceback is not None:
        path = traceback.tb_frame.f_code.co_filename
        if is_authors(path) and PACKAGE not in Path(path).parents:
            place = f"{Path(path).name}:{traceback.tb_lineno}: "
        traceback = traceback.tb_next
    return place


def _module(where: str) -> types.ModuleType:
    if where.endswith(".py") or "/" in where:
        return _of_file(Path(where))
    if not all(part.isidentifier() for part in where.split(".")):
        raise Unusable(f"{where}: neither a file that ends in .py nor the name of a module")
    _found_first(Path.cwd())
    try:
        return importlib.import_module(where)
    except ModuleNotFoundError as error:
        if error.name and f"{where}.".startswith(f"{error.name}."):
            raise Unusable(f"there is no module {error.name}, nor a file {where}.py") from error
        raise


def _of_file(path: Path) -> types.ModuleType:
    if not path.is_file():
        raise Unusable(f"{path}: no such file")
    name = path.stem
    while name in sys.modules:  # a library's, or the same file as it was before
        name = f"_{name}"
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise Unusable(f"{path}: not a Python file, which ends in .py")
    _found_first(path.resolve().parent)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _found_first(folder: Path) -> None:
    """What lies there can be imported, as from a script of that folder."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _made(
    module: types.ModuleType, where: str, name: str, kwargs: Mapping[str, Any]
) -> torch.nn.Module:
    if not hasattr(module, name):
        raise Unusable(f"{where} has no {name}{_others(module)}")
    found = getattr(module, name)
    if isinstance(found, torch.nn.Module):
        if kwargs:
            raise Unusable(f"{where}:{name} is made already: it takes no arguments")
        return found
    if not callable(found):
        kind = type(found).__name__
        raise Unusable(f"{where}:{name} is of type {kind}: a class, function or module is wanted")
    _check_bound(found, name, kwargs)
    net = found(**kwargs)
    if not isinstance(net, torch.nn.Module):
        raise Unusable(f"{where}:{name} gives a {type(net).__name__}, no torch.nn.Module")
    return net


def _others(module: types.ModuleType) -> str:
    """The networks that it does have."""
    names = [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, torch.nn.Module)
        if value.__module__ == module.__name__
    ]
    return f": its networks are {', '.join(names)}" if names else ""


def _check_bound(found: Callable[..., Any], name: str, kwargs: Mapping[str, Any]) -> None:
    """Raises Unbound unless it takes these arguments and needs no more."""
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):  # built in: its call tells
        return
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    needed = [p.name for p in named if p.default is p.empty and p.name not in kwargs]
    if needed:
        raise Unbound(f"{name} needs {', '.join(needed)}")
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    surplus = kwargs.keys() - {p.name for p in named}
    if surplus and not takes_any:
        takes = ", ".join(p.name for p in named) or "nothing"
        raise Unusable(f"{name} has no argument {', '.join(sorted(surplus))}: it takes {takes}")


def _is_seen(net: torch.nn.Module, made: making.Making) -> bool:
    """Whether its arguments are all that it takes to make it again."""
    parameters = inspect.signature(type(net).__init__).parameters.values()
    takes_any = any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters)
    return "" in made.modules and not is_torchs(net) and not takes_any


def check_takes(net: torch.nn.Module, example: Any) -> None:
    """Raises Unusable unless an example is of tensors, and ``forward`` has arguments for all."""
    try:
        as_arrays(example)
    except TypeError as error:
        raise Unusable(str(error)) from error
    args, kwargs = ((), example) if isinstance(example, dict) else (_tuple(example), {})
    signature = inspect.signature(net.forward)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        given = ", ".join(kwargs) or f"{len(args)} of them"
        names = ", ".join(signature.parameters) or "nothing"
        message = f"{type(net).__name__}.forward takes {names}, the example is {given} ({error})"
        raise Unusable(message) from error


def _tuple(example: Any) -> tuple[Any, ...]:
    return example if isinstance(example, tuple) else (example,)

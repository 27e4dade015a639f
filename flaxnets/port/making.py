"""How a network was made: the arguments of each module's ``__init__``, and where it is called.

A network that exists is made once more, with arguments that are found in it and tried; what comes
out must be the same in every name, size and option.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import itertools
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch

from flaxnets.port.author import File, is_authors, is_torchs, place_of

Arguments = dict[str, Any]
MOST, LEAST = 400, 60  # networks that are made to find the arguments of one
SLOW = 12  # those that must hold numbers
MODULES = 6000  # of all of them together: large ones are tried less often


class Made(NamedTuple):
    """How one module was made."""

    arguments: Arguments  # of its author's __init__; empty for torch's own
    file: File | None
    node: ast.AST | None  # the call that made it


class Making(NamedTuple):
    """How all of a network was made, by the modules' dotted names."""

    arguments: Arguments
    modules: dict[str, Made]


def recorded(make: Callable[[], torch.nn.Module]) -> tuple[torch.nn.Module, Making]:
    """Makes a network, and tells how."""
    found: dict[int, tuple[torch.nn.Module, Made]] = {}
    with _seen(found):
        net = make()
    modules = {
        name: found[id(module)][1] for name, module in net.named_modules() if id(module) in found
    }
    return net, Making(modules[""].arguments if "" in modules else {}, modules)


@contextlib.contextmanager
def _seen(found: dict[int, tuple[torch.nn.Module, Made]]) -> Iterator[None]:
    original = torch.nn.Module.__init__

    def init(module: torch.nn.Module, *args: Any, **kwargs: Any) -> None:
        if id(module) not in found:
            found[id(module)] = (module, _made(module))
        original(module, *args, **kwargs)

    torch.nn.Module.__init__ = init  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        torch.nn.Module.__init__ = original  # type: ignore[method-assign]


def _made(module: torch.nn.Module) -> Made:
    """From the frames of its ``__init__``s: the outermost one has the author's arguments."""
    frame: types.FrameType | None = sys._getframe(2)
    own: types.FrameType | None = None
    while frame is not None and _is_init_of(frame, module):
        own, frame = frame, frame.f_back
    arguments = _arguments(own, module) if own is not None else {}
    while frame is not None and not is_authors(frame.f_code.co_filename):
        frame = frame.f_back
    if frame is None or own is None:
        return Made(arguments, None, None)
    file, node = place_of(frame)
    return Made(arguments, file, node)


def _is_init_of(frame: types.FrameType, module: torch.nn.Module) -> bool:
    names = frame.f_code.co_varnames
    return (
        frame.f_code.co_name == "__init__"
        and bool(names)
        and frame.f_locals.get(names[0]) is module
    )


def _arguments(frame: types.FrameType, module: torch.nn.Module) -> Arguments:
    code = frame.f_code
    count = code.co_argcount + code.co_kwonlyargcount
    return {
        name: frame.f_locals[name] for name in code.co_varnames[1:count] if name in frame.f_locals
    }


def made_anew(net: torch.nn.Module, numbers: tuple[int, ...]) -> Making | None:
    """How a network was made, None if no arguments give the same one."""
    kind = type(net)
    try:
        parameters = [*inspect.signature(kind.__init__).parameters.values()][1:]
    except (ValueError, TypeError):
        return None
    if is_torchs(net) or any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        return None
    search = _Search(net, parameters, numbers)
    return search.found()


class _Search:
    """For the arguments of a network's ``__init__``: one after the other, what fits better."""

    def __init__(
        self, net: torch.nn.Module, parameters: list[inspect.Parameter], numbers: tuple[int, ...]
    ) -> None:
        self.net, self.parameters = net, parameters
        self.wanted = signature(net)
        self.tries = min(MOST, max(LEAST, MODULES // len([*net.modules()])))
        self.candidates = {p.name: [*_candidates(net, p, numbers)] for p in parameters}

    def found(self) -> Making | None:
        """The arguments of the first network that is the same."""
        if not all(self.candidates.values()):
            return None
        best = {name: found[0] for name, found in self.candidates.items()}
        making, score = self._tried(best)
        while making is None:
            before = score
            for name, values in self.candidates.items():
                for value in values:
                    made, reached = self._tried({**best, name: value})
                    if made is not None:
                        return made
                    if reached > score:
                        best, score = {**best, name: value}, reached
            if score == before or self.tries <= 0:
                return None
        return making

    def _tried(self, arguments: Arguments) -> tuple[Making | None, int]:
        self.tries -= 1
        if self.tries <= 0:
            return None, -1
        net, making = self._make(arguments)
        if net is None:
            return None, -1
        found = signature(net)
        if found == self.wanted:
            return making, len(found)
        return None, sum(found.get(key) == value for key, value in self.wanted.items())

    def _make(self, arguments: Arguments) -> tuple[torch.nn.Module | None, Making | None]:
        for device in ("meta", "cpu"):
            with contextlib.ExitStack() as stack:
                stack.enter_context(contextlib.suppress(Exception))
                stack.enter_context(warnings.catch_warnings(action="ignore"))  # of a try's own
                stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
                stack.enter_context(torch.random.fork_rng(devices=[]))
                stack.enter_context(torch.device(device))
                found = recorded(lambda: type(self.net)(**arguments))
                if device == "cpu":  # a number is read while it is made, and that takes its time
                    self.tries = min(self.tries, SLOW)
                return found
        return None, None


def _candidates(
    net: torch.nn.Module, parameter: inspect.Parameter, numbers: tuple[int, ...]
) -> Iterator[Any]:
    """What an argument may have been: what is called so, its default, what is in the network."""
    default = parameter.default
    has_default = default is not parameter.empty
    own = getattr(net, parameter.name, default) if hasattr(net, parameter.name) else default
    if own is not parameter.empty and not isinstance(own, torch.Tensor | types.MethodType):
        is_module = isinstance(own, torch.nn.Module)
        if not is_module or not isinstance(default, bool | int | float):
            yield own
    if has_default:
        yield default
    if isinstance(default, bool):
        if not any(word in parameter.name for word in REACHING_OUT):
            yield not default
        return
    wants = str(parameter.annotation).lower()
    kinds = dict.fromkeys(type(m) for m in net.modules() if m is not net)
    if has_default and isinstance(default, type):
        yield from kinds
    elif not has_default and ("type" in wants or "callable" in wants or parameter.name in TYPES):
        yield from (kind for kind in kinds if not is_torchs(kind))
        yield from kinds
    elif "list" in wants or "sequence" in wants or isinstance(default, list | tuple):
        yield from _lengths(net)
    else:
        whole = isinstance(default, int) or default in (parameter.empty, None)
        yield from dict.fromkeys(v for v in _numbers(net, numbers) if whole == isinstance(v, int))
        if parameter.annotation is parameter.empty and not has_default:
            yield from (kind for kind in kinds if not is_torchs(kind))
            yield from _lengths(net)


REACHING_OUT = ("pretrained", "download", "weights", "progress")  # what may fetch something
TYPES = ("block", "norm_layer", "act_layer", "activation", "norm", "act")


def _lengths(net: torch.nn.Module) -> Iterator[list[int]]:
    """Of the containers: how many blocks a stage has."""
    lengths = [
        len(child)
        for child in net.children()
        if isinstance(child, torch.nn.Sequential | torch.nn.ModuleList)
    ]
    for start, end in itertools.combinations(range(len(lengths) + 1), 2):
        if end - start > 1:
            yield lengths[start:end]


def _numbers(net: torch.nn.Module, more: tuple[int, ...]) -> Iterator[float]:
    for module in net.modules():
        yield from (
            value
            for name, value in vars(module).items()
            if isinstance(value, int | float) and not isinstance(value, bool) and name[:1] != "_"
        )
        if isinstance(module, torch.nn.ModuleList | torch.nn.Sequential):
            yield len(module)
        for value in vars(module).values():
            if isinstance(value, tuple) and value and isinstance(value[0], int):
                yield value[0]
    yield from more


OF_TORCH = {*vars(torch.nn.Module()), "_modules", "training"}


def _is_plain(value: Any) -> bool:
    """Whether it is of numbers and texts, which are equal or are not."""
    if isinstance(value, dict):
        return all(map(_is_plain, [*value, *value.values()]))
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, int | float | str | torch.dtype)


def signature(net: torch.nn.Module) -> dict[str, Any]:
    """All names, kinds, options, sizes and numbers of a network."""
    found: dict[str, Any] = {}
    for name, module in net.named_modules(remove_duplicate=False):
        found[f"{name}:kind"] = (type(module), module.extra_repr())
        for key, value in vars(module).items():
            if key not in OF_TORCH:
                found[f"{name}:{key}"] = value if _is_plain(value) else type(value)
    for name, tensor in net.state_dict(keep_vars=True).items():
        found[f"{name}:shape"] = tuple(tensor.shape)
    return found

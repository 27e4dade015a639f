"""What a network does in a call: its operations, in their order, and where its source has them.

The network runs, as its author wrote it, on real numbers; nothing is traced symbolically, so that
lists, loops, helpers and whatever else Python has are as they are. Operations that change a tensor
in place give a new one instead: if that changes the outputs, the aliasing means something.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch.overrides import TorchFunctionMode

from flaxnets.port.author import (
    File,
    class_of,
    file_of,
    frame_of_author,
    is_authors,
    is_torchs,
    place_of,
)
from flaxnets.port.inplace import is_in_place, name_of, out_of_place
from flaxnets.port.offences import Offences


class Event(NamedTuple):
    """An operation of torch's, or the call of a module."""

    file: File | None  # none within torch's own containers
    node: ast.AST | None
    owner: torch.nn.Module | None  # whose forward it is
    name: str  # "relu", or "" for a module
    module: torch.nn.Module | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    out: Any
    code: types.CodeType | None  # of the author's function that does it
    is_method: bool  # x.relu(), where torch.relu(x) is none


class Run(NamedTuple):
    """A call of a network."""

    events: list[Event]
    inputs: dict[str, Any]  # by the names of forward's parameters
    outputs: Any
    lines: set[tuple[str, int]]  # of the author's files, that ran
    calls: list[tuple[torch.nn.Module, dict[str, Any], Any]]  # of the author's modules


STOPS = {  # what leaves torch, and so may steer the program by what is in a tensor
    "__bool__": "a branch or loop on data",
    "__int__": "a number read from a tensor",
    "__float__": "a number read from a tensor",
    "__index__": "a number read from a tensor",
    "item": "a number read from a tensor",
    "tolist": "numbers read from a tensor",
    "numpy": "an array of NumPy's",
    "__array__": "an array of NumPy's",
    "__contains__": "a branch on data",
    "equal": "a branch on data",
    "allclose": "a branch on data",
}
STEERS = (
    "write it on whole tensors (torch.where, masks), or move it out of forward: what is compiled "
    "has one way, whatever the numbers are"
)
OWN = "write it with operations whose gradients are known"
ALIAS = "a tensor is changed in place and read again under another name"
SET_ITEM = "build a new tensor (torch.cat, torch.where) instead of writing into one"


class Recorder(TorchFunctionMode):
    """Sees each function of torch's and each call of a module while it is entered."""

    def __init__(self, offences: Offences, state: set[int]) -> None:
        super().__init__()
        self.offences, self.state = offences, state
        self.events: list[Event] = []
        self.lines: set[tuple[str, int]] = set()
        self.calls: list[Any] = []
        self.owners: list[torch.nn.Module] = []
        self.inside = 0  # of torch's own modules
        self.in_place: dict[tuple[str, int], File] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.inside or not self.owners:
            out, is_changed = out_of_place(func, args, kwargs, inner=True)
            if is_changed and (frame := frame_of_author(2)):
                self._changes(file_of(frame.f_code.co_filename), frame)
            return out
        name = name_of(func)
        if name in ("_has_torch_function", "is_floating_point") or name.startswith("_backward"):
            return func(*args, **kwargs)
        frame = frame_of_author(2)
        file, node = place_of(frame) if frame else (None, None)
        self._stop(name, file, frame, args, kwargs)
        out, is_changed = out_of_place(func, args, kwargs)
        if is_changed and file and frame:
            self._changes(file, frame)
        args, kwargs = _kept(args), _kept(kwargs)
        owner = self.owners[-1]
        code, is_method = (frame.f_code, _is_method(node, frame)) if frame else (None, False)
        name = name[:-1] if is_changed and is_in_place(name) else name
        self.events.append(Event(file, node, owner, name, None, args, kwargs, out, code, is_method))
        return out

    def _changes(self, file: File, frame: types.FrameType) -> None:
        """What is done out of place here changes a tensor in torch."""
        self.in_place.setdefault((file.path, frame.f_lineno), file)
        node = place_of(frame)[1]
        if node is not None and isinstance(file.parents.get(node), ast.Expr):
            self.offences.at(file, node, ALIAS, "write it out of place, and assign the result")

    def _stop(self, name: str, file: File | None, frame: Any, args: Any, kwargs: Any) -> None:
        if not file:
            return
        if name in STOPS:
            self.offences.at(file, frame.f_lineno, STOPS[name], STEERS)
        if name == "__setitem__" or kwargs.get("out") is not None:
            self.offences.at(file, frame.f_lineno, "a tensor is written into", SET_ITEM)
        elif is_in_place(name) and args and self._is_state(args[0]):
            what = "forward changes a parameter or buffer of its own"
            self.offences.at(file, frame.f_lineno, what, "keep such state outside of forward")

    def _is_state(self, value: Any) -> bool:
        is_tensor = isinstance(value, torch.Tensor)
        return is_tensor and value.untyped_storage().data_ptr() in self.state

    def call(self, original: Callable[..., Any], module: Any, args: Any, kwargs: Any) -> Any:
        """A module's ``__call__``, seen."""
        if self.inside:
            return original(module, *args, **kwargs)
        is_container = isinstance(module, torch.nn.Sequential) and is_torchs(module)
        is_leaf = is_torchs(module) and not is_container
        frame = frame_of_author(3)
        is_called_by_author = bool(self.owners) and not is_torchs(self.owners[-1])
        file, node = place_of(frame) if frame and is_called_by_author else (None, None)
        code = frame.f_code if frame and is_called_by_author else None
        owner = self.owners[-1] if self.owners else None
        self.inside += is_leaf
        self.owners.append(module)
        outermost: Any = self if len(self.owners) == 1 else contextlib.nullcontext()
        try:
            with outermost:
                out = original(module, *args, **kwargs)
        finally:
            self.owners.pop()
            self.inside -= is_leaf
        args, kwargs = _kept(args), _kept(kwargs)
        if not self.owners or not (is_leaf or is_container):
            given = inspect.signature(module.forward).bind(*args, **kwargs).arguments
            self.calls.append((module, given, out))
        self.events.append(Event(file, node, owner, "", module, args, kwargs, out, code, False))
        return out

    def trace(self, frame: types.FrameType, event: str, arg: Any) -> Any:
        """For ``sys.settrace``: which lines of the author's run."""
        if not is_authors(frame.f_code.co_filename):
            return None
        self.lines.add((frame.f_code.co_filename, frame.f_lineno))
        return self.trace


def recorded(net: torch.nn.Module, args: Any, kwargs: Any, train: bool, offences: Offences) -> Run:
    """A call of a network with all that it does. Aliasing that means something is an offence."""
    net.train(train)
    state = {t.untyped_storage().data_ptr() for t in [*net.parameters(), *net.buffers()]}
    recorder = Recorder(offences, state)
    with _patched(recorder), _kept_state(net):
        try:
            out = net(*_copies(args), **_copies(kwargs))
        except Exception as error:
            error.events = recorder.events  # type: ignore[attr-defined]
            raise
    given = _copies((args, kwargs))
    expected = _plainly(net, *given)
    if not _same(given, (args, kwargs)):
        for (_, line), file in recorder.in_place.items():
            offences.at(file, line, "the network changes its input", "write it out of place")
    elif not _same(out, expected):
        for (_, line), file in recorder.in_place.items():
            offences.at(file, line, ALIAS, "write it out of place, and assign the result")
        if not recorder.in_place and not offences.found:
            found = class_of(type(net))
            what = "its outputs are not the same when it is called again"
            offences.at(found.file, found.node, what, "draw and keep nothing in forward")
    named = recorder.calls[-1][1] if recorder.calls else {}
    return Run(recorder.events, named, out, recorder.lines, recorder.calls)


def _plainly(net: torch.nn.Module, args: Any, kwargs: Any) -> Any:
    """The outputs, as torch has them."""
    with _kept_state(net):
        return net(*args, **kwargs)


@contextlib.contextmanager
def _kept_state(net: torch.nn.Module) -> Iterator[None]:
    """Always the same random numbers, and statistics that are as before."""
    saved = {name: value.clone() for name, value in net.state_dict().items()}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            yield
        finally:
            net.load_state_dict(saved)


@contextlib.contextmanager
def _patched(recorder: Recorder) -> Iterator[None]:
    original, tracing = torch.nn.Module.__call__, sys.gettrace()

    def call(module: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
        return recorder.call(original, module, args, kwargs)

    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        frame = frame_of_author(2)
        if frame is not None and not recorder.inside:
            file = file_of(frame.f_code.co_filename)
            recorder.offences.at(
                file, frame.f_lineno, f"{cls.__name__} is an autograd.Function", OWN
            )
        return applying.__get__(None, cls)(*args, **kwargs)

    applying: Any = next(
        vars(kind)["apply"] for kind in torch.autograd.Function.__mro__ if "apply" in vars(kind)
    )
    is_own = "apply" in vars(torch.autograd.Function)
    torch.autograd.Function.apply = classmethod(apply)  # type: ignore[method-assign, assignment]
    torch.nn.Module.__call__ = call  # type: ignore[method-assign]
    sys.settrace(recorder.trace)
    try:
        yield
    finally:
        sys.settrace(tracing)
        if is_own:
            torch.autograd.Function.apply = applying  # type: ignore[method-assign]
        else:
            del torch.autograd.Function.apply
        torch.nn.Module.__call__ = original  # type: ignore[method-assign]


def _is_method(node: ast.AST | None, frame: types.FrameType) -> bool:
    """Whether what is called is an attribute of a tensor, and not of a Python module."""
    root = node.func if isinstance(node, ast.Call) else None
    if not isinstance(root, ast.Attribute):
        return False
    while isinstance(root, ast.Attribute):
        root = root.value
    if not isinstance(root, ast.Name) or root.id in frame.f_locals:
        return True
    return not isinstance(frame.f_globals.get(root.id), types.ModuleType)


def _kept(tree: Any) -> Any:
    """Lists as they are now: they may grow."""
    return torch.utils._pytree.tree_map(lambda leaf: leaf, tree)


def _copies(tree: Any) -> Any:
    return torch.utils._pytree.tree_map_only(torch.Tensor, torch.clone, tree)


def _same(a: Any, b: Any) -> bool:
    """Of all tensors, to the bit; what else there is may have no equality."""
    ours, theirs = (torch.utils._pytree.tree_leaves(tree) for tree in (a, b))
    return len(ours) == len(theirs) and all(
        isinstance(x, torch.Tensor) == isinstance(y, torch.Tensor)
        and (not isinstance(x, torch.Tensor) or _equal(x, y))
        for x, y in zip(ours, theirs, strict=True)
    )


def _equal(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))

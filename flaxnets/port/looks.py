"""What a network may not have: found before and after it has run."""

from __future__ import annotations

import ast
import inspect
import traceback
from collections.abc import Iterator
from typing import Any

import jax
import torch
from torch.nn.utils import parametrize

from flaxnets.interop.layout import as_numpy
from flaxnets.port.analysis import Analysis
from flaxnets.port.author import class_of, file_of, is_authors, is_torchs
from flaxnets.port.offences import Offences
from flaxnets.port.record import Event, Run
from flaxnets.port.ties import tied_layers, ties

HOOKS = {
    "_forward_hooks": "a forward hook",
    "_forward_pre_hooks": "a forward pre-hook",
    "_backward_hooks": "a backward hook",
    "_backward_pre_hooks": "a backward pre-hook",
}
NO_HOOK = "write what it does into forward, or remove it"
METHODS = (  # of lists, dicts and texts
    "append",
    "extend",
    "insert",
    "pop",
    "items",
    "values",
    "keys",
    "get",
    "copy",
    "join",
    "format",
    "index",
    "count",
    "update",
    "reverse",
    "setdefault",
    "lower",
    "upper",
    "startswith",
    "endswith",
    "split",
    "children",
    "named_children",
)
VIEWS = ("view", "reshape", "expand", "unflatten", "repeat")
BATCH = "say x.size(0), or -1, where the batch is"
CONTAINERS = (torch.nn.Sequential, torch.nn.ModuleList, torch.nn.ModuleDict)


def before(net: torch.nn.Module, offences: Offences) -> None:
    """Hooks, parametrizations, lazy modules, forwards that are none of the class's."""
    _ties(net, offences)
    for name, module in net.named_modules():
        for what, remedy in _faults(module):
            where(net, name, what, remedy, offences)
        for key, parameter in module.named_parameters(recurse=False):
            if getattr(parameter, "_backward_hooks", None):
                where(net, f"{name}.{key}".lstrip("."), "a hook of a parameter", NO_HOOK, offences)


def _ties(net: torch.nn.Module, offences: Offences) -> None:
    """What would be two arrays here, each with half of its gradient."""
    said = tied_layers(net)
    for name, other in ties(net):
        path = name.rpartition(".")[0]
        if path not in said or not name.endswith(".weight"):
            remedy = "hold it in one module, or tie two layers of one module"
            where(net, path or name, f"tied to {other}", remedy, offences)


def _faults(module: torch.nn.Module) -> Iterator[tuple[str, str]]:
    if parametrize.is_parametrized(module) or _is_old_norm(module):
        yield "a parametrization", "remove it (remove_parametrizations, remove_weight_norm) first"
        return
    for key, what in HOOKS.items():
        if getattr(module, key, None):
            yield what, NO_HOOK
    if isinstance(module, torch.nn.modules.lazy.LazyModuleMixin) and bool(
        module.has_uninitialized_params()
    ):
        yield "a lazy module", "call it once, or say its sizes"
    for name in ("train", "eval", "__call__"):
        if getattr(type(module), name) is not getattr(torch.nn.Module, name):
            yield f"{name} is not torch's", "let torch's set whether it trains, and call forward"
    if "forward" in vars(module):
        yield "a forward that was replaced", "write it into the class"
    if not is_torchs(module) and not isinstance(module, torch.jit.ScriptModule):
        try:
            class_of(type(module))
        except (OSError, TypeError, StopIteration):
            yield "a module without Python source", "port what it does by itself"


def _is_old_norm(module: torch.nn.Module) -> bool:
    hooks = [type(hook).__name__ for hook in module._forward_pre_hooks.values()]
    return any(
        name.endswith(("Norm", "PruningMethod", "Pruning")) or "Prun" in name for name in hooks
    ) or any(
        name.endswith(("_orig", "_g")) and f"{name.rpartition('_')[0]}" in vars(module)
        for name in module._parameters
    )


def where(net: torch.nn.Module, path: str, what: str, remedy: str, offences: Offences) -> None:
    """An offence of a module: where its attribute is defined, else where its class is."""
    parts = path.split(".") if path else []
    for depth in range(len(parts), -1, -1):
        owner = net
        for part in parts[: max(depth - 1, 0)]:
            owner = getattr(owner, part)
        if is_torchs(owner) and depth > 0:
            continue
        try:
            found = class_of(type(owner))
        except (OSError, TypeError, StopIteration):
            continue
        line = found.line_of(parts[depth - 1]) if depth else found.node.lineno
        offences.at(found.file, line, f"{path or type(net).__name__}: {what}", remedy)
        return
    offences.nowhere(f"{path or type(net).__name__}: {what}", remedy)


def after(net: torch.nn.Module, runs: list[Run], offences: Offences) -> None:
    """Modules that were never called, parameters that were never read, flags that steer."""
    called = {id(event.module) for run in runs for event in run.events if event.module is not None}
    inner = {
        id(below)
        for module in net.modules()
        if is_torchs(module) and not isinstance(module, CONTAINERS)
        for below in module.modules()
        if below is not module
    }
    for name, module in net.named_modules():
        has_state = any(True for _ in module.parameters()) or any(True for _ in module.buffers())
        is_list = isinstance(module, torch.nn.ModuleList | torch.nn.ModuleDict)
        is_called = any(id(each) in called | inner for each in module.modules())
        if has_state and not is_list and not is_called:
            where(net, name, "a submodule that is never called", "delete it", offences)
    _unread(net, runs, offences)
    for kind in dict.fromkeys(type(m) for m in net.modules() if not is_torchs(m)):
        _randomness(kind, offences)


def _randomness(kind: type, offences: Offences) -> None:
    """Of Python's or NumPy's, in forward and what stands beside it."""
    found = class_of(kind)
    functions = [each for each in vars(kind).values() if inspect.isfunction(each)]
    names = functions[0].__globals__ if functions else {}
    for function in found.node.body:
        if not isinstance(function, ast.FunctionDef) or function.name == "__init__":
            continue
        for node in ast.walk(function):
            chain = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
            root = names.get(chain.partition(".")[0])
            name = getattr(root, "__name__", "")
            if name == "random" or (name == "numpy" and ".random" in chain):
                remedy = "give it to the network as an input"
                offences.at(found.file, node, "randomness in forward", remedy)


def _unread(net: torch.nn.Module, runs: list[Run], offences: Offences) -> None:
    read = {
        id(leaf)
        for run in runs
        for event in run.events
        for leaf in torch.utils._pytree.tree_leaves((event.args, event.kwargs))
        if isinstance(leaf, torch.Tensor)
    }
    for name, module in net.named_modules():
        if is_torchs(module):
            continue
        for key, parameter in module._parameters.items():
            if parameter is not None and id(parameter) not in read:
                path = f"{name}.{key}".lstrip(".")
                where(net, path, "a parameter that is never read", "delete it", offences)
        for key in module._non_persistent_buffers_set:
            path = f"{name}.{key}".lstrip(".")
            where(net, path, "a buffer that no state_dict has", "register it persistent", offences)


def flags(analysis: Analysis, functions: list[Any], offences: Offences) -> None:
    """``self.training`` may steer dropout, and nothing else."""
    for file, function in functions:
        for node in ast.walk(function):
            is_flag = isinstance(node, ast.Attribute) and node.attr == "training"
            if is_flag and not _steers_dropout(analysis, file, node):
                what = "paths that differ between training and evaluation"
                offences.at(file, node, what, "port each by itself, or always return both")
        arguments = function.args
        if function.name == "forward" and (arguments.vararg or arguments.kwarg):
            offences.at(file, function, "any number of arguments", "name the arguments of forward")


def _steers_dropout(analysis: Analysis, file: Any, node: ast.AST) -> bool:
    for above in file.above(node):
        if above in analysis.own_layers:
            return True
        if isinstance(above, ast.Return | ast.Raise):
            return False
        if isinstance(above, ast.If):
            inside = [n for each in above.body for n in ast.walk(each) if n in analysis.seen]
            return not above.orelse and all(n in analysis.own_layers for n in inside)
        if isinstance(above, ast.FunctionDef):
            return False
    return False


def other_batch(
    net: torch.nn.Module, args: Any, kwargs: Any, first: Run, offences: Offences, record: Any
) -> Run | None:
    """The network at another batch size: no number of the example may stand for it."""
    more = _grown((args, kwargs), squares := _has_squares((args, kwargs)))
    if more is None:
        return None
    try:
        run: Run = record(net, *more, False, offences)
    except Exception as error:
        if squares:  # which may be masks of times, and no examples
            return None
        events = getattr(error, "events", [])
        if not _kept_sizes(first.events, events, offences):
            _of_batch(error, net, offences)
        return None
    if not _kept_sizes(first.events, run.events, offences):
        _compare(first, run, net, offences)
    return run


def _kept_sizes(first: list[Event], other: list[Event], offences: Offences) -> bool:
    """Whether a view or the like gives as many rows, of more."""
    for one, two in zip(first, other, strict=False):
        if one.node is not two.node or one.file is None or one.node is None:
            continue
        if one.name in VIEWS and _keeps_rows(one, two):
            offences.at(one.file, one.node, "a batch size that is written down", BATCH)
            return True
    return False


def _keeps_rows(one: Event, two: Event) -> bool:
    rows = [event.args[0].shape[:1] for event in (one, two)]
    given = [event.out.shape[:1] for event in (one, two)]
    return bool(rows[0] != rows[1] and given[0] == given[1] == rows[0])


def _tensors(tree: Any) -> list[torch.Tensor]:
    return [t for t in torch.utils._pytree.tree_leaves(tree) if isinstance(t, torch.Tensor)]


def _has_squares(tree: Any) -> bool:
    """Whether an input may be a mask (T, T), of as many times as there are examples."""
    first, *rest = [*_tensors(tree), None]
    return any(
        t is not None and t.ndim == 2 and t.shape[0] == t.shape[1] == first.shape[0]
        for t in rest
        if first is not None and first.ndim
    )


def _grown(tree: Any, squares: bool) -> Any:
    """One example more of each input that has as many as the first."""
    leaves = _tensors(tree)
    if not leaves or leaves[0].ndim == 0:
        return None
    count = leaves[0].shape[0]

    def grow(tensor: torch.Tensor) -> torch.Tensor:
        is_mask = squares and tensor.ndim == 2 and tensor.shape[0] == tensor.shape[1]
        if tensor.ndim == 0 or tensor.shape[0] != count or (is_mask and tensor is not leaves[0]):
            return tensor
        return torch.cat([tensor, tensor[:1]])

    return torch.utils._pytree.tree_map_only(torch.Tensor, grow, tree)


def _of_batch(error: Exception, net: torch.nn.Module, offences: Offences) -> None:
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if is_authors(f.filename) and f.filename.endswith(".py")]
    text = f"a batch size that is written down ({str(error).splitlines()[0][:80]})"
    if own:
        offences.at(file_of(own[-1].filename), own[-1].lineno or 1, text, BATCH)
    else:
        where(net, "", text, BATCH, offences)


def _compare(first: Run, other: Run, net: torch.nn.Module, offences: Offences) -> None:
    """The same operations, and sizes that do not mix the batch with others."""
    a, b = ([e for e in run.events if e.node is not None] for run in (first, other))
    for one, two in zip(a, b, strict=False):
        if one.node is not two.node and one.file is not None:
            offences.at(one.file, one.node or 1, "operations that depend on the batch size", BATCH)
            return
    if len(a) != len(b):
        where(net, "", "operations that depend on the batch size", BATCH, offences)


def shapes(ported: Any, analysis: Analysis, example: Any) -> str | None:
    """The layer whose order of features has to be said; None if all is as in torch.

    Raises ValueError if an output has another shape or dtype.
    """
    args, kwargs = ((), example) if isinstance(example, dict) else (example, {})
    given = _arrays((args if isinstance(args, tuple) else (args,), kwargs))
    rngs = {"dropout": jax.random.key(0)}

    def call(variables: Any, inputs: Any) -> Any:
        return ported.apply(variables, *inputs[0], rngs=rngs, **inputs[1])

    try:
        with jax.enable_x64(True):
            found = jax.eval_shape(call, ported.variables, given)
    except ValueError as error:
        if "say flattened_from=()" in str(error):
            return str(error).partition(" reads ")[0]
        raise
    ours = [tuple(leaf.shape) for leaf in jax.tree.leaves(found)]
    outputs = [x for x in jax.tree.leaves(analysis.runs[0].outputs) if isinstance(x, torch.Tensor)]
    theirs = [tuple(leaf.shape) for leaf in outputs]
    if ours != theirs:
        raise ValueError(f"the outputs are {ours}, in torch {theirs}")
    return None


def _arrays(tree: Any) -> Any:
    return torch.utils._pytree.tree_map_only(torch.Tensor, as_numpy, tree)


def unknown_calls(plan: Any, functions: list[Any], offences: Offences) -> None:
    """Methods of what is no tensor, no module and no plain Python."""
    for file, function in functions:
        for node in ast.walk(function):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            known = node in plan.analysis.written or node in plan.analysis.calls
            if known or node.func.attr in METHODS or node in plan.analysis.seen:
                continue
            if not plan.ran(file, node.lineno, node.end_lineno):
                continue
            value = plan.resolve(file, node.func)
            if value is not None and not inspect.ismodule(value):
                continue
            if _is_own_method(plan, node):
                continue
            what = f"{ast.unparse(node.func)} is not known"
            offences.at(file, node, what, "write it with tensors, lists and layers only")


def _is_own_method(plan: Any, node: ast.Call) -> bool:
    func = node.func
    if not isinstance(func, ast.Attribute) or not isinstance(func.value, ast.Name):
        return False
    is_method: bool = any(plan.method(kind, func.attr) is not None for kind in plan.classes)
    return func.value.id == "self" and (is_method or plan.holds(func.attr))

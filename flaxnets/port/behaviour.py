"""What a network may not do: found once it has run."""

from __future__ import annotations

import ast
import inspect
from typing import Any

import jax
import torch

from flaxnets.interop.layout import as_numpy
from flaxnets.port.analysis import Analysis
from flaxnets.port.author import CONTAINERS, class_of, is_torchs
from flaxnets.port.looks import where
from flaxnets.port.offences import Offences
from flaxnets.port.record import Run

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
            return (
                bool(inside) and not above.orelse and all(n in analysis.own_layers for n in inside)
            )
        if isinstance(above, ast.FunctionDef):
            return False
    return False


def shapes(ported: Any, analysis: Analysis, example: Any) -> str | None:
    """The layer whose order of features has to be said; None if all is as in torch.

    Raises ValueError if an output has another shape, or is no float where torch's is one.
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
    ours = [(tuple(leaf.shape), leaf.dtype.kind in "fV") for leaf in jax.tree.leaves(found)]
    outputs = [x for x in jax.tree.leaves(analysis.runs[0].outputs) if isinstance(x, torch.Tensor)]
    theirs = [(tuple(leaf.shape), leaf.is_floating_point()) for leaf in outputs]
    if ours != theirs:
        raise ValueError(f"shapes, and whether they are floats: {ours}, in torch {theirs}")
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

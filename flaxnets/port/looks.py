"""What a network may not have: found before it runs."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.nn.utils import parametrize

from flaxnets.port.author import class_of, is_torchs
from flaxnets.port.offences import Offences
from flaxnets.port.ties import tied_layers, ties

HOOKS = {
    "_forward_hooks": "a forward hook",
    "_forward_pre_hooks": "a forward pre-hook",
    "_backward_hooks": "a backward hook",
    "_backward_pre_hooks": "a backward pre-hook",
}


NO_HOOK = "write what it does into forward, or remove it"


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

"""What both sides do in a call: the outputs of their layers."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import torch

from flaxnets.layers.tree import named, visited
from flaxnets.parity.layouts import as_ours
from flaxnets.training.call import apply, apply_in_training


def outermost(look: Callable[..., Any]) -> Callable[..., Any]:
    """An interceptor of the calls of modules: that of a base's ``__call__`` is none of its own."""
    inside: list[tuple[str, ...]] = []

    def looking(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        path = context.module.path
        if context.method_name != "__call__" or path in inside:
            return call(*args, **kwargs)
        inside.append(path)
        try:
            return look(call, args, kwargs, context)
        finally:
            inside.remove(path)

    return looking


def torch_layers(net: torch.nn.Module, x: torch.Tensor) -> dict[str, np.ndarray]:
    """The output of each call of a named module, in our layout; the network's as ``output``."""
    found: dict[str, np.ndarray] = {}

    def keep(name: str) -> Callable[..., None]:
        return lambda _, __, out: found.__setitem__(_numbered(name, found), as_ours(out.detach()))

    hooks = [m.register_forward_hook(keep(n)) for n, m in net.named_modules() if n]
    try:
        found["output"] = as_ours(net(x).detach())
    finally:
        for hook in hooks:
            hook.remove()
    return found


def flax_layers(
    model: nn.Module, variables: Any, x: Any, train: bool
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The same of the twin, by torch's names, compiled as training and prediction are.

    And the collections of statistics that the call has changed, if it is one in training.
    """
    names = visited(model, lambda bound: {m.path: name for name, m in reversed([*named(bound)])})

    @jax.jit
    def run(variables: Any, x: Any) -> tuple[dict[str, jax.Array], dict[str, Any]]:
        found: dict[str, Any] = {}

        def keep(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
            out = call(*args, **kwargs)
            path = context.module.path
            if path:
                found[_numbered(names.get(path, ".".join(path)), found)] = out
            return out

        with nn.intercept_methods(outermost(keep)):
            found["output"], changed = (
                apply_in_training(model, variables, x, None)
                if train
                else (apply(model, variables, x, False), {})
            )
        return found, changed

    found, changed = run(variables, x)
    return {name: np.asarray(value) for name, value in found.items()}, changed


def _numbered(name: str, found: dict[str, Any]) -> str:
    """A module that is called again has the number of the call behind its name."""
    calls = sum(key == name or key.startswith(f"{name}, call ") for key in found)
    return f"{name}, call {calls + 1}" if calls else name

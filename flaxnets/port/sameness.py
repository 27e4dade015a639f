"""Whether the module that was written holds what the network holds: names, kinds and options."""

from __future__ import annotations

from typing import Any

import torch

from flaxnets import interop
from flaxnets.port.author import CONTAINERS, DEPTHS, is_torchs

LISTS = (torch.nn.ModuleList, torch.nn.ModuleDict)


class Different(Exception):
    """What was written is not the network that was given."""


def same(net: torch.nn.Module, model: Any) -> None:
    """Raises ``Different`` naming the first place."""
    ours = dict(model.named_modules())
    for name, theirs in net.named_modules(remove_duplicate=False):
        if isinstance(theirs, LISTS) or not is_torchs(theirs):
            continue
        if name not in ours:
            if any(name.startswith(f"{above}.") for above in _leaves(net)):
                continue
            raise Different(f"{name} is missing")
        a, b = repr(ours[name]), repr(theirs)
        if type(theirs) in DEPTHS:
            a, b = str(ours[name].p), str(float(vars(theirs)[DEPTHS[type(theirs)]]))
        if not isinstance(theirs, torch.nn.Sequential) and a != b:
            raise Different(f"{name} is {a}, not {b}")
    held = {leaf.name: tuple(leaf.shape) for leaf in interop.leaves(model)}
    wanted = {name: tuple(t.shape) for name, t in net.state_dict().items()}
    if held != wanted:
        raise Different(f"it holds {held}, not {wanted}")


def _leaves(net: torch.nn.Module) -> list[str]:
    """torch's own modules, whose inner ones are their affair."""
    return [
        n for n, m in net.named_modules() if n and is_torchs(m) and not isinstance(m, CONTAINERS)
    ]

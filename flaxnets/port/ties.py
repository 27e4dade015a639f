"""One parameter of two modules: one array here too, with one gradient."""

from __future__ import annotations

from typing import NamedTuple

import torch

from flaxnets.port.author import is_torchs


class Text(str):
    """What is written as it stands."""

    def __repr__(self) -> str:
        return str(self)


class Tie(NamedTuple):
    """A parameter, by its whole name, that is another one."""

    name: str
    other: str


def ties(net: torch.nn.Module) -> list[Tie]:
    """The names under which a parameter comes again, and its first one."""
    first: dict[int, str] = {}
    found = []
    for path, module in net.named_modules():
        for key, parameter in module._parameters.items():
            if parameter is not None:
                name = f"{path}.{key}".lstrip(".")
                other = first.setdefault(id(parameter), name)
                found += [Tie(name, other)] if other != name else []
    return found


def tied_layers(net: torch.nn.Module) -> dict[str, Text]:
    """Of the ties that a ``Linear`` can say: its name, and the layer that it is tied to."""
    return {tie.name.rpartition(".")[0]: text for tie in ties(net) if (text := _text(net, tie))}


def _text(net: torch.nn.Module, tie: Tie) -> Text | None:
    (path, _, key), (other, _, other_key) = (name.rpartition(".") for name in tie)
    parents = {each.rpartition(".")[0] for each in (path, other)}
    if (key, other_key) != ("weight", "weight") or len(parents) > 1 or not path or not other:
        return None
    owner, linear = net.get_submodule(parents.pop()), net.get_submodule(path)
    holder = net.get_submodule(other)
    kinds = type(linear) is torch.nn.Linear and type(holder) in (
        torch.nn.Linear,
        torch.nn.Embedding,
    )
    return Text(f"self.{other.rpartition('.')[2]}") if kinds and not is_torchs(owner) else None

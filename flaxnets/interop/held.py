"""What a model holds: its parameters and buffers, as they are in torch and here."""

from collections.abc import Iterator, Mapping

import flax.linen as nn
import numpy as np

from flaxnets.layers.base import Module, Tensor
from flaxnets.layers.tree import attributes, flat, is_hidden, named, others, torch_name, visited

PASSING = ("masks", "intermediates")  # collections of what a call leaves, which are no state


def leaves(model: nn.Module) -> list[Tensor]:
    """The parameters and buffers of a model, in the order of ``torch.nn.Module.state_dict``.

    Args:
        model: a network of ``flaxnets.models``, or one's own that derives from
            ``flaxnets.layers.Module``. It holds no arrays yet, and needs none.

    Returns:
        A ``Tensor`` each, with its whole name and shape in torch, as ``fc1.weight`` and (out, in),
        and its whole path and shape here, as ``("params", "fc1", "kernel")`` and (in, out); dtypes
        are the variables' affair. One that several layers share comes under each of its names.

    Raises:
        TypeError: naming every layer that does not say what torch calls what it holds.
    """
    if not isinstance(model, Module):
        raise TypeError(f"{_refusal(model, '')}; the whole derives from flaxnets.layers.Module")
    found, offences = visited(model, _collect)
    if offences:
        raise TypeError("; ".join(offences))
    return found


def parameters(model: nn.Module) -> list[Tensor]:
    """Those that are trained, each once, as ``torch.nn.Module.parameters`` has them.

    Args:
        model: as ``leaves`` takes it.

    Returns:
        A ``Tensor`` each, as from ``leaves``, with its shape in torch, as (out, in), and here.

    Raises: as ``leaves`` does.
    """
    found: dict[tuple[str, ...], Tensor] = {}
    for leaf in leaves(model):
        if leaf.path[0] == "params":
            found.setdefault(leaf.path, leaf)
    return list(found.values())


def to_flax(leaf: Tensor, array: np.ndarray) -> np.ndarray:
    """torch's array -> ours, of the same dtype."""
    seen = array.reshape(leaf.view or leaf.shape)
    return (seen.transpose(leaf.axes) if leaf.axes else seen).reshape(leaf.ours)


def to_torch(leaf: Tensor, array: np.ndarray) -> np.ndarray:
    """Ours -> torch's: the inverse, to the bit."""
    if leaf.axes is None:
        return array.reshape(leaf.shape)
    view = leaf.view or leaf.shape
    permuted = array.reshape([view[axis] for axis in leaf.axes])
    return permuted.transpose(np.argsort(leaf.axes)).reshape(leaf.shape)


def _collect(bound: nn.Module) -> tuple[list[Tensor], list[str]]:
    found: list[Tensor] = []
    offences: list[str] = []
    for name, module in named(bound):
        if is_hidden(module):
            offences.append(_refusal(module, name))
        for attribute, value in attributes(module).items():
            if foreign := others(value):
                where = f"{name}.{attribute}" if name else attribute
                offences.append(
                    f"{where} has modules and other things, as {foreign[0]}: torch has "
                    "no list of both"
                )
        for tensor in module.tensors() if hasattr(module, "tensors") else _made(module):
            whole = f"{name}.{tensor.name}" if name else tensor.name
            collection, *path = tensor.path
            whole_path = (collection, *(tensor.holder or module).path, *path)
            found.append(tensor._replace(name=whole, path=whole_path, holder=None))
    return found, offences


def _made(module: nn.Module) -> Iterator[Tensor]:
    """What ``setup`` has made by ``self.param`` and ``self.variable``, laid out as in torch."""
    below = {child.path[-1] for _, child in flat(attributes(module))}
    trees = {name: tree for name, tree in module.variables.items() if name not in PASSING}
    for collection in sorted(trees, key=lambda name: name != "params"):  # torch has them first
        for name, value in trees[collection].items():
            if isinstance(value, Mapping):
                if name not in below:
                    raise TypeError(f"{type(module).__name__}: {name} is a tree; torch has tensors")
                continue
            yield Tensor(torch_name(name), (collection, name), value.shape, value.shape)


def _refusal(module: nn.Module, name: str) -> str:
    where, kind = f"{name}: " if name else "", type(module)
    if kind.__module__.startswith("flax."):
        return (
            f"{where}{kind.__name__} cannot be converted: a layer of Flax does not say what "
            "torch calls what it holds; take that of flaxnets.layers"
        )
    return (
        f"{where}{kind.__name__} cannot be converted: it is @nn.compact, and linen shows what such "
        "a module holds only in a call; make its layers, of flaxnets.layers, in setup"
    )

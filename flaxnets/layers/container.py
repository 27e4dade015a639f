"""Layers in a row, in lists and in dicts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax

from flaxnets.layers import tree
from flaxnets.layers.base import Module

Pairs = list[tuple[str, nn.Module]]


class Sequential(Module):
    """``torch.nn.Sequential`` of a list of layers, called one after the other.

    They are named ``0``, ``1``, ... as torch names them, or as a mapping says, which is torch's
    ``Sequential(OrderedDict(...))``. Each one takes what the one before it returns: the input
    (N, ...) is of the shape and dtype that the first takes. ``train`` reaches those that take it.

    ``model[0]`` is a layer, ``model[1:3]`` a ``Sequential`` of layers that keep their names;
    ``len(model)`` and iteration are a list's.

    Attributes:
        layers: a list or tuple of linen modules whose ``__call__`` needs one argument, or a mapping
            of names to them. It is kept as a tuple, of pairs if there are other names.

    Raises:
        TypeError: for what is no linen module.
        ValueError: for a name that is empty or has a dot. And what its layers raise, when called.
    """

    layers: Sequence[nn.Module] | Mapping[str, nn.Module] | Sequence[tuple[str, nn.Module]] = ()
    preserve_adopted_names = True  # linen's switch: else it would name them layers_0, ...

    def __post_init__(self) -> None:
        pairs = self._pairs()
        named: dict[int, nn.Module] = {}  # a layer that comes again is the same one: its weights
        for name, layer in pairs:
            _check_layer(name, layer)
            named.setdefault(id(layer), layer.clone(name=name) if layer.name is None else layer)
        own = tuple((name, named[id(layer)]) for name, layer in pairs)
        are_numbers = [name for name, _ in own] == [*map(str, range(len(own)))]
        self.layers = tuple(layer for _, layer in own) if are_numbers else own
        super().__post_init__()

    @nn.nowrap
    def _pairs(self) -> Pairs:
        """The layers with their names."""
        if isinstance(self.layers, nn.Module):
            raise TypeError(f"Sequential takes one list of layers, got {self.layers}: [layer]")
        if isinstance(self.layers, Mapping):
            return [*self.layers.items()]
        numbered = ((str(i), layer) for i, layer in enumerate(self.layers))
        return [each[1] if isinstance(each[1], tuple) else each for each in numbered]

    def attributes(self) -> dict[str, Any]:
        """The layers by their names."""
        return dict(self._pairs())

    @nn.nowrap
    def __len__(self) -> int:
        return len(self.layers)

    @nn.nowrap
    def __iter__(self) -> Iterator[nn.Module]:
        return (layer for _, layer in self._pairs())

    @nn.nowrap
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(dict(self._pairs()[index]), parent=None)
        return self._pairs()[index][1]

    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        for layer in self:
            x = layer(x)  # with train: see Module
        return x


def ModuleList(modules: Iterable[Any] = ()) -> list[Any]:
    """``torch.nn.ModuleList``: a list of layers, to be assigned in ``setup``.

    A plain list there is the same: ``Module`` names what is in it ``blocks.0``, ``blocks.1``, ...
    and prints it as torch does. linen makes a tuple of it when it is assigned: append before that.

    Args:
        modules: any iterable of linen modules, or of lists and dicts of them.

    Returns:
        A list of them.

    Raises:
        TypeError: for what is no linen module.
    """
    found = [*modules]
    for i, module in enumerate(found):
        _check(str(i), *tree.others(module))
    return found


def ModuleDict(modules: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()) -> dict[str, Any]:
    """``torch.nn.ModuleDict``: a dict of layers, to be assigned in ``setup``.

    A plain dict there is the same: ``Module`` names what is in it ``heads.a``, ... in its order.

    Args:
        modules: a mapping of names to linen modules, or to lists and dicts of them; or pairs.

    Returns:
        A dict of them.

    Raises:
        TypeError: for what is no linen module.
        ValueError: for a name that is empty or has a dot.
    """
    found = dict(modules)
    for name, module in found.items():
        _check(name, *tree.others(module))
    return found


def _check_layer(name: str, layer: nn.Module) -> None:
    _check(name, *([] if isinstance(layer, nn.Module) else [layer]))


def _check(name: str, *others: Any) -> None:
    """Raise TypeError for what is no linen module, ValueError for a name that torch refuses."""
    for other in others:
        raise TypeError(f"layer {name} must be a linen module, got {other}: ReLU(), not relu")
    if not isinstance(name, str) or not name or "." in name:
        raise ValueError(f"a layer's name must be a string without a dot, got {name!r}")


class Identity(Module):
    """``torch.nn.Identity``: (...,) -> (...,) as it is, of any shape and dtype.

    Whatever it is made with, by position or by name, is ignored, as in torch.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(**{name: kwargs[name] for name in ("parent", "name") if name in kwargs})

    def __call__(self, x: jax.Array) -> jax.Array:
        return x

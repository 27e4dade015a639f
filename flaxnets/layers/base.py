"""The base of the layers and networks: what a module holds, and how it prints.

What torch calls a thing, and where it lies here, is said by whoever holds it: a layer by its
``tensors``; a module that makes parameters and variables of its own in ``setup`` by their names.
"""

import dataclasses
import inspect
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
from flax.core import FrozenDict

from flaxnets.layers import tree
from flaxnets.layers.flattening import Checked
from flaxnets.switch import kept_by_jit, passing_train_on


class Tensor(NamedTuple):
    """A parameter or buffer of a layer, of any dtype: what torch calls it, and how it lies here.

    In a ``torch.nn.Module`` its ``name`` is as ``weight`` and it is shaped as ``shape`` says; here
    it is at ``path``, as ``("params", "kernel")``, and shaped as ``ours`` says. Between the two
    torch's array is seen as ``view``, if one of its axes is a flattening, and its ``axes`` are
    permuted, if they lie in another order here. ``holder`` is the module below which the path is,
    if it is not the one that names it: weights are tied then.
    """

    name: str  # torch's: "weight"
    path: tuple[str, ...]  # here, from the collection on: ("params", "kernel")
    shape: tuple[int, ...]  # torch's
    ours: tuple[int, ...]
    axes: tuple[int, ...] | None = None
    view: tuple[int, ...] | None = None
    holder: nn.Module | None = None


class Module(Checked):
    """A linen module that lists what it holds, and prints, as ``torch.nn.Module`` does.

    The base of one's own networks, if ``interop`` is to convert them. Layers stand in ``setup`` or
    among the fields, alone, in lists (torch's ``ModuleList``) or in dicts (``ModuleDict``);
    parameters and variables of one's own are made in ``setup``, and are laid out in torch as here.
    A layer that has them laid out otherwise, or makes them in its call, says what it holds by a
    method ``tensors``, which yields a ``Tensor`` each in the order of torch's ``state_dict``.
    Lists and dicts among the fields become tuples and FrozenDicts, since a module must be hashable.

    A method that takes ``train`` passes it on to all that is called within it and takes ``train``
    but was not given it, through whatever lies between; what is given is left as it is.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        is_jitted = cls.__module__.startswith("flax.") and cls.__name__.startswith("Jit")
        for name, value in [*vars(cls).items()]:
            if inspect.isfunction(value) and (name == "__call__" or not name.startswith("__")):
                method = kept_by_jit(value, cls.__name__) if is_jitted else value
                setattr(cls, name, passing_train_on(method))
        super().__init_subclass__(**kwargs)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if isinstance(value := getattr(self, field.name), list | tuple | dict):
                setattr(self, field.name, _frozen(value))  # a module must hash, to be static in jit
        super().__post_init__()

    def named_children(self) -> dict[str, nn.Module]:
        """The direct submodules by torch's names, in the order in which ``setup`` defines them."""
        return tree.visited(self, lambda bound: dict(tree.flat(tree.attributes(bound))))

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
        """This module and all below it with their dotted names: ``torch.nn.Module``'s method."""
        yield from tree.visited(self, lambda bound: list(tree.named(bound, prefix)))

    def attributes(self) -> dict[str, Any]:
        """The attributes that hold modules: torch's names, and a module, a tuple or a mapping."""
        return tree.holding_modules(self)

    def extra_repr(self) -> str:
        """What stands between the parentheses when the module prints: torch's hook."""
        return ""

    def __repr__(self) -> str:
        children = tree.visited(self, lambda bound: _lines(bound.attributes().items()))
        return f"{type(self).__name__}({self.extra_repr()}{children}" + ("\n)" if children else ")")


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return FrozenDict({key: _frozen(item) for key, item in value.items()})
    return tuple(map(_frozen, value)) if type(value) in (list, tuple) else value


def _printed(value: Any) -> str:
    """A module, or a container of modules, as torch prints them."""
    if not isinstance(value, tuple | list | Mapping):
        return repr(value)
    if isinstance(value, Mapping):
        return f"ModuleDict({_lines(value.items())}\n)" if value else "ModuleDict()"
    groups = itertools.groupby(enumerate(map(_printed, value)), key=lambda item: item[1])
    items: dict[str, str] = {}
    for text, group in groups:
        places = [str(i) for i, _ in group]
        alone = len(places) == 1
        name = places[0] if alone else f"{places[0]}-{places[-1]}"
        items[name] = text if alone else f"{len(places)} x {text}"
    return f"ModuleList({_lines(items.items())}\n)" if items else "ModuleList()"


def _lines(items: Iterable[tuple[str, Any]]) -> str:
    texts = ((name, v if isinstance(v, str) else _printed(v)) for name, v in items)
    return "".join(f"\n  ({name}): " + text.replace("\n", "\n  ") for name, text in texts)

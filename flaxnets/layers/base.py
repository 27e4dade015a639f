"""The base of the layers and networks: what a module holds, and how it prints.

What torch calls a thing, and where it lies here, is said by whoever holds it: a layer by its
``tensors``; a module that makes parameters and variables of its own in ``setup`` by their names.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import flax.linen as nn
import jax

from flaxnets.layers.flattening import Checked
from flaxnets.layers.passing import passing_train_on

Found = TypeVar("Found")


class Tensor(NamedTuple):
    """A parameter or buffer of a layer: what torch calls it, and how it lies here.

    torch's array is seen as shaped ``view``, if one of its axes is a flattening; its ``axes`` are
    permuted, if they lie here in another order; and it is shaped ``ours``.
    """

    name: str  # torch's: "weight"
    path: tuple[str, ...]  # here, from the collection on: ("params", "kernel")
    shape: tuple[int, ...]  # torch's
    ours: tuple[int, ...]
    axes: tuple[int, ...] | None = None
    view: tuple[int, ...] | None = None


class Module(Checked):
    """A linen module that lists what it holds, and prints, as ``torch.nn.Module`` does.

    The base of one's own networks, if ``interop`` is to convert them. Layers stand in ``setup`` or
    among the fields, alone, in lists (torch's ``ModuleList``) or in dicts (``ModuleDict``);
    parameters and variables of one's own are made in ``setup``, and are laid out in torch as here.
    Lists among the fields become tuples, since a linen module must be hashable.

    A ``__call__`` that is given ``train`` passes it on to all that is called within it and takes
    ``train`` but was not given it, through whatever lies between; what is given is left as it is.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if "__call__" in vars(cls):
            cls.__call__ = passing_train_on(cls.__call__)  # type: ignore[method-assign]
        super().__init_subclass__(**kwargs)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if isinstance(value := getattr(self, field.name), list):
                setattr(self, field.name, tuple(value))  # a module must hash, to be static in jit
        super().__post_init__()

    def tensors(self) -> Iterator[Tensor] | None:
        """What a layer holds itself, in the order of torch's ``state_dict``.

        None, by default, stands for what ``setup`` makes by ``self.param`` and ``self.variable``.
        """
        return None

    def named_children(self) -> dict[str, nn.Module]:
        """The direct submodules by torch's names, in the order in which ``setup`` defines them."""
        return visited(self, lambda bound: dict(flat(attributes(bound))))

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
        """This module and all below it with their dotted names: ``torch.nn.Module``'s method."""
        yield from visited(self, lambda bound: list(named(bound, prefix)))

    def attributes(self) -> dict[str, Any]:
        """The attributes that hold modules: torch's names, and a module, a tuple or a mapping."""
        return _attributes(self)

    def extra_repr(self) -> str:
        """What stands between the parentheses when the module prints: torch's hook."""
        return ""

    def __repr__(self) -> str:
        children = visited(self, lambda bound: _lines(bound.attributes().items()))
        return f"{type(self).__name__}({self.extra_repr()}{children}" + ("\n)" if children else ")")


def visited(module: nn.Module, visit: Callable[[Any], Found]) -> Found:
    """What ``visit`` makes of a module whose ``setup`` has run, and that of all below it."""
    found: list[Found] = []

    def run(bound: nn.Module) -> None:
        list(named(bound))  # each setup needs a scope that is open, for what it makes there
        found.append(visit(bound))

    if module.scope is not None:
        run(module)
    else:
        keys = ("params", "dropout")
        jax.eval_shape(lambda: module.init(dict.fromkeys(keys, jax.random.key(0)), method=run))
    return found[0]


def attributes(module: nn.Module) -> dict[str, Any]:
    """As ``Module.attributes``, of any linen module that is bound."""
    return module.attributes() if isinstance(module, Module) else _attributes(module)


def flat(tree: Mapping[str, Any]) -> Iterator[tuple[str, nn.Module]]:
    """The modules in nested tuples and mappings, by dotted names."""
    for name, value in tree.items():
        if isinstance(value, nn.Module):
            yield name, value
        else:
            items = value.items() if isinstance(value, Mapping) else enumerate(value)
            yield from flat({f"{name}.{key}": item for key, item in items})


def _attributes(module: nn.Module) -> dict[str, Any]:
    dir(module)  # setup is lazy, and this is linen's way to have it run
    found = {name: value for name, value in vars(module).items() if name not in LINENS}
    return {torch_name(name): value for name, value in found.items() if _holds_modules(value)}


def is_hidden(module: nn.Module) -> bool:
    """Whether linen shows what it holds only in a call, and it does not say so by ``tensors``."""
    kind = type(module)
    stated = isinstance(module, Module) and kind.tensors is not Module.tensors
    return not stated and any(
        getattr(getattr(kind, name, None), "compact", False) for name in dir(kind)
    )


def torch_name(name: str) -> str:
    """Where torch's name is one that linen owns, ours has an underscore behind it."""
    return name[:-1] if name.endswith("_") and name[:-1] in LINENS else name


# What a module has among its attributes that are not its author's.
LINENS = {*dir(Module), *nn.Module.__annotations__, "_parent_ref"}


def _holds_modules(value: Any) -> bool:
    """Raises TypeError if only a part of it are modules: what torch would call that is unknown."""
    if not isinstance(value, tuple | list | Mapping):
        return isinstance(value, nn.Module)
    items = value.values() if isinstance(value, Mapping) else value
    are_modules = set(map(_holds_modules, items))
    if len(are_modules) > 1:
        raise TypeError(f"a list of modules and other things cannot be converted: {value}")
    return True in are_modules


def named(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """A module that is bound and all below it, by dotted names."""
    yield prefix, module
    for name, child in flat(attributes(module)):
        yield from named(child, f"{prefix}.{name}" if prefix else name)


def _printed(value: Any) -> str:
    """A module, or a container of modules, as torch prints them."""
    if isinstance(value, nn.Module):
        return repr(value)
    if isinstance(value, Mapping):
        return f"ModuleDict({_lines(value.items())}\n)"
    groups = itertools.groupby(enumerate(map(_printed, value)), key=lambda item: item[1])
    items: dict[str, str] = {}
    for text, group in groups:
        places = [str(i) for i, _ in group]
        alone = len(places) == 1
        name = places[0] if alone else f"{places[0]}-{places[-1]}"
        items[name] = text if alone else f"{len(places)} x {text}"
    return f"ModuleList({_lines(items.items())}\n)"


def _lines(items: Iterable[tuple[str, Any]]) -> str:
    texts = ((name, v if isinstance(v, str) else _printed(v)) for name, v in items)
    return "".join(f"\n  ({name}): " + text.replace("\n", "\n  ") for name, text in texts)

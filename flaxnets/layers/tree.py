"""What is below a module, by torch's names: any of linen's whose ``setup`` defines it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import flax.linen as nn
import jax

Found = TypeVar("Found")


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
    """The attributes of a bound module that hold modules, as it says, or as linen has them."""
    say: Callable[[], dict[str, Any]] | None = getattr(module, "attributes", None)
    return say() if say else holding_modules(module)


def flat(tree: Mapping[str, Any]) -> Iterator[tuple[str, nn.Module]]:
    """The modules in nested tuples and mappings, by dotted names."""
    for name, value in tree.items():
        if isinstance(value, nn.Module):
            yield name, value
        elif isinstance(value, tuple | list | Mapping):
            items = value.items() if isinstance(value, Mapping) else enumerate(value)
            yield from flat({f"{name}.{key}": item for key, item in items})


def holding_modules(module: nn.Module) -> dict[str, Any]:
    """Torch's names, and a module, a tuple or a mapping."""
    dir(module)  # setup is lazy, and this is linen's way to have it run
    found = {name: value for name, value in vars(module).items() if name not in LINENS}
    return {torch_name(name): value for name, value in found.items() if _holds_modules(value)}


def is_hidden(module: nn.Module) -> bool:
    """Whether linen shows what it holds only in a call, and it does not say so by ``tensors``."""
    kind = type(module)
    return not hasattr(kind, "tensors") and any(
        getattr(getattr(kind, name, None), "compact", False) for name in dir(kind)
    )


def torch_name(name: str) -> str:
    """Where torch's name is one that linen owns, ours has an underscore behind it."""
    return name[:-1] if name.endswith("_") and name[:-1] in LINENS else name


# What a module has among its attributes that are not its author's, but linen's and ours.
LINENS = {*dir(nn.Module), *nn.Module.__annotations__, "name", "parent", "scope", "_parent_ref"}
LINENS |= {"attributes", "extra_repr", "named_children", "named_modules", "tensors"}
LINENS |= {"makes_features", "makes_maps", "reads_features"}


def _holds_modules(value: Any) -> bool:
    if not isinstance(value, tuple | list | Mapping):
        return isinstance(value, nn.Module)
    return any(map(_holds_modules, value.values() if isinstance(value, Mapping) else value))


def others(value: Any) -> list[Any]:
    """What is no module in a container of modules: torch has none that holds both."""
    if not isinstance(value, tuple | list | Mapping):
        return [] if isinstance(value, nn.Module) else [value]
    items = value.values() if isinstance(value, Mapping) else value
    return [found for item in items for found in others(item)]


def named(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """A module that is bound and all below it, by dotted names."""
    yield prefix, module
    for name, child in flat(attributes(module)):
        yield from named(child, f"{prefix}.{name}" if prefix else name)

"""The base of the layers and networks: what a module lists of itself, and how it prints."""

import dataclasses
from collections.abc import Iterator

import flax.linen as nn


class Module(nn.Module):
    """A linen module that lists its layers and prints as ``torch.nn.Module`` does.

    The base of one's own networks, if ``interop`` is to convert them. Lists among its fields become
    tuples, since a linen module must be hashable.
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if isinstance(value := getattr(self, field.name), list):
                setattr(self, field.name, tuple(value))  # a module must hash, to be static in jit
        super().__post_init__()

    def named_children(self) -> dict[str, nn.Module]:
        """The direct submodules by name, in the order in which ``setup`` defines them."""
        bound = self.bind({}) if self.scope is None else self
        dir(bound)  # setup is lazy, and this is linen's way to have it run
        return {name: child for name, child in vars(bound).items() if isinstance(child, nn.Module)}

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
        """This module and all below it with their dotted names: ``torch.nn.Module``'s method."""
        yield prefix, self
        for name, child in self.named_children().items():
            path = f"{prefix}.{name}" if prefix else name
            if isinstance(child, Module):
                yield from child.named_modules(path)
            else:
                yield path, child

    def extra_repr(self) -> str:
        """What stands between the parentheses when the module prints: torch's hook."""
        return ""

    def __repr__(self) -> str:
        children = "".join(
            f"\n  ({name}): " + repr(child).replace("\n", "\n  ")
            for name, child in self.named_children().items()
        )
        return f"{type(self).__name__}({self.extra_repr()}{children}" + ("\n)" if children else ")")

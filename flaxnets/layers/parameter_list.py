"""Parameters of one's own, in a list."""

from collections.abc import Iterator, Sequence
from typing import Any

import jax

from flaxnets.layers import tree
from flaxnets.layers.base import Module, Tensor


class ParameterList(Module):
    """``torch.nn.ParameterList``: parameters that are called ``weights.0``, ``weights.1``, ...

    It is made in ``setup``, of what ``self.param`` takes behind a name, and read by indices, slices
    and loops; nothing calls it::

        normal = nn.initializers.normal()
        self.weights = ParameterList([(normal, (3, 4)), (normal, (4, 2))])
        ...
        x = x @ self.weights[0]

    Attributes:
        values: for each parameter a function that makes it of a key and further arguments, and
            these, as a shape (3, 4) and a dtype.

    Raises:
        TypeError: for what is no such tuple.
        IndexError: for an index out of range.
    """

    values: Sequence[tuple[Any, ...]] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for i, value in enumerate(self.values):
            if not isinstance(value, tuple) or not value or not callable(value[0]):
                raise TypeError(
                    f"parameter {i} of a ParameterList must be what self.param takes behind the "
                    f"name, as (nn.initializers.ones, (3, 4)), got {value}"
                )

    def setup(self) -> None:
        for i, (init, *arguments) in enumerate(self.values):
            self.param(str(i), init, *arguments)

    def tensors(self) -> Iterator[Tensor]:
        """As torch has them: in their order, laid out as here."""
        for i, array in enumerate(self):
            yield Tensor(str(i), ("params", str(i)), array.shape, array.shape)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int | slice) -> Any:
        found = range(len(self.values))[index]
        return self._held(found) if isinstance(found, int) else [self._held(i) for i in found]

    def __iter__(self) -> Iterator[jax.Array]:
        return iter(self[:])

    def _held(self, i: int) -> jax.Array:
        array: jax.Array = self.get_variable("params", str(i))
        return array

    def __repr__(self) -> str:
        held: list[jax.Array] = tree.visited(self, list)
        sizes = ["x".join(map(str, array.shape)) for array in held]
        lines = [
            f"  ({i}): Parameter containing: [torch.{array.dtype} of size {size}]"
            for i, (array, size) in enumerate(zip(held, sizes, strict=True))
        ]
        inside = "".join(lines) if len(lines) < 2 else "\n  " + "\n  ".join(lines) + "\n"
        return f"ParameterList({inside})"

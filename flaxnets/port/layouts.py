"""How a tensor of torch's lies here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Layout(NamedTuple):
    """Where the axes of a tensor are.

    As in torch; or, for maps, channels ``last``, where torch has them second. The last axis may be
    ``flat``: a flattening of maps (H, W, C) as they lie here, which torch has in the order C, H, W.
    ``origin`` is where the tensor came to lie so, and may come to lie otherwise.
    """

    last: bool = False
    flat: tuple[int, ...] | None = None
    origin: Any = None

    @property
    def kind(self) -> str:
        """What another one is compared by."""
        return "last" if self.last else f"flat{self.flat}" if self.flat else "torch"


def held(last: bool, rank: int) -> list[int]:
    """torch's axes in the order in which they lie here."""
    return [0, *range(2, rank), 1] if last and rank > 2 else [*range(rank)]


def axis(dim: int, layout: Layout, rank: int) -> int:
    """Where an axis of torch's lies here; the last one is -1."""
    place = held(layout.last, rank).index(dim % rank)
    if layout.last:
        return -1 if place == rank - 1 else place
    return dim


def moved(text: str, last: bool, rank: int) -> str:
    """The text of an array, brought from torch's axes to channels last, or back."""
    if rank < 3:
        return text
    return f"jnp.moveaxis({text}, 1, -1)" if last else f"jnp.moveaxis({text}, -1, 1)"


def aligned(text: str, shape: Sequence[int], rank: int) -> str:
    """An array that lies as in torch, to be broadcast with maps of so many axes."""
    whole = [1] * (rank - len(shape)) + [*shape]
    long = [dim for dim, size in enumerate(whole) if size != 1]
    if not long and not shape:
        return text
    if len(long) <= 1:
        at = held(True, rank).index(long[0]) if long else rank - 1
        sizes = ["-1" if place == at else "1" for place in range(rank)]
        return f"{text}.reshape({', '.join(sizes)})"
    if len(shape) < rank:
        text = f"jnp.expand_dims({text}, {tuple(range(rank - len(shape)))})"
    return moved(text, True, rank)

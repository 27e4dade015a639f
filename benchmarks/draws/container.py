"""What leaves everything as it is, and what flattens and unflattens."""

import math

import torch
from hypothesis import strategies as st

from draws.draw import Draw, Layer, Wrong, normal

sizes = st.integers(1, 4)
ignored = st.sampled_from([{}, {"unused": 54}])


class Flatten(torch.nn.Flatten):
    """torch's, with an argument more, which has no meaning there."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1, of_maps: bool | None = None) -> None:
        super().__init__(start_dim, end_dim)


class Unflatten(torch.nn.Unflatten):
    """Likewise."""

    def __init__(
        self, dim: int, unflattened_size: tuple[int, ...], of_maps: bool | None = None
    ) -> None:
        super().__init__(dim, unflattened_size)


def are_maps(shape, of_maps):
    """Of the shape (..., C) of an example, which is none of a grey image that lies as torch's."""
    return len(shape) == 3 if of_maps is None else of_maps and len(shape) > 1


shapes = st.lists(sizes, min_size=1, max_size=4).filter(
    lambda shape: len(shape) != 3 or shape[0] > 1
)


@st.composite
def flatten(draw):
    """Any axes of any inputs."""
    shape, of_maps = draw(shapes), draw(st.sampled_from([None, True, False]))
    rank, maps = len(shape) + 1, are_maps(shape, of_maps)
    start = draw(st.integers(0, rank - 1))
    least = rank - 2 if maps and start == 0 else start  # see what is refused
    end = draw(st.sampled_from([start, *range(least, rank)]))
    start, end = (dim - draw(st.sampled_from([0, rank])) for dim in (start, end))
    return Draw({"start_dim": start, "end_dim": end, "of_maps": of_maps}, normal(*shape), maps)


@st.composite
def unflatten(draw):
    """Features made maps or others, and places of maps split."""
    before, of_maps = draw(shapes), draw(st.sampled_from([None, True, False]))
    parts = draw(st.lists(sizes, min_size=1, max_size=3))
    maps, rank = are_maps(before, of_maps), len(before) + len(parts)
    if of_maps is None and rank == 4 and len(before) > 1:
        of_maps = maps = len(parts) == 1  # it would not be clear
    axis = draw(st.integers(1, len(before)))
    if maps and axis == 1:
        parts = [math.prod(parts)]
    shape = [*before]
    shape[axis - 2 if maps else axis - 1] = math.prod(parts)  # channels are last, axis 1 in torch
    if draw(st.booleans()):
        parts[draw(st.integers(0, len(parts) - 1))] = -1
    becomes = maps or of_maps or (of_maps is None and (len(before), rank) == (1, 4))
    arguments = {"dim": axis, "unflattened_size": tuple(parts), "of_maps": of_maps}
    return Draw(arguments, normal(*shape), bool(becomes))


identity = st.builds(lambda rest, shape: Draw(rest, normal(*shape)), ignored, shapes)

LAYERS = {
    "Identity": Layer(
        identity, [Draw({"unused": 54}, normal(3))], unheard=("args", "kwargs", "device", "dtype")
    ),
    "Flatten": Layer(
        flatten(),
        [Draw({}, normal(3, 4, 5)), Draw({"start_dim": 2}, normal(3, 4, 5), True)],
        wrong=[
            Wrong({}, normal(), "takes an input with an axis 1, got one of shape"),
            Wrong({"start_dim": 2, "end_dim": 1}, normal(3, 4), "start_dim must not come after"),
        ],
        theirs=Flatten,
    ),
    "Unflatten": Layer(
        unflatten(),
        [Draw({"dim": 1, "unflattened_size": (2, 3, -1)}, normal(24))],
        wrong=[
            Wrong({"dim": 1, "unflattened_size": (2, 5)}, normal(12), "do not multiply to the 12"),
            Wrong({"dim": 1, "unflattened_size": (-1, -1)}, normal(12), "do not multiply"),
            Wrong({"dim": 1, "unflattened_size": ()}, normal(1), "do not multiply"),
            Wrong({"dim": 2, "unflattened_size": (2, 6)}, normal(12), "an axis 2, got one of"),
            Wrong({"dim": 1, "unflattened_size": 12}, message="must be a tuple of ints, got 12"),
            Wrong({"dim": "a", "unflattened_size": (2, 6)}, normal(12), "dim must be a number"),
        ],
        theirs=Unflatten,
    ),
}

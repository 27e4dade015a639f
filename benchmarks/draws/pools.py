"""Pools: windows of every kind, and maps with ties."""

import numpy as np
from hypothesis import strategies as st

from draws.draw import Draw, Inputs, Layer, Wrong, halves, normal

small = st.integers(1, 3)
places = st.integers(1, 8)
kernels = st.one_of(st.integers(1, 4), st.sampled_from([9, 12]))  # large ones go by blocks


def lows(*shape: int) -> Inputs:
    """Halves among which are many of -inf, which padding equals."""

    def inputs(n: int, rng: np.random.Generator) -> tuple[np.ndarray]:
        (values,) = halves(*shape)(n, rng)
        return (np.where(rng.random(values.shape) < 0.5, -np.inf, values),)

    return inputs


@st.composite
def windows(draw, rank, dilated):
    """Sizes of windows that fit maps of the places."""
    kernel = tuple(draw(st.lists(kernels, min_size=rank, max_size=rank)))
    found = {"kernel_size": kernel}
    if draw(st.booleans()):
        found["stride"] = tuple(draw(st.lists(small, min_size=rank, max_size=rank)))
    found["padding"] = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    if dilated:
        found["dilation"] = tuple(draw(st.lists(small, min_size=rank, max_size=rank)))
    found["ceil_mode"] = draw(st.booleans())
    if draw(st.booleans()):  # one number for all axes
        alike = {name: size[0] if isinstance(size, tuple) else size for name, size in found.items()}
        found = {**alike, "padding": min(found["padding"])}
        kernel = (found["kernel_size"],) * rank
        found["padding"] = min(found["padding"], kernel[0] // 2)
    steps = found.get("dilation", 1)
    steps = steps if isinstance(steps, tuple) else (steps,) * rank
    least = [d * (k - 1) + 1 for k, d in zip(kernel, steps, strict=True)]
    sizes = [draw(st.integers(n, n + 7)) for n in least]
    return found, (*sizes, draw(small))


@st.composite
def maxima(draw, rank):
    """Ties, and what padding could win against."""
    arguments, shape = draw(windows(rank, dilated=True))
    return Draw(arguments, draw(st.sampled_from([halves, lows, normal]))(*shape))


@st.composite
def means(draw, rank):
    """Means, with what they count."""
    arguments, shape = draw(windows(rank, dilated=False))
    arguments["count_include_pad"] = draw(st.booleans())
    if rank == 2 and draw(st.booleans()):
        arguments["divisor_override"] = draw(st.sampled_from([1, 2, 5, -3]))
    return Draw(arguments, normal(*shape))


@st.composite
def adaptive(draw, rank, inputs):
    """Sizes that divide the maps, that do not, and that are larger."""
    size = draw(places)
    if draw(st.booleans()):
        one = st.one_of(places, st.none()) if rank == 2 else places
        size = tuple(draw(st.lists(one, min_size=rank, max_size=rank)))
    many = st.one_of(places, st.sampled_from([18, 30]))
    shape = draw(st.lists(many, min_size=rank, max_size=rank))
    return Draw({"output_size": size}, inputs(*shape, draw(small)))


maps, rows = normal(6, 6, 2), normal(6, 2)
indices = {"return_indices": True}


def wrong(inputs: Inputs, *names: str) -> list[Wrong]:
    """Sizes that no pool takes."""
    found = [
        Wrong({"kernel_size": 0, "stride": 1}, inputs, "kernel_size must be 1 or more"),
        Wrong({"kernel_size": 2, "stride": 0}, inputs),
        Wrong({"kernel_size": 3, "padding": 2}, inputs, "more than half"),
        Wrong({"kernel_size": 2, "padding": -1}, inputs),
        Wrong({"kernel_size": 7}, inputs, "too large"),
        Wrong({"kernel_size": (2, 2, 2)}, inputs),
        Wrong({"kernel_size": 2}, normal(), "maps"),
    ]
    return found + [Wrong({"kernel_size": 2, name: 0}, inputs) for name in names]


LAYERS = {
    "MaxPool1d": Layer(
        maxima(1),
        [
            Draw({"kernel_size": 3, "stride": 2, "padding": 1}, halves(7, 2)),
            Draw({"kernel_size": 11, "stride": 2, "padding": 5, "dilation": 2}, lows(30, 2)),
        ],
        wrong=wrong(rows, "dilation"),
        refused={"return_indices": Wrong({"kernel_size": 2, **indices})},
    ),
    "MaxPool2d": Layer(
        maxima(2),
        [
            Draw({"kernel_size": 3, "stride": 2, "padding": 1}, lows(7, 6, 2)),
            # The last window would begin in the padding behind the maps.
            Draw({"kernel_size": 2, "padding": 1, "ceil_mode": True}, halves(5, 6, 2)),
        ],
        wrong=wrong(maps, "dilation"),
        refused={"return_indices": Wrong({"kernel_size": (2, 2), **indices})},
    ),
    "AvgPool1d": Layer(
        means(1),
        [
            Draw({"kernel_size": 3, "padding": 1, "ceil_mode": True}, normal(6, 2)),
            Draw({"kernel_size": 11, "stride": 2, "padding": 5}, normal(30, 2)),
        ],
        wrong=wrong(rows),
    ),
    "AvgPool2d": Layer(
        means(2),
        [
            Draw({"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}, maps),
            Draw({"kernel_size": 3, "padding": 1, "count_include_pad": False}, maps),
        ],
        wrong=wrong(maps, "divisor_override"),
    ),
    "AdaptiveAvgPool1d": Layer(
        adaptive(1, normal),
        [Draw({"output_size": 4}, rows)],
        wrong=[
            Wrong({"output_size": (2, 2)}, rows),
            Wrong({"output_size": -1}, rows),
            Wrong({"output_size": (None,)}, rows),
        ],
    ),
    "AdaptiveAvgPool2d": Layer(
        adaptive(2, normal),
        [Draw({"output_size": (4, None)}, maps)],
        wrong=[
            Wrong({"output_size": (2,)}, maps),
            Wrong({"output_size": -1}, maps),
            Wrong({"output_size": None}, maps),
        ],
    ),
    "AdaptiveMaxPool1d": Layer(
        adaptive(1, halves),
        [Draw({"output_size": 4}, halves(6, 2))],
        wrong=[Wrong({"output_size": -1}, rows), Wrong({"output_size": None}, rows)],
        refused={"return_indices": Wrong({"output_size": 2, **indices})},
    ),
    "AdaptiveMaxPool2d": Layer(
        adaptive(2, halves),
        [Draw({"output_size": (4, 2)}, halves(6, 5, 2))],
        wrong=[Wrong({"output_size": -1}, maps), Wrong({"output_size": None}, maps)],
        refused={"return_indices": Wrong({"output_size": (2, 2), **indices})},
    ),
}

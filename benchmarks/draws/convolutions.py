"""Convolutions, and transposed ones."""

from hypothesis import strategies as st

from draws.draw import Draw, Layer, Wrong, normal

MODES = ("zeros", "reflect", "replicate", "circular")
C = {"in_channels": 4, "out_channels": 6}


def _each(draw, values, rank):
    """One number, or one for each axis."""
    alone = st.sampled_from(values)
    return draw(st.one_of(alone, st.tuples(*[alone] * rank)))


def _whole(value, rank):
    return value if isinstance(value, tuple) else (value,) * rank


def _channels(draw):
    """Few groups or many, of one channel or several."""
    groups = draw(st.sampled_from([1, 1, 2, 3, 9, 11]))
    more = st.integers(1, 3 if groups < 9 else 2)
    return {
        "in_channels": groups * draw(more),
        "out_channels": groups * draw(more),
        "groups": groups,
        "bias": draw(st.booleans()),
    }


@st.composite
def convolution(draw, rank):
    """A kernel that lies within the padded maps, and padding that its mode allows."""
    kernel, dilation = _each(draw, (1, 2, 3, 4), rank), _each(draw, (1, 1, 2, 3), rank)
    padding = draw(st.sampled_from(["same", "valid", None]))
    padding = padding or _each(draw, (0, 1, 2, 3), rank)
    stride = draw(st.just(1)) if padding == "same" else _each(draw, (1, 2, 3), rank)
    padding_mode = draw(st.sampled_from(MODES))
    sizes = zip(_whole(kernel, rank), _whole(dilation, rank), strict=True)
    reach = [d * (k - 1) for k, d in sizes]
    if padding == "same":
        sides = [r - r // 2 for r in reach]
    else:
        sides = (0,) * rank if padding == "valid" else _whole(padding, rank)
    around = [2 * p if padding != "same" else r for p, r in zip(sides, reach, strict=True)]
    least = [max(r + 1 - a, p + 1, 1) for r, a, p in zip(reach, around, sides, strict=True)]
    places = [n + draw(st.integers(0, 4)) for n in least]
    arguments = {
        **_channels(draw),
        "kernel_size": kernel,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "padding_mode": padding_mode,
    }
    return Draw(arguments, normal(*places, arguments["in_channels"]))


@st.composite
def transposed(draw, rank):
    """Padding that leaves something, and an output that one of the two ways makes larger."""
    kernel, dilation = _each(draw, (1, 2, 3, 4), rank), _each(draw, (1, 1, 2, 3), rank)
    stride, padding = _each(draw, (1, 2, 3), rank), _each(draw, (0, 1, 2, 3), rank)
    sizes = [_whole(size, rank) for size in (kernel, dilation, stride, padding)]
    places, found = [], []
    for k, d, s, p in zip(*sizes, strict=True):
        least = max(1, -(-(2 * p - d * (k - 1)) // s) + 1)
        places.append(least + draw(st.integers(0, 3)))
        found.append((places[-1] - 1) * s - 2 * p + d * (k - 1) + 1)
    more = tuple(draw(st.integers(0, max(s, d) - 1)) for _, d, s, _ in zip(*sizes, strict=True))
    arguments = {
        **_channels(draw),
        "kernel_size": kernel,
        "stride": stride,
        "padding": padding,
        "output_padding": more,
        "dilation": dilation,
        "padding_mode": "zeros",
    }
    inputs = normal(*places, arguments["in_channels"])
    if draw(st.booleans()):
        return Draw(arguments, inputs)
    spare = [draw(st.integers(0, s - 1)) for s in _whole(stride, rank)]
    wanted = tuple(n + m for n, m in zip(found, spare, strict=True))
    return Draw(arguments, lambda n, rng: (*inputs(n, rng), wanted))


def _wrong(rank):
    """What both kinds refuse."""
    places, alone = (5,) * rank, {**C, "kernel_size": 2}
    return [
        Wrong({**alone, "groups": 0}),
        Wrong({**alone, "groups": 3}, message="in_channels"),
        Wrong({**alone, "groups": 4}, message="out_channels"),
        Wrong(alone, normal(*places, 5), "last axis of 4"),
        Wrong(alone, normal(*places, 5, 4), "maps"),
        Wrong({**alone, "stride": 0}, normal(*places, 4)),
        Wrong({**alone, "padding": -1}, normal(*places, 4)),
        Wrong({**alone, "dilation": 0}, normal(*places, 4)),
    ]


def _convolution(rank):
    places, alone = (5,) * rank, {**C, "kernel_size": 2}
    even = {**C, "kernel_size": 2, "padding": "same", "padding_mode": "circular"}
    return Layer(
        convolution(rank),
        [
            Draw({**C, "kernel_size": 4, "padding": "same", "groups": 2}, normal(*places, 4)),
            Draw({**even, "dilation": 3, "bias": False}, normal(*places, 4)),
            Draw(
                {"in_channels": 3, "out_channels": 6, "kernel_size": 3, "groups": 3}
                | {"stride": 2, "padding": 2, "padding_mode": "reflect"},
                normal(*places, 3),
            ),
        ],
        wrong=[
            *_wrong(rank),
            Wrong({**alone, "padding": "full"}),
            Wrong({**alone, "stride": 2, "padding": "same"}),
            Wrong({**alone, "padding_mode": "constant"}),
            Wrong({**C, "kernel_size": 6}, normal(*places, 4), "does not fit"),
            Wrong(
                {**alone, "padding": 5, "padding_mode": "reflect"}, normal(*places, 4), "reflect"
            ),
        ],
    )


def _transposed(rank):
    places, alone = (3,) * rank, {**C, "kernel_size": 3, "stride": 2}

    def sized(*size):
        return lambda n, rng: (*normal(*places, 4)(n, rng), size)

    return Layer(
        transposed(rank),
        [
            Draw({**alone, "padding": 1, "output_padding": 1, "groups": 2}, normal(*places, 4)),
            Draw({**alone, "padding": 3, "dilation": 2, "bias": False}, sized(*(4,) * rank)),
        ],
        wrong=[
            *_wrong(rank),
            Wrong({**alone, "padding_mode": "reflect"}),
            Wrong({**alone, "output_padding": 2}, normal(*places, 4)),
            Wrong(alone, sized(*(9,) * rank), "output_size"),
            Wrong(alone, sized(*(7,) * (rank + 1)), "output_size"),
            Wrong({**alone, "padding": 4}, normal(*places, 4), "does not fit"),
        ],
    )


LAYERS = {
    "Conv1d": _convolution(1),
    "Conv2d": _convolution(2),
    "ConvTranspose1d": _transposed(1),
    "ConvTranspose2d": _transposed(2),
}

"""Norms. ``eps`` is not drawn small: where a variance is 0, it would show rounding alone."""

import numpy as np
from hypothesis import strategies as st

from draws.draw import Draw, Layer, Wrong, halves, normal

sizes = st.integers(1, 5)
epsilons = st.sampled_from([1e-5, 1e-3, 0.1])
momenta = st.sampled_from([0.1, 0.0, 0.7, 1.0, None])
inputs = st.sampled_from([normal, halves])


@st.composite
def tracking(draw, ranks):
    """Batch and instance norms, of inputs of so many axes beside the channels."""
    channels, rank = draw(sizes), draw(st.sampled_from(ranks))
    arguments = {
        "num_features": channels,
        "eps": draw(epsilons),
        "momentum": draw(momenta),
        "affine": draw(st.booleans()),
        "track_running_stats": draw(st.booleans()),
        "bias": draw(st.booleans()),
    }
    places = draw(st.lists(sizes, min_size=rank, max_size=rank))
    return Draw(arguments, draw(inputs)(*places, channels))


def of_places(draws):
    """Those with more than one place, which an instance norm needs."""

    def has_some(draw):
        (x,) = draw.inputs(1, np.random.default_rng(0))
        return x[0, ..., 0].size > 1

    return draws.filter(has_some)


@st.composite
def group(draw):
    """Of two axes and more."""
    groups, each = draw(sizes), draw(sizes)
    arguments = {
        "num_groups": groups,
        "num_channels": groups * each,
        "eps": draw(epsilons),
        "affine": draw(st.booleans()),
        "bias": draw(st.booleans()),
    }
    places = draw(st.lists(sizes, max_size=2))
    return Draw(arguments, draw(inputs)(*places, groups * each))


def shape_and_inputs(draw):
    """One size or two as they lie, or three of maps."""
    shape = draw(st.lists(sizes, min_size=1, max_size=3))
    if len(shape) == 3:
        return shape, draw(inputs)(*shape[1:], shape[0]), True
    before = draw(st.lists(sizes, max_size=2))
    if (
        len(shape) == 2 and len(before) == 1
    ):  # four axes, which are maps until of_maps=False is said
        before = []
    if len(shape) == 1:
        shape = draw(st.sampled_from([shape, shape[0]]))
    return shape, draw(inputs)(*before, *np.atleast_1d(shape)), False


@st.composite
def layer(draw):
    """Layer norms."""
    shape, given, maps = shape_and_inputs(draw)
    arguments = {
        "normalized_shape": shape,
        "eps": draw(epsilons),
        "elementwise_affine": draw(st.booleans()),
        "bias": draw(st.booleans()),
    }
    return Draw(arguments, given, maps)


@st.composite
def root(draw):
    """RMS norms."""
    shape, given, maps = shape_and_inputs(draw)
    arguments = {
        "normalized_shape": shape,
        "eps": draw(st.sampled_from([None, 1e-5, 0.1])),
        "elementwise_affine": draw(st.booleans()),
    }
    return Draw(arguments, given, maps)


@st.composite
def response(draw):
    """Of maps of one to three axes."""
    arguments = {
        "size": draw(st.integers(1, 7)),
        "alpha": draw(st.sampled_from([1e-4, 1, 0.5])),
        "beta": draw(st.sampled_from([0.75, 1, 2.0])),
        "k": draw(st.sampled_from([1.0, 2, 0.5])),
    }
    places = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    return Draw(arguments, draw(inputs)(*places, draw(sizes)))


def alone(*shape):
    """One example, whatever is asked for."""
    return lambda n, rng: (rng.normal(size=(1, *shape)),)


TEN = {"num_features": 10}
MORE_THAN_ONE = "Expected more than 1"

LAYERS = {
    "BatchNorm1d": Layer(
        tracking(ranks=(0, 1)),
        [
            Draw({**TEN, "momentum": None}, normal(10)),
            Draw({**TEN, "affine": False, "track_running_stats": False}, normal(4, 10)),
        ],
        wrong=[
            Wrong(TEN, alone(10), MORE_THAN_ONE),
            Wrong(TEN, normal(9), "last axis of 10"),
            Wrong(TEN, normal(2, 2, 10), r"takes \(N, C\) or \(N, L, C\)"),
            Wrong({**TEN, "eps": 0.0}, normal(10)),
            Wrong({**TEN, "eps": -1.0}, normal(10)),
        ],
    ),
    "BatchNorm2d": Layer(
        tracking(ranks=(2,)),
        [Draw({**TEN, "bias": False}, normal(3, 2, 10))],
        wrong=[
            Wrong(TEN, alone(1, 1, 10), MORE_THAN_ONE),
            Wrong(TEN, normal(3, 10), r"takes \(N, H, W, C\)"),
        ],
    ),
    "InstanceNorm1d": Layer(
        of_places(tracking(ranks=(1,))),
        [Draw({**TEN, "affine": True, "track_running_stats": True}, normal(4, 10))],
        wrong=[
            Wrong(TEN, normal(1, 10), MORE_THAN_ONE),
            Wrong({**TEN, "affine": True}, normal(4, 9), "last axis of 10"),
            Wrong(TEN, normal(4, 5, 10), r"takes \(N, L, C\)"),
        ],
        refused={"inputs (C, L)": Wrong({"num_features": 2}, normal(4), r"takes \(N, L, C\)")},
    ),
    "InstanceNorm2d": Layer(
        of_places(tracking(ranks=(2,))),
        [
            Draw(
                {**TEN, "affine": True, "track_running_stats": True, "momentum": None},
                normal(3, 2, 10),
            )
        ],
        wrong=[Wrong(TEN, normal(1, 1, 10), MORE_THAN_ONE)],
    ),
    "GroupNorm": Layer(
        group(),
        [Draw({"num_groups": 2, "num_channels": 10}, normal(3, 2, 10))],
        wrong=[
            Wrong({"num_groups": 3, "num_channels": 10}, None, "must be divisible"),
            Wrong({"num_groups": 2, "num_channels": 10}, normal(8), "last axis of 10"),
            Wrong({"num_groups": 10, "num_channels": 10}, alone(10), MORE_THAN_ONE),
        ],
    ),
    "LayerNorm": Layer(
        layer(),
        [Draw({"normalized_shape": (3, 4, 5)}, normal(4, 5, 3), True)],
        wrong=[
            Wrong({"normalized_shape": (2, 5)}, normal(5, 2), "of_maps=True"),
            Wrong({"normalized_shape": 5}, normal(4), r"ends in \(5,\)"),
        ],
    ),
    "RMSNorm": Layer(
        root(),
        [Draw({"normalized_shape": 12}, normal(3, 12))],
        wrong=[Wrong({"normalized_shape": 5}, normal(4), r"ends in \(5,\)")],
    ),
    "LocalResponseNorm": Layer(
        response(),
        [Draw({"size": 4, "alpha": 1.0}, normal(3, 2, 5))],
        wrong=[
            Wrong({"size": 2}, normal(5), "three axes"),
            Wrong({"size": 0}, normal(3, 5), "at least 1"),
        ],
    ),
}

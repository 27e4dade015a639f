"""Activations. Inputs are multiples of a half, which hit the kinks, or reach far into the tails."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from draws.draw import Draw, Inputs, Layer, Wrong, halves, normal

shapes = st.lists(st.integers(1, 5), max_size=3)
quarters = st.integers(-8, 8).map(lambda n: n / 4)
positive = st.integers(1, 8).map(lambda n: n / 4)
slopes = st.integers(0, 8).map(lambda n: n / 4)  # torch has no gradient of one below 0 in place
switches = st.booleans()


def tails(*shape: int) -> Inputs:
    """One array of numbers that are large, and overflow an exponential, or small."""
    values = [1e-30, 1e-8, 0.1, 3, 19, 21, 40, 90, 300, 800, 1e10]

    def inputs(n: int, rng: np.random.Generator) -> tuple[np.ndarray]:
        size = (n, *shape)
        return (rng.choice(values, size) * rng.choice([-1, 1], size),)

    return inputs


def infinities(*shape: int) -> Inputs:
    """One array with infinities and no numbers at all among multiples of a half."""

    def inputs(n: int, rng: np.random.Generator) -> tuple[np.ndarray]:
        x = halves(*shape)(n, rng)[0]
        return (np.where(rng.random(x.shape) < 0.3, rng.choice([np.inf, -np.inf], x.shape), x),)

    return inputs


@st.composite
def elementwise(draw, bounds: Mapping[str, float], **options: st.SearchStrategy[Any]):
    """Any shape; each option is given or left out."""
    given = {name: draw(option) for name, option in options.items() if draw(switches)}
    inputs = draw(st.sampled_from([halves, halves, tails]))
    return Draw(given, inputs(*draw(shapes)), bounds=bounds, each=True)


FORTY = halves(40)


def layer(
    *examples: dict[str, Any],
    wrong: Sequence[Wrong] = (),
    bounds: Mapping[str, float] = {},
    kinks: Inputs = FORTY,
    **options: st.SearchStrategy[Any],
) -> Layer:
    """An elementwise one."""
    found = [Draw(example, kinks, bounds=bounds, each=True) for example in examples]
    return Layer(elementwise(bounds, **options), found, wrong)


def along(name: str, even: bool = False) -> Layer:
    """One along an axis, of which is said whether it is one of maps."""

    class Theirs(getattr(torch.nn, name)):
        """torch's, whose maps are channels first everywhere."""

        def __init__(self, dim: int = -1, of_maps: bool | None = None) -> None:
            super().__init__(dim)

    @st.composite
    def draws(draw):
        sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
        sizes = [2 * size for size in sizes] if even else sizes
        dim = draw(st.sampled_from([*range(1, len(sizes) + 1), *range(-len(sizes), 0)]))
        of_maps = draw(st.sampled_from([True, False, *[None] * (len(sizes) < 3)]))
        inputs = draw(st.sampled_from([normal, halves, tails]))
        return Draw({"dim": dim, "of_maps": of_maps}, inputs(*sizes), bool(of_maps))

    wrong = [Wrong({"dim": 2}, normal(4))]
    wrong += [Wrong({"dim": 1}, normal(5), "even")] if even else []
    examples = [Draw({"dim": 1}, normal(4) if even else infinities(4))]
    examples += [Draw({"dim": 1, "of_maps": True}, normal(2, 4), True)] * (name == "Softmax")
    return Layer(draws(), examples, wrong, theirs=Theirs)


@st.composite
def prelu(draw):
    """With a slope, or one a channel."""
    sizes = draw(shapes)
    arguments = {"init": draw(quarters)} if draw(switches) else {}
    maps = False
    if sizes and draw(switches):
        arguments["num_parameters"], maps = sizes[-1], None
    inputs = draw(st.sampled_from([halves, normal]))
    maps = maps if len(sizes) != 3 else None
    return Draw(arguments, inputs(*sizes), maps=maps)


@st.composite
def rrelu(draw):
    """In evaluation only: in training it is refused."""
    lower, upper = sorted([draw(slopes), draw(slopes)])
    arguments = {"lower": lower, "upper": upper, "inplace": draw(switches)}
    return Draw(arguments, halves(*draw(shapes)), trains=False, each=True)


@st.composite
def hardtanh(draw):
    """The bounds are hit."""
    low, high = sorted(draw(st.lists(quarters, min_size=2, max_size=2, unique=True)))
    arguments = {"min_val": low, "max_val": high, "inplace": draw(switches)}
    return Draw(arguments, draw(st.sampled_from([halves, tails]))(*draw(shapes)), each=True)


@st.composite
def softmax2d(draw):
    """Maps."""
    return Draw(
        {}, draw(st.sampled_from([normal, tails]))(*draw(st.tuples(*[st.integers(1, 4)] * 3)))
    )


# torch's gradient of Hardsigmoid takes 1 / 6 in float32.
SIXTH = dict.fromkeys(
    ("evaluation: gradient", "training, step 1: gradient", "training, step 2: gradient"), 1e-7
)
COUNTED = Wrong({"num_parameters": 3}, halves(4), "3 weights")
LOWER = Wrong({"lower": 0.5, "upper": 0.25}, halves(4))
OLD = {  # torch's deprecated names
    name: Wrong({name: value}, None, name)
    for name, value in (("min_value", -2.0), ("max_value", 2.0))
}

LAYERS = {
    "ReLU": layer({}, inplace=switches),
    "ReLU6": layer({"inplace": True}, inplace=switches),
    "Sigmoid": layer({}, kinks=tails(40)),
    "LogSigmoid": layer({}, kinks=tails(40)),
    "Tanh": layer({}, kinks=tails(40)),
    "Tanhshrink": layer({}),
    "Softsign": layer({}),
    "SiLU": layer({}, kinks=tails(40), inplace=switches),
    "Mish": layer({}, kinks=tails(40), inplace=switches),
    "GELU": layer(
        {},
        {"approximate": "tanh"},
        wrong=[Wrong({"approximate": "erf"}, normal(4))],
        approximate=st.sampled_from(["none", "tanh"]),
    ),
    "Softplus": layer(
        {"beta": 2.0, "threshold": 3.0}, beta=positive, threshold=st.sampled_from([1.0, 20.0])
    ),
    "ELU": layer({"alpha": 2.0}, alpha=positive, inplace=switches),
    "CELU": layer(
        {"alpha": 2.0}, wrong=[Wrong({"alpha": 0.0}, normal(4))], alpha=positive, inplace=switches
    ),
    "SELU": layer({}, inplace=switches),
    "Hardtanh": Layer(
        hardtanh(),
        [Draw({"min_val": -2.0, "max_val": 0.5}, halves(40))],
        wrong=[Wrong({"min_val": 1.0, "max_val": 1.0})],
        refused=OLD,
        unheard=tuple(OLD),
    ),
    "Hardsigmoid": layer({}, bounds=SIXTH, inplace=switches),
    "Hardswish": layer({}, inplace=switches),
    "LeakyReLU": layer({"negative_slope": 0.25}, negative_slope=slopes, inplace=switches),
    "RReLU": Layer(rrelu(), [Draw({}, halves(40), trains=False)], wrong=[LOWER]),
    "Threshold": Layer(
        st.builds(
            lambda threshold, value, inplace, shape: Draw(
                {"threshold": threshold, "value": value, "inplace": inplace}, halves(*shape)
            ),
            quarters,
            quarters,
            switches,
            shapes,
        ),
        [Draw({"threshold": 0.5, "value": 2.0}, halves(40))],
    ),
    "Hardshrink": layer({"lambd": 1.0}, lambd=quarters),
    "Softshrink": layer({"lambd": 1.0}, wrong=[Wrong({"lambd": -1.0}, normal(4))], lambd=positive),
    "PReLU": Layer(
        prelu(),
        [Draw({"num_parameters": 12}, halves(12)), Draw({"num_parameters": 3}, halves(4, 3))],
        wrong=[COUNTED],
    ),
    "Softmax": along("Softmax"),
    "Softmin": along("Softmin"),
    "LogSoftmax": along("LogSoftmax"),
    "Softmax2d": Layer(
        softmax2d(), [Draw({}, normal(2, 3, 4))], wrong=[Wrong({}, normal(4), "Softmax2d takes")]
    ),
    "GLU": along("GLU", even=True),
}

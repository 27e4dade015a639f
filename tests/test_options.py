"""Every layer in its options, against its torch twin: those with a trap, and some that are drawn.

Hundreds of draws are benchmarks/layers.py's; its table is in docs/layers.md.
"""

import inspect

import pytest
from draws import FAMILIES, LAYERS
from draws.draw import RENAMED, drawn
from layer_check import check_layer, initial_findings

from flaxnets import layers

# What torch takes one value of; others are among what it refuses.
OF_ONE_VALUE = {f"ConvTranspose{rank}d": {"padding_mode"} for rank in (1, 2)}
# Of which an example takes seconds, with a faster one of the family in plain pytest.
SLOW = {"TransformerEncoderLayer", "TransformerEncoder", "GRU"}
SLOW |= {"TransformerDecoderLayer", "TransformerDecoder"}
EXAMPLES = [
    pytest.param(name, i, marks=pytest.mark.slow if name in SLOW else ())
    for name, layer in LAYERS.items()
    for i in range(len(layer.examples))
]
WRONG = [(name, i) for name, layer in LAYERS.items() for i in range(len(layer.wrong))]
REFUSED = [(name, option) for name, layer in LAYERS.items() for option in layer.refused]
# One of each family in plain pytest, and the others among the slow tests: a draw is a compilation.
PLAIN = {next(iter(family.LAYERS)) for family in FAMILIES}
DRAWN = [pytest.param(name, marks=() if name in PLAIN else pytest.mark.slow) for name in LAYERS]


@pytest.mark.parametrize(("name", "i"), EXAMPLES)
def test_a_layer_is_its_twin_where_there_is_a_trap(name, i):
    draw = LAYERS[name].examples[i]
    check_layer(*LAYERS[name].pair(name, draw.arguments), draw)


@pytest.mark.parametrize("name", DRAWN)
def test_a_layer_is_its_twin_in_options_that_are_drawn(name):
    """That of twenty which differs from the first, the smallest, in most options."""
    smallest, *others = drawn(LAYERS[name].draws, 20)

    def different(draw):
        return sum(smallest.arguments.get(k) != v for k, v in draw.arguments.items())

    draw = max(reversed(others), key=different)
    assert different(draw) or not LAYERS[name].parameters(name)
    check_layer(*LAYERS[name].pair(name, draw.arguments), draw)


def test_a_padding_row_that_is_another_is_seen_where_parameters_begin(monkeypatch):
    made, (draw, *_) = layers.Embedding, LAYERS["Embedding"].examples
    monkeypatch.setattr(
        layers, "Embedding", lambda **options: made(**{**options, "padding_idx": 1})
    )
    far = [f.name for f in initial_findings(LAYERS["Embedding"], "Embedding", draw) if not f.passed]
    assert far == ["initial weight: what is the same each time"]


def _holds(name):
    return LAYERS[name].made_in_torch(name, LAYERS[name].examples[0].arguments).state_dict()


@pytest.mark.parametrize("name", [*filter(_holds, LAYERS)])
def test_parameters_begin_as_torchs_do(name):
    draw = LAYERS[name].examples[0]
    far = [found for found in initial_findings(LAYERS[name], name, draw) if not found.passed]
    assert not far


@pytest.mark.parametrize(("name", "i"), WRONG)
def test_what_torch_refuses_is_refused(name, i):
    layer, wrong = LAYERS[name], LAYERS[name].wrong[i]
    with pytest.raises((ValueError, TypeError, RuntimeError, AssertionError, IndexError)):
        layer.called_in_torch(name, wrong)
    with pytest.raises((ValueError, TypeError), match=wrong.message or [*wrong.arguments][-1]):
        layer.called_here(name, wrong)


@pytest.mark.filterwarnings("ignore:keyword argument:FutureWarning")  # of min_value
@pytest.mark.parametrize(("name", "option"), REFUSED)
def test_what_only_torch_takes_is_refused_by_name(name, option):
    layer, refused = LAYERS[name], LAYERS[name].refused[option]
    layer.called_in_torch(name, refused)
    with pytest.raises((ValueError, TypeError), match=refused.message or option):
        layer.called_here(name, refused)


@pytest.mark.parametrize("name", LAYERS)
def test_every_option_of_torchs_comes_in_its_order_and_is_drawn_or_refused(name):
    layer = LAYERS[name]
    theirs = [RENAMED.get(p, p) for p in layer.parameters(name)]
    ours = list(inspect.signature(getattr(layers, name)).parameters)
    assert ours[: len(theirs)] == theirs
    draws = [*layer.examples, *drawn(layer.draws, 60)]
    exact, refused = set(layer.varied(name, draws)), set(layer.refused)
    assert set(layer.parameters(name)) <= exact | refused | OF_ONE_VALUE.get(name, set())
    assert not exact & refused  # which the table would tell of both


def test_every_layer_is_drawn():
    others = {"Module", "Tensor"}  # which are none, as are these
    others |= {"ModuleDict", "ModuleList", "ParameterList", "Sequential"}
    assert {n for n in layers.__all__ if n[0].isupper()} - others == set(LAYERS)

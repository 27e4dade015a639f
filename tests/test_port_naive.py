"""Networks that a naive port gets silently wrong: each is right, or refused where it may be."""

import jax
import pytest
from networks.naive import NAIVE
from port_helpers import EXACT, as_in_torch, failures, seeded

from flaxnets import port

CASES = {case.network.__name__: case for case in NAIVE}
# float() in the middle rounds to float32, in torch too, and the last digit may differ
BOUNDS = {"RoundedOnTheWay": 1e-6, "FromIntegers": 1e-6}
# What is not right yet, and why: refused though it need not be; in outputs; in training only.
REFUSED = {
    "TiedBias": "tied to",
    "ParameterOfTwo": "tied to",
    "StaysInEvaluation": "train is not torch's",
    "TiedTransposed": "the weight of a layer is read",
    "Overridden": r"super\(\).activate is not known",
    "NamesThatLinenOwns": "what was written of it fails",
    "Constants": "a buffer that no state_dict has",
    "SoftmaxOfFlattened": "view_as is not known",
    "OneDimension": "a module that the network does not hold",
    "Einsum": "einsum of maps",
    "UnitLength": "cosine_similarity is not known",
    "OverOneAxis": "topk is not known",
    "BatchDoubled": "chunk of the batch",
    "Coordinates": "linspace is not known",
    "Volumes": "torch.nn.MaxPool3d",
    "FlagThroughAWrapper": "any number of arguments",
    "Ties": "norm is not known",
    "OtherDefaults": "fmod is not known",
    "NamedTuples": "Named is not known here",
    "WholeNumbers": "one_hot is not known",
    "Gathered": "gather is not known",
}
KNOWN = {
    "DroppedInEvaluation": "it is ported, and needs a key in evaluation too; masks differ",
}
ROUNDED = "float32 on the way, in torch too: the levels ask for float64's digits"
IN_TRAINING = {
    "RandomSlope": "it is ported, and training raises",
    "RoundedOnTheWay": ROUNDED,
    "FromIntegers": ROUNDED,
}
# Small ones of which each has its own trap: ties, statistics, masks, orders of a flattening.
TRIED = ["TiedToItsEmbedding", "BatchNormCalledTwice", "OneDropoutTwice", "ReadByTwo"]


@pytest.fixture(autouse=True, scope="module")
def _compiled_soon():
    """Nearly all of the time is XLA's, for programs that run once."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def ported(case):
    """A network and its port; None if it was refused, as it may be."""
    net = seeded(case.network).eval()
    try:
        return net, port.port(net, case.example())
    except port.Unsupported:
        assert case.or_refused
        return net, None


RIGHT = [name for name in CASES if name not in {*KNOWN, *REFUSED}]
QUICK = RIGHT[::4]


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in RIGHT]
)
def test_what_a_naive_port_gets_wrong_is_right_in_evaluation(name):
    net, found = ported(CASES[name])
    if found is not None:
        assert as_in_torch(found, net, CASES[name].example()) <= BOUNDS.get(name, EXACT)


def test_what_is_known_is_of_the_list():
    assert {*REFUSED, *KNOWN, *IN_TRAINING, *TRIED} <= CASES.keys()


@pytest.mark.parametrize("name", TRIED)
def test_it_is_right_in_training_too(name):
    assert_right_at(CASES[name], [3, 5])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in RIGHT if name not in IN_TRAINING])
def test_it_is_right_in_training_and_in_its_gradients(name):
    assert_right_at(CASES[name], [3, 5, 7])


def assert_right_at(case, levels):
    """Or refused, where it may be."""
    _, found = ported(case)
    if found is not None:
        assert failures(found.check(levels)) == []


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_known_to_be_refused_says_its_line(name):
    with pytest.raises(port.Unsupported, match=REFUSED[name]) as caught:
        port.port(seeded(CASES[name].network), CASES[name].example())
    assert all(offence.line for offence in caught.value.offences)

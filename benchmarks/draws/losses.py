"""Losses in options that are drawn, each with outputs and targets that it takes."""

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

sizes = st.integers(1, 5)
REDUCTIONS = st.sampled_from(["mean", "sum", "none"])


class Loss(NamedTuple):
    """A call: options by torch's names, the rest of the positional arguments as they lie here."""

    arguments: dict[str, Any]
    input: np.ndarray
    target: np.ndarray
    has_classes: bool = False  # on the last axis here, on the second in torch


@st.composite
def of_classes(draw, has_probabilities):
    shape, n = draw(st.lists(sizes, min_size=0, max_size=3)), draw(sizes)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    arguments = {"reduction": draw(REDUCTIONS)}
    if draw(st.booleans()):
        arguments["weight"] = rng.uniform(0.1, 2, n)
    if has_probabilities:
        arguments["label_smoothing"] = draw(st.sampled_from([0.0, 0.1, 1.0]))
    logits = rng.normal(size=(*shape, n)) * draw(st.sampled_from([1, 100]))
    if has_probabilities and draw(st.booleans()):
        target = rng.dirichlet(np.ones(n), shape)
        return Loss(arguments, logits, target, True)
    target = np.asarray(rng.integers(0, n, shape))
    if draw(st.booleans()):
        arguments["ignore_index"] = ignored = draw(st.sampled_from([-100, -1, 0, n]))
        target = np.where(rng.random(shape) < draw(st.sampled_from([0.3, 1.0])), ignored, target)
    return Loss(arguments, logits, target, True)


@st.composite
def of_numbers(draw, parameter=None, values=(), weighted=False):
    """Multiples of a half: differences of 0, and just where one formula becomes the other."""
    shape = draw(st.lists(sizes, min_size=0, max_size=3))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    arguments = {"reduction": draw(REDUCTIONS)}
    if parameter:
        arguments[parameter] = draw(st.sampled_from(values))
    if weighted and draw(st.booleans()):
        arguments["weight"] = rng.uniform(0.1, 2, shape)
    input, target = rng.integers(-5, 6, (2, *shape)) / 2
    return Loss(arguments, np.asarray(input), np.asarray(target))


def weights(draw, rng, shape):
    """A number, one for each place of the last axis, or of as many axes."""
    some = [size if draw(st.booleans()) else 1 for size in shape]
    return rng.uniform(0.1, 2, draw(st.sampled_from([(), tuple(shape[-1:]), tuple(some)])))


@st.composite
def of_probabilities(draw, logits):
    """Zeros and ones among them, and what is just beside these."""
    shape = draw(st.lists(sizes, min_size=0, max_size=3))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    arguments = {"reduction": draw(REDUCTIONS)}
    for name in ("weight", "pos_weight") if logits else ("weight",):
        if draw(st.booleans()):
            arguments[name] = weights(draw, rng, shape)
    input = rng.choice([0, 1, 0.5, 1e-13, 1e-60, 1 - 1e-13, 0.3, 0.9], shape)
    if logits:
        input = rng.normal(size=shape) * draw(st.sampled_from([1, 1000]))
    return Loss(arguments, np.asarray(input), np.asarray(rng.choice([0, 1, 0.3], shape)))


@st.composite
def of_distributions(draw):
    shape, n = draw(st.lists(sizes, min_size=0, max_size=2)), draw(sizes)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    input, target = np.log(rng.dirichlet(np.ones(n), (2, *shape)))
    log_target = draw(st.booleans())
    if not log_target:
        target = np.where(rng.random(target.shape) < 0.3, 0, np.exp(target))
    reduction = draw(st.sampled_from(["mean", "sum", "none", "batchmean"]))
    return Loss({"reduction": reduction, "log_target": log_target}, input, target)


LOSSES = {
    "cross_entropy": of_classes(True),
    "nll_loss": of_classes(False),
    "mse_loss": of_numbers(weighted=True),
    "l1_loss": of_numbers(weighted=True),
    "smooth_l1_loss": of_numbers("beta", [1.0, 0.5, 0.0, 0.3, 1e6, 1e10]),
    "huber_loss": of_numbers("delta", [1.0, 0.5, 2.0, 0.3, 1e6, 1e10], weighted=True),
    "binary_cross_entropy": of_probabilities(False),
    "binary_cross_entropy_with_logits": of_probabilities(True),
    "kl_div": of_distributions(),
}

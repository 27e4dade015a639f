"""Level 1: names, shapes, order, counts, and what ``print`` shows. Level 2: initialisation."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from scipy.stats import ks_2samp

from flaxnets import interop
from flaxnets.parity.records import Record, surprise
from flaxnets.parity.reference import REFERENCES
from flaxnets.parity.subject import Subject

SAMPLE = 20_000  # values of a tensor that the test of its distribution looks at


def structure(subject: Subject) -> Iterator[Record]:
    """Level 1: equal or not."""
    net = REFERENCES[subject.name]()
    theirs = [(name, tuple(tensor.shape)) for name, tensor in net.named_parameters()]
    ours = [(leaf.name, leaf.shape) for leaf in interop.leaves(subject.model)]
    count = sum(leaf.size for leaf in jax.tree.leaves(_draws(subject, 1)))
    printed = repr(subject.model).replace(type(subject.model).__name__, type(net).__name__, 1)
    for name, same in {
        "names, order and shapes": ours == theirs,
        "number of parameters": count == sum(p.numel() for p in net.parameters()),
        "print(model)": printed == repr(net),
    }.items():
        yield Record(subject.name, 1, name, "exact", float(not same), 0.0)


def initialisation(subject: Subject, seeds: int = 10) -> Iterator[Record]:
    """Level 2: hard bounds, and a Kolmogorov-Smirnov test of each tensor against torch's draws.

    The error of a test is -log10 of its p value. With m tests, the smallest p of true hypotheses
    is below 0.001 / m in one case of a thousand (Bonferroni).
    """
    ours = [interop.to_torch(subject.model, draw) for draw in _draws(subject, seeds)]
    torch.manual_seed(0)
    theirs = [REFERENCES[subject.name]().state_dict() for _ in range(seeds)]
    bound = -np.log10(0.001 / len(theirs[0]))
    for name in theirs[0]:
        a = np.stack([draw[name] for draw in ours]).ravel()
        b = np.stack([draw[name].numpy() for draw in theirs]).ravel()
        limit = _limit(theirs[0], name)
        over = float(np.abs(a).max() / limit)
        # the last of float32's bits: torch's own draws reach the limit itself
        yield Record(subject.name, 2, f"{name}: largest / limit", "float32", over, 1 + 2.0**-23)
        p = ks_2samp(*(values[:: max(1, len(values) // SAMPLE)] for values in (a, b))).pvalue
        yield Record(subject.name, 2, f"{name}: -log10 p", "float32", surprise(p), bound)


def _draws(subject: Subject, seeds: int) -> list[Any]:
    """The variables of so many seeds."""
    init = jax.jit(subject.model.init)
    return [init(jax.random.key(seed), jnp.zeros((1, 28, 28))) for seed in range(seeds)]


def _limit(state_dict: Any, name: str) -> float:
    """1 / sqrt(fan_in): of a bias that of its layer's weight."""
    weight = state_dict[name.rpartition(".")[0] + ".weight"]
    return 1 / float(np.sqrt(weight[0].numel()))

"""A pair with batch norms through the levels: statistics, constants, gradients that are zero."""

import dataclasses

import numpy as np
import optax
import pytest
import torch
import torch.nn.functional as F

from flaxnets import data, layers
from flaxnets.layers import batch_norm
from flaxnets.parity import compare
from flaxnets.parity.pair import Pair
from flaxnets.parity.records import layer_errors
from flaxnets.parity.tutorials import Setting


def stack(nn, linear=None):
    """A bias before a norm, and a norm before a norm: their gradients are zero."""
    return [
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.BatchNorm2d(4, momentum=None),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(36, 16),
        nn.BatchNorm1d(16),
        nn.Linear(16, 10),
    ]


def digits(n):
    train = data.load("digits").train
    return train.images[:n, 10:18, 10:18].reshape(n, 1, 8, 8) / 255, train.labels[:n]


PAIR = Pair(
    name="normed",
    net=lambda: torch.nn.Sequential(*stack(torch.nn)),
    model=layers.Sequential(stack(layers)),
    torch_loss=F.cross_entropy,
    loss=optax.softmax_cross_entropy_with_integer_labels,
    shape=(1, 8, 8),
    examples=digits,
)


def setting(n):
    """So many digits to train on, whose last batch is not full."""
    split = data.Split((digits(n)[0][:, 0] * 255).astype(np.uint8), digits(n)[1])
    return Setting("digits", data.Splits(split, split), 1, 2)


def found(pair, level, n=22):
    (records,) = compare.compare(pair, setting(n), [level])
    return records


def failures(pair, level):
    return {record.name for record in found(pair, level) if not record.passed}


@pytest.mark.parametrize("level", range(1, 10))
def test_a_pair_with_batch_norms_holds(level):
    assert not failures(PAIR, level)


@pytest.mark.slow
def test_a_pair_with_batch_norms_holds_over_an_epoch():
    assert all(record.passed for record in found(PAIR, 9, 150))


def test_what_torch_begins_with_is_compared_as_it_is_statistics_too():
    records = {record.name: record for record in found(PAIR, 2)}
    for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
        assert records[f"1.{name}"].error == 0
    assert {"0.weight: -log10 p", "7.bias: -log10 p"} < records.keys()


def test_the_statistics_after_a_call_in_training_are_compared():
    names = {record.name for record in found(PAIR, 5)}
    assert {"1.running_mean after it", "8.num_batches_tracked after it"} < names
    norm = layers.BatchNorm1d(16, momentum=0.05)
    slow = [norm if i == 8 else layer for i, layer in enumerate(stack(layers))]
    turned = dataclasses.replace(PAIR, model=layers.Sequential(slow))
    assert failures(turned, 5) == {"8.running_mean after it", "8.running_var after it"}


def test_a_biased_running_variance_is_seen_by_level_5_alone(monkeypatch):
    monkeypatch.setattr(batch_norm, "unbiased", lambda variance, n: variance)
    biased = dataclasses.replace(PAIR)  # whose programs are not compiled yet
    assert failures(biased, 5) == {f"{i}.running_var after it" for i in (1, 2, 8)}
    assert not failures(biased, 3)


def test_a_gradient_that_vanishes_is_measured_beside_its_layers_or_the_whole():
    names = ("a.weight", "a.bias", "b.weight", "b.bias", "b.count")
    theirs = dict(zip(names, np.array([[1, 2], [0, 1e-17], [1e-5, 0], [0, 0]]), strict=False))
    theirs["b.count"] = np.array([3, 3])
    ours = {name: array + (1e-12 if name != "b.count" else 1) for name, array in theirs.items()}
    ours["b.count"] = ours["b.count"].astype(int)
    errors = layer_errors(ours, theirs)
    assert errors.pop("b.count") == 1
    assert list(errors.values()) == pytest.approx([5e-13] * 4, rel=1e-3)  # beside the 2 of a.weight

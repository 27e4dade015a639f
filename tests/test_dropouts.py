"""Dropouts of every kind, replayed and looked at; what else a network draws is refused."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
import torch.nn.functional as F
from draws.dropout import StochasticDepth

from flaxnets import layers
from flaxnets.data import Split, Splits
from flaxnets.parity import compare
from flaxnets.parity.levels.trajectory import trajectory
from flaxnets.parity.pair import Pair
from flaxnets.parity.recording import record_masks

P = 0.3


def by_hand(x, p, training):
    """Stochastic depth as timm had it at first, and many have copied it."""
    if not training:
        return x
    noise = (1 - p) + torch.rand((x.shape[0],) + (1,) * (x.ndim - 1), dtype=x.dtype)
    return x.div(1 - p) * noise.floor_()


class TorchNet(torch.nn.Module):
    """Maps, then vectors."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 4, 2)
        self.batch, self.row = StochasticDepth(P, "batch"), StochasticDepth(P, "row")
        self.maps = torch.nn.FeatureAlphaDropout(P)
        self.alpha = torch.nn.AlphaDropout(P)
        self.head = torch.nn.Linear(36, 5)

    def forward(self, x):
        x = self.conv(x)
        x = x + self.row(x) + self.batch(x) + by_hand(x, P, self.training)
        return self.head(self.alpha(torch.flatten(self.maps(x), 1)))


class Net(layers.Module):
    """Its twin, or one with another layer in a place."""

    mode: str = "row"
    free_mode: str = "batch"
    last: type = layers.AlphaDropout

    def setup(self):
        self.conv = layers.Conv2d(1, 4, 2)
        self.batch = layers.StochasticDepth(P, self.free_mode)
        self.row = layers.StochasticDepth(P, self.mode)
        self.hand = layers.StochasticDepth(P)
        self.maps, self.alpha = layers.FeatureAlphaDropout(P), self.last(P)
        self.flatten, self.head = layers.Flatten(), layers.Linear(36, 5)

    def __call__(self, x, train=False):
        x = self.conv(x)
        x = x + self.row(x) + self.batch(x) + self.hand(x)
        return self.head(self.alpha(self.flatten(self.maps(x))))


def examples(n):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 1, 4, 4)), rng.integers(0, 5, n)


PAIR = Pair(
    name="own",
    net=TorchNet,
    model=Net(),
    torch_loss=F.cross_entropy,
    loss=optax.softmax_cross_entropy_with_integer_labels,
    shape=(1, 4, 4),
    examples=examples,
)


def failures(level, **changes):
    changed = dataclasses.replace(PAIR, model=Net(**changes))
    (records,) = compare.compare(changed, None, [level])
    return {record.name for record in records if not record.passed}


@pytest.mark.parametrize("level", [5, 6, 7])
def test_every_kind_is_replayed_and_its_own_masks_hold(level):
    assert not failures(level)


def test_another_kind_is_seen_in_its_own_masks():
    found = failures(6, mode="batch", free_mode="row", last=layers.Dropout)
    assert found == {"row: whole examples", "batch: whole batches", "alpha: values"}


def test_an_epoch_is_replayed_where_the_last_batch_has_one_example():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (65, 4, 4)).astype(np.uint8)
    split = Split(images, rng.integers(0, 5, 65))
    assert all(record.passed for record in trajectory(PAIR, Splits(split, split)))


def recorded(draw, x):
    class Drawing(torch.nn.Module):
        def forward(self, x):
            return draw(x)

    torch.manual_seed(0)
    net = Drawing().train()
    return record_masks(net, lambda: net(x))


@pytest.mark.parametrize(
    ("draw", "shape"),
    [
        (lambda x: F.alpha_dropout(x, P, True), (4, 50)),
        (lambda x: F.feature_alpha_dropout(x, P, training=True), (4, 9, 5, 5)),
        (lambda x: torch.alpha_dropout(x, P, True), (4, 50)),
        (lambda x: torch.feature_alpha_dropout_(x, P, True), (4, 9, 5)),
        (lambda x: torch.dropout_(x, P, True), (4, 50)),
        (lambda x: F.dropout(x, P, inplace=True), (4, 50)),
    ],
)
def test_what_becomes_of_ones_is_known_with_the_mask(draw, shape):
    out, (drawn,) = recorded(draw, torch.ones(shape))
    found = np.where(drawn.keep, *reversed(drawn.of_ones))
    found = np.moveaxis(found, -1, 1) if len(shape) == 4 else found
    np.testing.assert_allclose(out, found, rtol=1e-6)
    assert 0 < drawn.keep.mean() < 1


@pytest.mark.parametrize(
    "draw",
    [
        lambda x: x * torch.empty(4, 1).bernoulli_(1 - P),
        lambda x: x * torch.bernoulli(torch.full((4, 1), 1 - P)),
        lambda x: x * torch.empty(4, 1).bernoulli(p=1 - P),
        lambda x: x * torch.floor(torch.rand(4, 1) + (1 - P)),
        lambda x: x * torch.rand(4).add_(1 - P).floor()[:, None],
    ],
)
def test_a_mask_that_a_network_draws_itself_is_recorded(draw):
    out, (drawn,) = recorded(draw, torch.ones(4, 3))
    assert drawn.p == pytest.approx(P) and drawn.of_ones is None
    np.testing.assert_array_equal(out[:, 0] != 0, drawn.keep.reshape(4))


@pytest.mark.parametrize(
    ("draw", "what"),
    [
        (lambda x: F.rrelu(x, training=True), "the network calls rrelu"),
        (lambda x: x + torch.randn_like(x), "the network calls randn_like"),
        (lambda x: x + torch.rand_like(x), "the network calls add of uniform noise"),
        (lambda x: x * (torch.rand(4, 3) < P), "the network calls lt of uniform noise"),
        (lambda x: torch.bernoulli(x / 12), "calls bernoulli with several probabilities"),
        (lambda x: x.new_empty(3).normal_(), "the network calls normal_"),
    ],
)
def test_randomness_that_cannot_be_replayed_is_refused_by_name(draw, what):
    with pytest.raises(ValueError, match=f"{what}: its randomness cannot be replayed"):
        recorded(draw, torch.arange(12.0).reshape(4, 3))


def test_noise_of_a_chance_of_one_drops_nothing():
    assert recorded(lambda x: x * torch.empty(4, 1).bernoulli_(1.0), torch.ones(4, 3))[1] == []


def test_alpha_dropout_keeps_mean_and_variance():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(400, 500)))
    out = layers.AlphaDropout(0.4).apply({}, x, train=True, rngs={"dropout": jax.random.key(0)})
    np.testing.assert_allclose([out.mean(), out.std()], [0, 1], atol=0.02)  # of 200,000

"""Parity takes a pair: networks that no table knows, whose dropout is of every kind."""

import dataclasses

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
import torch.nn.functional as F

from flaxnets import layers
from flaxnets.parity import compare
from flaxnets.parity.layouts import channels_last
from flaxnets.parity.pair import Pair
from flaxnets.parity.recording import record_masks


class TorchNet(torch.nn.Module):
    """A module called twice, dropout by function and by module, in lists, before a flatten."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)
        self.drops = torch.nn.ModuleList([torch.nn.Dropout2d(0.3), torch.nn.Dropout(0.4)])
        self.body = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU())
        self.head = torch.nn.Linear(64, 5)

    def forward(self, x):
        x = self.drops[0](torch.relu(self.conv(x)))
        x = F.dropout(torch.flatten(x, 1), 0.2, self.training)
        x = self.body(x)
        x = self.drops[1](self.body(self.drops[1](x)))
        return self.head(x)


class Net(layers.Module):
    """Its twin."""

    kind: type = layers.Dropout

    def setup(self):
        self.conv = layers.Conv2d(3, 4, 3)
        self.drops = [layers.Dropout2d(0.3), layers.Dropout(0.4)]
        self.free = self.kind(0.2)  # torch's is a function
        self.flatten = layers.Flatten()
        self.body = layers.Sequential([layers.Linear(64, 64), layers.ReLU()])
        self.head = layers.Linear(64, 5)

    def __call__(self, x, train=False):
        x = self.drops[0](nn.relu(self.conv(x)))
        x = self.free(self.flatten(x))
        x = self.body(x)
        x = self.drops[1](self.body(self.drops[1](x)))
        return self.head(x)


def examples(n):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 3, 6, 6)), rng.integers(0, 5, n)


PAIR = Pair(
    name="own",
    net=TorchNet,
    model=Net(),
    torch_loss=F.cross_entropy,
    loss=optax.softmax_cross_entropy_with_integer_labels,
    shape=(3, 6, 6),
    examples=examples,
)


def failures(pair, level):
    (records,) = compare.compare(pair, None, [level])
    return {record.name for record in records if not record.passed}


@pytest.mark.parametrize("level", [2, 3, 5, 6, 7, 8])
def test_a_pair_of_ones_own_holds_on_the_levels_that_need_no_dataset(level):
    assert not failures(PAIR, level)


def test_a_function_of_torch_is_a_layer_here_and_only_print_tells_it():
    assert failures(PAIR, 1) == {"print(model)"}


def test_every_call_of_a_layer_is_compared():
    (records,) = compare.compare(PAIR, None, [5])
    names = {record.name for record in records}
    assert {"drops.1", "drops.1, call 2", "body.0", "body.0, call 2"} <= names


def test_masks_are_those_that_torch_applied_in_the_order_of_its_calls():
    net = TorchNet().train()
    applied = []

    def keep(name, module):
        module.register_forward_hook(lambda _, x, y: applied.append((name, x[0], y)))

    for name, module in net.named_modules():
        if name.startswith("drops."):
            keep(name, module)
    x = torch.tensor(examples(8)[0], dtype=torch.float32)
    _, drawn = record_masks(net, lambda: net(x))
    assert [(d.name, d.p) for d in drawn] == [
        ("drops.0", 0.3),
        ("", 0.2),
        ("drops.1", 0.4),
        ("drops.1", 0.4),
    ]
    of_modules = [drawn[0], *drawn[2:]]
    for (name, before, after), found in zip(applied, of_modules, strict=True):
        mask = torch.tensor(found.keep)
        mask = mask.permute(0, 3, 1, 2) if mask.ndim == 4 else mask
        # torch multiplies by 1 / (1 - p) as float32 has it: one rounding more or less
        torch.testing.assert_close(after, before * mask / (1 - found.p), rtol=2e-7, atol=0)
        assert name == found.name


class Forgetful(Net):
    """Drops out once less than torch."""

    def __call__(self, x, train=False):
        x = self.drops[0](nn.relu(self.conv(x)))
        x = self.body(self.flatten(x))
        return self.head(self.drops[1](self.body(self.drops[1](x))))


def test_a_mistake_in_the_twin_is_seen():
    forgetful = dataclasses.replace(PAIR, model=Forgetful())
    with pytest.raises(ValueError, match="torch drops out in 4 calls, the twin in 3"):
        failures(forgetful, 5)
    summed = dataclasses.replace(PAIR, loss=lambda out, y: PAIR.loss(out, y) * jnp.float32(2))
    assert "conv.weight" in failures(summed, 7)


def test_parameters_of_ones_own_have_no_limit_but_torchs_distribution():
    class TorchScaled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.randn(50))
            self.head = torch.nn.Linear(50, 5)

        def forward(self, x):
            return self.head(x * self.scale)

    class Scaled(layers.Module):
        draw: nn.initializers.Initializer = nn.initializers.normal(1.0)

        def setup(self):
            self.scale = self.param("scale", self.draw, (50,))
            self.head = layers.Linear(50, 5)

        def __call__(self, x):
            return self.head(x * self.scale)

    def vectors(n):
        rng = np.random.default_rng(0)
        return rng.normal(size=(n, 50)), rng.integers(0, 5, n)

    own = {"net": TorchScaled, "shape": (50,), "examples": vectors}
    assert not failures(dataclasses.replace(PAIR, model=Scaled(), **own), 2)
    ones = dataclasses.replace(PAIR, model=Scaled(nn.initializers.ones), **own)
    assert failures(ones, 2) == {"scale: -log10 p"}


def test_a_layer_that_calls_its_base_is_one_call():
    class Louder(layers.Dropout):
        def __call__(self, x, train=False):
            return super().__call__(x, train)

    own = dataclasses.replace(PAIR, model=Net(Louder))
    assert not failures(own, 5) | failures(own, 6)


@pytest.mark.parametrize(
    ("drop", "shape"),
    [
        (lambda x: F.dropout(x, 0.3), (4, 50)),
        (lambda x: F.dropout(x, training=True, p=0.3), (4, 50)),
        (lambda x: F.dropout1d(x, 0.3), (4, 9, 5)),
        (lambda x: F.dropout2d(x, 0.3), (4, 9, 5, 5)),
        (lambda x: F.dropout3d(x, 0.3), (4, 9, 2, 3, 3)),
        (lambda x: torch.dropout(x, 0.3, True), (4, 50)),
        (lambda x: torch.dropout(x, p=0.3, train=True), (4, 50)),
        (lambda x: torch.feature_dropout(x, 0.3, True), (4, 9, 5, 5)),
    ],
)
def test_the_mask_of_every_kind_of_dropout_is_recorded(drop, shape):
    class Dropping(torch.nn.Module):
        def forward(self, x):
            return drop(x)

    torch.manual_seed(0)
    net, x = Dropping().train(), torch.ones(shape)
    out, (drawn,) = record_masks(net, lambda: net(x))
    assert drawn.p == 0.3
    np.testing.assert_array_equal(drawn.keep, channels_last(out.numpy()) != 0)
    assert 0 < drawn.keep.mean() < 1


@pytest.mark.parametrize(
    "leave",
    [lambda x: F.dropout(x, 0.3, False), lambda x: torch.dropout(x, 0.3, False), F.relu],
)
def test_what_drops_nothing_leaves_no_mask(leave):
    class Leaving(torch.nn.Module):
        def forward(self, x):
            return leave(x)

    net = Leaving().train()
    assert record_masks(net, lambda: net(torch.ones(3, 4)))[1] == []

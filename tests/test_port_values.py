"""What is true of the example alone, and must not be taken for the network."""

import jax
import numpy as np
import pytest
import torch
from torch import nn

from flaxnets import port


class MaskedInPlace(nn.Module):
    """With a mask of ones nothing is masked: the effect is lost without a trace."""

    def forward(self, x, mask):
        scores = x @ x.transpose(-2, -1)
        scores.masked_fill_(mask == 0, -1e9)
        return scores.softmax(-1)


class ZeroesInPlace(nn.Module):
    """A layer that begins as zero hides that its sum changes another name's tensor."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        nn.init.zeros_(self.fc.weight)
        nn.init.zeros_(self.fc.bias)

    def forward(self, x):
        h = torch.tanh(x)
        skip = h
        h += self.fc(x)
        return h * skip


class WholeShapes(nn.Module):
    """Sizes of maps have torch's order, wherever they go."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3)

    def forward(self, x):
        x = self.conv(x)
        shape = x.shape
        n, c, *places = x.size()
        return x * shape[1] + shape[3] + c * list(x.shape)[2] - places[1] / n


class LoopsWithElse(nn.Module):
    def forward(self, x):
        for _ in range(2):
            x = torch.tanh(x)
        else:
            x = x * 100
        return x


class Changed(nn.Module):
    """A list and a name of its own that are not what ``__init__`` made them."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
        self.order = [0, 1]
        self._scale = 2.0

    def forward(self, x):
        for i in self.order:
            x = torch.tanh(self.layers[i](x))
        return x * self._scale


class LongOnly(nn.Module):
    """Another way for what is longer than the example."""

    def forward(self, x):
        if x.shape[0] > 5:
            return x * 2
        return x


class Scaled(nn.Module):
    """An option that changes the second operand, which is itself a sum."""

    def forward(self, x, y):
        return torch.add(x, y + 1, alpha=2) - torch.remainder(x, y * y + 1)


class Both(nn.Module):
    def forward(self, x, y):
        return torch.logical_and(x > 0, y > 0)


class Floored(nn.Module):
    def forward(self, x):
        return torch.div(x, 0.3, rounding_mode="floor")


class InSinglePrecision(nn.Module):
    def forward(self, x):
        return torch.nn.functional.softmax(x, dim=-1, dtype=torch.float32)


class TwoRates(nn.Module):
    """One line drops twice, with two probabilities."""

    def __init__(self):
        super().__init__()
        self.rates = [0.1, 0.8]

    def forward(self, x):
        for rate in self.rates:
            x = torch.nn.functional.dropout(x, rate, self.training)
        return x


class OneSide(nn.Module):
    """The other side of the expression was never computed: nobody knows its layout."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3)

    def forward(self, x):
        x = self.conv(x)
        return x * 2 if x.shape[0] < 5 else x[:, 0] + 1


class Split(nn.Module):
    """Into parts of two, however many that makes."""

    def forward(self, x):
        parts = torch.split(x, 2, dim=1)
        return parts[0] * len(parts)


class ThreeWays(nn.Module):
    def forward(self, x):
        if x.shape[0] > 6:
            x = x * 2
        elif x.shape[0] > 4:
            x = x * 3
        else:
            x = x + 1
        return x


class LessAnother(nn.Module):
    """What is subtracted comes to lie otherwise, and is still what is subtracted."""

    def __init__(self):
        super().__init__()
        self.pos = nn.Parameter(torch.rand(1, 3, 3, 3))
        self.conv = nn.Conv2d(3, 2, 1)

    def forward(self, x):
        return self.conv(x + (1 - self.pos)) * self.conv(1 - self.pos)


def drawn(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def changed():
    net = Changed()
    net.order, net._scale = [1, 0], 5.0
    return net


@pytest.mark.parametrize(
    ("net", "x"),
    [
        (WholeShapes(), drawn(2, 2, 5, 7)),
        (LoopsWithElse(), drawn(2, 4)),
        (changed(), drawn(2, 4)),
        (Scaled(), (drawn(2, 4), drawn(2, 4) * 2)),
        (Both(), (drawn(2, 4), -drawn(2, 4) * 2)),
        (LessAnother(), drawn(2, 3, 3, 3)),
    ],
)
def test_what_is_ported_is_the_network_as_it_is(net, x):
    net, given = net.double().eval(), x if isinstance(x, tuple) else (x,)
    with jax.enable_x64(True):
        found = port.port(net, x)
        out = found.apply(found.variables, *(each.numpy() for each in given))
    np.testing.assert_allclose(out, net(*given).detach(), rtol=1e-12)  # a few roundings


@pytest.mark.parametrize(
    ("net", "shape", "what"),
    [
        (Floored(), (2, 4), "div with rounding_mode"),
        (InSinglePrecision(), (2, 4), "softmax with dtype"),
        (TwoRates(), (2, 4), "a dropout of several probabilities"),
        (OneSide(), (2, 2, 5, 5), "only one side of this was computed"),
    ],
)
def test_what_a_rule_does_not_know_is_refused_by_name(net, shape, what):
    with pytest.raises(port.Unsupported, match=what):
        port.port(net.double(), drawn(*shape))


def test_a_split_by_size_has_as_many_parts_as_its_input_makes():
    found = port.port(Split(), drawn(2, 4).float())
    np.testing.assert_array_equal(found.apply({}, np.ones((2, 8), np.float32)), 4)


@pytest.mark.parametrize("rows", [5, 7])
def test_the_other_ways_of_three_raise(rows):
    found = port.port(ThreeWays(), drawn(2, 4).float())
    with pytest.raises(NotImplementedError, match="never taken"):
        found.apply({}, np.ones((rows, 4), np.float32))


@pytest.mark.parametrize(
    ("net", "example"),
    [(MaskedInPlace(), (drawn(2, 3, 4), torch.ones(2, 3, 3))), (ZeroesInPlace(), drawn(2, 4))],
)
def test_a_change_in_place_is_refused_though_the_example_hides_it(net, example):
    with pytest.raises(port.Unsupported, match="changed in place and read again"):
        port.port(net.double(), example)


def test_what_was_never_taken_raises_and_is_noted():
    x = drawn(2, 4).float()
    found = port.port(LongOnly(), x)
    assert len(found.notes) == 1
    with pytest.raises(NotImplementedError, match="never taken"):
        found.apply(found.variables, np.ones((6, 4), np.float32))


def test_an_input_that_the_example_had_not_is_refused():
    found = port.port(nn.Linear(4, 2), torch.ones(2, 4))
    with pytest.raises(ValueError, match="it was ported with the inputs"):
        found.apply(found.variables, np.ones((2, 4)), np.ones((2, 4)))

"""``parity.check``: any network and its twin, by the same levels; planted mistakes."""

import copy
import dataclasses
import functools
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
import torch.nn.functional as F

from flaxnets import interop, layers, parity
from flaxnets.parity import compare
from flaxnets.parity.any_pair import any_pair
from flaxnets.parity.example import drawn_like

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True, scope="module")
def _compiled_soon():
    """Nearly all of the time is XLA's, for programs that run once."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


class TorchNet(torch.nn.Module):
    """Layers of each kind that training changes, in-place functions, a dropout on a flattening."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 3, 3)
        self.norm = torch.nn.BatchNorm2d(3)
        self.relu = torch.nn.ReLU(inplace=True)
        self.drop = torch.nn.Dropout(0.5)
        self.fc = torch.nn.Linear(12, 4)

    def forward(self, x):
        x = self.relu(self.norm(self.conv(x)))
        return F.log_softmax(self.fc(self.drop(torch.flatten(x, 1))), dim=1)


class Unscaled(layers.Dropout):
    def __call__(self, x, train=False):
        return super().__call__(x, train) * (0.5 if train else 1)


class Net(layers.Module):
    """Its twin, with a mistake if there is a ``fault``."""

    fault: str = ""

    def setup(self):
        self.conv = layers.Conv2d(2, 3, 3, use_bias=self.fault != "no bias")
        self.norm = layers.BatchNorm2d(3, momentum=0.2 if self.fault == "momentum" else 0.1)
        if self.fault != "no dropout":
            self.drop = (Unscaled if self.fault == "not rescaled" else layers.Dropout)(0.5)
        maps = () if self.fault == "order of the flattening" else (2, 2, 3)
        self.fc = layers.Linear(12, 4, flattened_from=maps)

    def __call__(self, x, train=False):
        x = nn.relu(self.norm(self.conv(x)))
        x = x.reshape(4 if self.fault == "batch size" else x.shape[0], -1)
        if self.fault == "no gradient":
            x = jax.lax.stop_gradient(x)
        x = self.fc(x if self.fault == "no dropout" else self.drop(x))
        if self.fault == "logarithm of a softmax":
            return jnp.log(nn.softmax(x))
        return nn.log_softmax(x) * (jnp.nan if self.fault == "NaN" else 1)


EXAMPLE = torch.tensor(RNG.normal(size=(4, 2, 4, 4)), dtype=torch.float32)
torch.manual_seed(0)
NET = TorchNet()
LEVELS = list(compare.LEVELS)


def failed(report):
    return {(r.level, r.name) for r in report.records if not r.passed}


def test_a_right_twin_passes_every_level_and_what_has_no_meaning_is_left_out(capsys):
    told = []
    report = parity.check(NET, Net(), EXAMPLE, loss="nll_loss", progress=told.append)
    assert report.passed, report
    assert report.levels == (1, 3, 4, 5, 6, 7, 8, 9, 11)
    assert report.left_out == {
        2: "the network is one object, which cannot be made anew",
        10: "there is no dataset to train on",
    }
    lines = str(report).splitlines()
    assert sorted(told) == sorted(lines)
    assert " 2 initialisation: left out: the network is one object" in str(report)
    names = {(r.level, r.name) for r in report.records}
    assert {(3, "fc"), (5, "norm.num_batches_tracked after it"), (7, "input")} < names
    assert {(9, "loss, 20 steps"), (11, "output of 5 examples")} < names
    page = report.markdown()
    assert page.startswith("Every level holds. Measured with ")
    assert "| TorchNet | 7 gradients | float64 | 7 |" in page
    assert "- TorchNet: 4 examples, and 5; loss: nll_loss" in page
    assert "- 10 outcome: left out: there is no dataset" in page
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("fault", "level", "first"),
    [
        ("no bias", 1, "names, order and shapes: the twin has no conv.bias"),
        ("order of the flattening", 3, "fc"),
        ("logarithm of a softmax", 4, "outputs"),
        ("momentum", 5, "norm.running_mean after it"),
        ("no dropout", 5, "ValueError: torch drops out in 1 calls, the twin in 0"),
        ("not rescaled", 6, "drop: scale 1 / (1 - p)"),
        ("no gradient", 7, "conv.weight"),
        ("batch size", 11, None),
        ("NaN", 3, "output"),
    ],
)
def test_a_mistake_fails_at_its_level(fault, level, first):
    before = [n for n in (1, 3) if n < level]
    report = parity.check(NET, Net(fault), EXAMPLE, levels=[*before, level])
    assert {n for n, _ in failed(report)} == {level}
    assert not report.passed and level not in report.levels
    assert first is None or first in {name for _, name in failed(report)}
    assert "FAIL\n" in str(report)


def test_weights_that_do_not_fit_fail_every_level_by_name():
    report = parity.check(NET, Net("no bias"), EXAMPLE, levels=[3])
    ((level, name),) = failed(report)
    assert level == 3 and "unexpected conv.bias" in name


def test_another_adam_fails_at_level_8():
    pair = any_pair(TorchLogits(), Logits(), torch.rand(5, 3))
    pair = dataclasses.replace(pair, adam=functools.partial(optax.adam, b2=0.99))
    assert not all(record.passed for record in compare.measured(pair, None, 8))


class Out(NamedTuple):
    scores: Any
    rest: Any


class TorchTable(torch.nn.Module):
    """Several inputs, a tree of outputs; ids are whole numbers, and keep truth values."""

    def __init__(self):
        super().__init__()
        self.words = torch.nn.Embedding(7, 3)
        self.body = torch.nn.Linear(5, 4)
        self.register_buffer("shift", torch.arange(4.0))

    def forward(self, x, ids, keep):
        found = self.words(ids).mean(1)
        scores = self.body(torch.cat([x, found], 1)) + self.shift
        return Out(scores, {"kept": torch.where(keep, scores, 0.0), "best": scores.argmax(1)})


class Table(layers.Module):
    fault: str = ""

    def setup(self):
        self.words = layers.Embedding(7, 3)
        self.body = layers.Linear(5, 4)
        self.shift = self.variable("buffers", "shift", jnp.arange, 4.0)

    def __call__(self, x, ids, keep):
        found = self.words(ids).mean(1)
        scores = self.body(jnp.concatenate([x, found], 1)) + self.shift.value
        kept = jnp.where(keep if self.fault != "turned" else ~keep, scores, 0.0)
        best = scores.argmin(1) if self.fault == "least" else scores.argmax(1)
        return Out(scores, {"kept": kept, "best": best})


TABLE = {
    "x": torch.rand(3, 2, generator=torch.Generator().manual_seed(0)),
    "ids": torch.tensor([[1, 2], [0, 5], [3, 6]]),
    "keep": torch.tensor([[True], [False], [True]]),
}


@pytest.mark.parametrize(
    ("given", "levels"), [(TABLE, [6, 7, 11]), (tuple(TABLE.values()), [3, 6, 7])]
)
def test_several_inputs_and_trees_of_outputs_are_compared(given, levels):
    report = parity.check(TorchTable(), Table(), given, levels=levels)
    assert report.passed, report
    assert report.left_out == {6: "torch's network draws no masks"}
    names = {(r.level, r.name) for r in report.records}
    key = "[x]" if isinstance(given, dict) else "[0]"
    assert (7, f"input{key}") in names
    if 3 in levels:
        assert {(3, "output[0]"), (3, "output[1][best]")} < names
    assert not any(n == 7 and name.startswith("input") and key not in name for n, name in names)


@pytest.mark.parametrize(("fault", "name"), [("turned", "kept"), ("least", "best")])
def test_a_mistake_in_one_of_several_outputs_is_named(fault, name):
    report = parity.check(TorchTable(), Table(fault), TABLE, levels=[3])
    assert failed(report) == {(3, f"output[1][{name}]")}


def test_layouts_may_be_said():
    class TorchRows(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv1d(3, 3, 1)

        def forward(self, x):
            return self.conv(x)

    class Rows(layers.Module):
        def setup(self):
            self.conv = layers.Conv1d(3, 3, 1)

        def __call__(self, x):
            return self.conv(x)

    net, example, levels = TorchRows(), torch.rand(2, 3, 5), [3, 7]
    assert not parity.check(net, Rows(), example, levels=levels).passed

    def moved(array):
        return array.swapaxes(1, 2)

    assert parity.check(net, Rows(), example, to_flax=moved, levels=levels).passed
    square = torch.rand(2, 3, 3)  # of which no shape tells the layout
    pair = any_pair(net, Rows(), square, to_flax=moved, from_flax=moved)
    assert all(
        f.records and all(r.passed for r in f.records) for f in compare.findings(pair, levels)
    )


def test_layouts_of_inner_modules_may_be_said_and_masks_go_by_them():
    asked = set()

    def inner(path, call, array):
        asked.add((path, call))
        if path == "drop":
            return array.reshape(-1, 2, 2, 3).transpose(0, 3, 1, 2).reshape(-1, 12)
        return array.transpose(0, 3, 1, 2) if array.ndim == 4 else array

    (found,) = compare.findings(any_pair(NET, Net(), EXAMPLE, inner=inner), [5])
    assert all(record.passed for record in found.records)
    assert {("conv", 1), ("norm", 1), ("drop", 1), ("fc", 1)} == asked
    as_it_lies = any_pair(NET, Net(), EXAMPLE, inner=lambda path, call, array: array)
    (found,) = compare.findings(as_it_lies, [5])
    assert not all(record.passed for record in found.records)


def test_torchs_own_rounded_sixth_has_a_bound_of_its_own():
    class Steep(Logits):
        def __call__(self, x):
            return nn.hard_sigmoid(self.fc(x))

    net = torch.nn.Sequential()
    net.fc, net.act = torch.nn.Linear(3, 4), torch.nn.Hardsigmoid()
    pair = any_pair(net, Steep(), torch.rand(5, 3))
    records = [r for r in compare.measured(pair, None, 7) if r.lane == "float64"]
    assert {r.bound for r in records} == {1e-7}
    assert all(r.passed for r in records) and max(r.error for r in records) > 1e-9


def test_the_network_is_left_as_it_was_whatever_its_dtype():
    net = copy.deepcopy(NET).half().train()
    net.fc.weight.grad = torch.ones_like(net.fc.weight)
    net.conv.eval()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    state = torch.get_rng_state()
    with torch.no_grad():
        report = parity.check(net, Net(), EXAMPLE.half(), levels=[1, 5])
    assert report.passed, report
    assert torch.equal(torch.get_rng_state(), state)
    assert net.training and not net.conv.training
    assert torch.equal(net.fc.weight.grad, torch.ones_like(net.fc.weight))
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in net.modules())
    for name, tensor in net.state_dict().items():
        assert tensor.dtype == before[name].dtype and torch.equal(tensor, before[name])


def test_64_bit_numbers_are_no_affair_of_the_callers():
    with jax.enable_x64(True):
        assert parity.check(TorchLogits(), Logits(), torch.rand(5, 3), levels=[3, 7]).passed
    assert jnp.ones(1).dtype == np.float32


def test_variables_that_are_given_are_those_that_are_compared():
    variables = interop.from_torch(Net(), NET.state_dict())
    assert parity.check(NET, Net(), EXAMPLE, variables=variables, levels=[1, 3]).passed
    variables["params"]["fc"]["bias"] += 1
    report = parity.check(NET, Net(), EXAMPLE, variables=variables, levels=[1, 3])
    assert failed(report) == {(1, "values: fc.bias"), (3, "fc"), (3, "output")}


def test_nan_on_both_sides_passes_nothing():
    class Bad(torch.nn.Module):
        def forward(self, x):
            return torch.log(-x * x)

    class BadTwin(layers.Module):
        def __call__(self, x):
            return jnp.log(-x * x)

    report = parity.check(Bad(), BadTwin(), torch.rand(3, 2), levels=[3, 5, 8, 9, 11])
    assert {level for level, _ in failed(report)} == {3, 5, 11}
    assert report.left_out == dict.fromkeys((8, 9), "the network has no parameters")


class TorchLogits(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(3, 4)

    def forward(self, x):
        return self.fc(x)


class Logits(layers.Module):
    def setup(self):
        self.fc = layers.Linear(3, 4)

    def __call__(self, x):
        return self.fc(x)


def squared(outputs, targets):
    return ((outputs - targets) ** 2).mean()


def twice(outputs, targets):
    return 2 * squared(outputs, targets)


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        ("cross_entropy", "cross_entropy"),
        ("soft_margin_loss", "soft_margin_loss, torch's on both sides"),
        ((squared, squared), "squared"),
        (F.multi_margin_loss, "multi_margin_loss, torch's on both sides"),
        (None, "the outputs, weighted by fixed normals"),
    ],
)
def test_gradients_are_of_any_loss(loss, told):
    levels = [7, 9] if loss == "soft_margin_loss" else [7]
    report = parity.check(TorchLogits(), Logits(), torch.rand(5, 3), loss=loss, levels=levels)
    assert report.passed, report
    assert report.settings == {"TorchLogits": f"5 examples, and 6; loss: {told}"}


def test_two_losses_that_differ_are_seen():
    net, example = TorchLogits(), torch.rand(5, 3)
    report = parity.check(net, Logits(), example, loss=(squared, twice), levels=[7])
    assert failed(report) == {(7, "fc.weight"), (7, "fc.bias"), (7, "input")}


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("crossentropy", "torch.nn.functional has no such loss"),
        ("binary_cross_entropy", "does not take the outputs"),
        (lambda a, b: a - b, "must give one number"),
    ],
)
def test_a_loss_that_is_none_is_refused(loss, message):
    with pytest.raises(ValueError, match=message):
        parity.check(TorchLogits(), Logits(), 9 * torch.ones(5, 3), loss=loss, levels=[7])


@pytest.mark.parametrize("example", ["x", (torch.ones(2), None), {"x": 3}])
def test_an_example_that_is_none_is_refused(example):
    with pytest.raises(TypeError, match="an example is a tensor, a tuple or a dict"):
        parity.check(NET, Net(), example)


def test_inputs_are_drawn_like_the_example():
    example = {
        "image": RNG.random((3, 50)),
        "ids": RNG.integers(2, 9, (3, 40)),
        "mask": RNG.random((3, 40)) < 0.9,
        "whole": np.arange(8).reshape(2, 4),  # not of the batch
        "zeros": np.zeros((3, 30)),
    }
    drawn = drawn_like(example, 200, 1)
    assert drawn["image"].min() >= example["image"].min()
    assert abs(drawn["image"].mean() - example["image"].mean()) < 0.01
    assert set(np.unique(drawn["ids"])) == set(range(2, 9))
    assert drawn["ids"].dtype == example["ids"].dtype
    assert abs(drawn["mask"].mean() - example["mask"].mean()) < 0.02
    assert drawn["whole"].shape == (2, 4)
    assert abs(drawn["zeros"].std() - 1) < 0.05
    assert {a.shape[0] for name, a in drawn.items() if name != "whole"} == {200}
    first = drawn_like(example, 3, 0)
    assert all(np.array_equal(first[name], example[name]) for name in ("image", "ids", "mask"))


def test_a_network_that_is_made_anew_is_compared_in_its_initial_distributions():
    class Own(TorchLogits):
        def __init__(self):
            super().__init__()
            torch.nn.init.normal_(self.fc.weight)

    example, levels = torch.rand(5, 3), [2]
    right = any_pair(TorchLogits(), Logits(), example, make=TorchLogits)
    (found,) = compare.findings(right, levels)
    assert found.records and all(r.passed for r in found.records)
    (found,) = compare.findings(any_pair(Own(), Logits(), example, make=Own), levels)
    assert not all(r.passed for r in found.records)
    told = any_pair(Own(), Logits(), example, make=Own, own_draws=True)
    (found,) = compare.findings(told, levels)
    assert all(r.passed for r in found.records)
    names = [r.name for r in found.records]
    assert "fc.weight: -log10 p, which the network's own code draws" in names

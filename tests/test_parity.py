"""The parity levels in a small size, the report, and the command."""

import dataclasses
import os
import re

import jax
import numpy as np
import pytest
import torch
from helpers import call, level_records

import flaxnets
from flaxnets import data, interop, parity
from flaxnets.parity import compare, mutants, report, trials
from flaxnets.parity.bounds import FLOAT32, FLOAT64, TF32
from flaxnets.parity.levels import (
    adam,
    dropout,
    forward,
    gradients,
    outcome,
    trajectory,
)
from flaxnets.parity.masks import mask_places, replayed
from flaxnets.parity.recording import record_masks
from flaxnets.parity.records import Record, relative_error, surprise
from flaxnets.parity.sides import Sides
from flaxnets.parity.tutorials import TUTORIALS
from flaxnets.training.step import run_steps

NAMES = list(flaxnets.MODELS)
SMALL = trials.few_examples()


def pair(name):
    """A tutorial's."""
    return TUTORIALS[name].pair


def assert_all_pass(records):
    assert records
    assert not [record for record in records if not record.passed]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("level", [9, 11])  # of 1 to 8 test_parity_page says it
def test_levels_that_train_hold(name, level):
    assert_all_pass(level_records(name, level))


def test_every_layer_and_parameter_is_compared_in_both_lanes():
    layers = ["conv1", "conv2", "dropout1", "fc1", "dropout2", "fc2", "output"]
    for level in (3, 5):
        found = [(r.lane, r.name) for r in level_records("cnn", level)]
        assert [name for lane, name in found if lane == "float64"] == layers
        assert [name for lane, name in found if lane == "float32"] == layers
    names = {r.name for r in level_records("cnn", 7)}
    assert names == {"input", *(leaf.name for leaf in interop.leaves(flaxnets.CNN()))}
    facts = {r.name for r in level_records("cnn", 6)}
    assert len(facts) == 13  # six facts of two layers, and steps
    assert len(level_records("cnn", 1)) == 3


def parameter(mutant):
    """Equivalent ones go through all levels, which takes longer."""
    marks = () if mutant.level else pytest.mark.slow
    return pytest.param(mutant, id=mutant.name.replace(" ", "-"), marks=marks)


@pytest.mark.parametrize("mutant", [parameter(mutant) for mutant in mutants.mutants()])
def test_every_mutant_dies_by_its_level_and_equivalent_ones_live(mutant):
    trial = trials.attempt(mutant, SMALL, [mutant.level] if mutant.level else trials.TRIED)
    assert trial.passed, trial


def test_a_mutant_that_lives_or_crashes_or_an_equivalent_that_dies_is_no_pass():
    mutant, equivalent = mutants.mutants()[0], mutants.mutants()[-1]
    assert trials.Trial(mutant, {3: "fc1"}).passed
    assert not trials.Trial(mutant, {5: "fc1"}).passed
    assert not trials.Trial(mutant, {3: trials.REFUSED}).passed
    assert not trials.Trial(equivalent, {5: "fc1"}).passed


def test_steps_that_all_draw_with_the_same_key_are_seen(monkeypatch):
    def same_key(*arguments):
        state = arguments[6]._replace(step=jax.numpy.asarray(0))
        return run_steps(*arguments[:6], state, *arguments[7:])

    monkeypatch.setattr(dropout, "run_steps", same_key)
    failed = [record.name for record in dropout.dropout(pair("cnn")) if not record.passed]
    assert failed == ["a new mask each step"]


@pytest.mark.parametrize("dtype", [float, np.float32, np.float64])
def test_a_p_value_that_has_become_0_surprises_by_a_finite_number(dtype):
    assert surprise(dtype(0)) == pytest.approx(300)
    assert surprise(dtype(0.25)) == pytest.approx(-np.log10(0.25))


@pytest.mark.parametrize("name", NAMES)
def test_no_bound_of_any_precision_lets_a_gradient_of_zero_pass(name):
    for lane in (FLOAT32, TF32):
        with FLOAT32():
            sides = Sides(pair(name), lane)
        layers = [n for n, m in sides.net.named_modules() if not list(m.children())]
        outputs = dict.fromkeys(layers, np.ones((32, 10)))
        bounds = [
            *forward.layer_bounds(sides, outputs).values(),
            gradients.gradient_bound(sides, pair(name).examples(32)[0]),
            *(adam.adam_bound(lane, step) for step in (1, 10, 1000)),
        ]
        assert max(bounds) < (2e-4 if lane == FLOAT32 else 0.03)  # zeros are off by 1


def test_the_list_of_mutants_is_that_of_the_design():
    found = mutants.mutants()
    assert len([m for m in found if m.level]) == 20
    assert len([m for m in found if not m.level]) == 2
    assert len({m.name for m in found}) == len(found)


def test_masks_that_are_recorded_are_those_that_torch_applied():
    with FLOAT32():
        sides = Sides(pair("cnn"), FLOAT32)
        sides.net.train()
        before = []
        for layer in (sides.net.dropout1, sides.net.dropout2):
            layer.register_forward_hook(lambda _, inputs, out: before.append((inputs[0], out)))
        inputs = sides.pair.examples(16)[0]
        x = sides.torch_inputs(inputs)
        with torch.no_grad(), pytest.warns(UserWarning, match="dropout2d"):
            _, drawn = record_masks(sides.net, lambda: sides.net(x))
        places = mask_places(sides.model, sides.variables, sides.inputs(inputs))
        masks = replayed(drawn, places)
    (x, dropped), (y, thinned) = before
    keep = torch.tensor(masks["dropout1"]["keep"]).permute(0, 3, 1, 2)
    # torch multiplies by 1 / 0.75 as float32 has it: one rounding more or less
    torch.testing.assert_close(dropped, x * keep / 0.75, rtol=2e-7, atol=0)
    assert torch.equal(thinned, y * torch.tensor(masks["dropout2"]["keep"]) / 0.5)
    assert 0 < keep.float().mean() < 1


def test_the_equivalence_test_tells_equal_from_different(monkeypatch):
    rng = np.random.default_rng(0)
    equal = rng.normal(0.98, 0.002, (2, 20))
    for ours, theirs, passes in (
        (equal[0], equal[1], True),
        (equal[0], equal[1] - 0.005, False),
        (equal[0] - 0.005, equal[1], False),
        (rng.normal(0.98, 0.02, 20), rng.normal(0.98, 0.02, 20), False),  # too little is known
    ):
        monkeypatch.setattr(outcome, "accuracies", lambda *_, a=ours, b=theirs: (a, b))
        (record,) = outcome.outcome(pair("mlp"), SMALL.splits, 1, 20)
        assert record.passed is passes


def test_level_10_trains_both_sides():
    ours, theirs = outcome.accuracies(pair("mlp"), data.load("digits"), epochs=3, seeds=2)
    assert ours.shape == theirs.shape == (2,)
    assert min(ours.min(), theirs.min()) > 0.8  # three epochs of digits: about 0.9


def test_an_error_is_relative_to_the_largest_value_and_nan_passes_nothing():
    assert relative_error([1.0, 2.5], [1.0, 2.0]) == 0.25
    assert relative_error([0.5], [0.0]) == 0.5
    assert relative_error(np.ones(2), np.ones(3)) == float("inf")
    for error, passed in ((1e-3, True), (2e-3, False), (float("nan"), False)):
        assert Record("cnn", 3, "x", "float32", error, 1e-3).passed is passed


def test_float64_has_the_bounds_of_the_design():
    with FLOAT64():
        sides = Sides(pair("cnn"), FLOAT64)
        assert set(forward.layer_bounds(sides, dict.fromkeys(["conv1", "output"])).values()) == {
            1e-12
        }
        bound = gradients.gradient_bound(sides, pair("cnn").examples(2)[0])
    assert bound == adam.adam_bound(FLOAT64, 10) == 1e-11


def test_run_gives_a_report_that_prints_as_a_table():
    result = parity.run("mlp", levels=[1, 3])
    assert result.passed
    lines = str(result).splitlines()
    assert len(lines) == 4  # the head, level 1, level 3 in two lanes
    assert max(map(len, lines)) <= 80
    assert all(line.endswith("pass") for line in lines[1:])
    worse = dataclasses.replace(
        result, records=(*result.records, result.records[0]._replace(error=1.0))
    )
    assert not worse.passed
    assert "FAIL\n  names, order and shapes" in str(worse)


def test_without_a_choice_all_eleven_levels_are_run():
    assert compare.chosen(None) == tuple(range(1, 12))


def test_run_refuses_what_is_not_there():
    with pytest.raises(ValueError, match="unknown model 'resnet'"):
        parity.run("resnet")
    with pytest.raises(ValueError, match="there is no level 12: they are 1 to 11"):
        parity.run("mlp", levels=[3, 12])


def test_the_command_prints_a_row_a_level_and_writes_a_page(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(mutants, "mutants", lambda: mutants_of_one)
    monkeypatch.setattr(compare, "chosen", lambda levels: (1, 3))  # as if these were all
    arguments = ["--model", "mlp", "--output", tmp_path / "page"]
    status, out, err = call(capsys, "parity", *arguments)
    assert (status, err) == (0, "")
    assert "every level holds (19 comparisons in" in out
    assert max(map(len, out.splitlines()[:-1])) <= 80
    assert out.splitlines()[-3] == "trying 1 mutants"
    assert re.fullmatch(r"1 of 1 mutants came out as they must \(\d+ s\)", out.splitlines()[-2])
    page = (tmp_path / "page/PARITY.md").read_text()
    assert "Every level holds." in page
    assert "| mlp | 3 forward, evaluation | float64 | 8 |" in page
    assert "| beta2 = 0.99 | 8 Adam | 8, 9 | Adam, step 1000 | pass |" in page
    for name in ("errors_by_layer", "initial_distributions", "loss_trajectories"):
        assert f"(pictures/{name}.png)" in page
        assert (tmp_path / f"page/pictures/{name}.png").read_bytes().startswith(b"\x89PNG")


mutants_of_one = [mutant for mutant in mutants.mutants() if mutant.name == "beta2 = 0.99"]


def test_a_level_that_fails_is_named_and_the_exit_status_is_1(capsys, monkeypatch):
    broken = next(m.pair for m in mutants.mutants() if m.name == "Linear not transposed")
    wrong = TUTORIALS["mlp"]._replace(pair=broken)
    monkeypatch.setitem(TUTORIALS, "mlp", wrong)
    status, out, _ = call(capsys, "parity", "--model", "mlp", "--level", "3")
    assert status == 1
    assert "NOT every level holds" in out
    assert "FAIL\n  linear_relu_stack.0\n" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--level", "0"], "there is no level 0: they are 1 to 11"),
        (["--level", "x"], "invalid int value: 'x'"),
        (["--model", "resnet"], "invalid choice: 'resnet'"),
        (["--data-dir", "nowhere"], "nowhere: no such folder"),
        (["--level", "3", "--output", "nowhere"], "--output writes a page of all levels"),
    ],
)
def test_bad_input_to_the_command_is_refused(arguments, message, capsys):
    status, out, err = call(capsys, "parity", *arguments)
    assert (status, out) == (2, "")
    assert message in err.splitlines()[-1]
    assert not os.path.exists("nowhere")


def test_no_level_leaves_64_bit_numbers_switched_on():
    list(compare.compare(pair("mlp"), SMALL, [3]))
    assert jax.numpy.ones(1).dtype == np.float32


def test_training_taken_up_from_torchs_state_stays_with_torch(monkeypatch):
    """As the SoftmaxMLP is compared on MNIST, whose rounding grows too far in one go."""
    train = data.load("digits").train
    with FLOAT64():
        theirs, ours = trajectory.losses(pair("softmax_mlp"), train, FLOAT64, every=5)
        beside, _ = trajectory.losses(pair("softmax_mlp"), train, FLOAT64, moved=1e-6)
    np.testing.assert_allclose(ours, theirs, atol=1e-12, rtol=0)
    assert 1e-9 < np.abs(beside - theirs).max() < 1e-3
    free = dataclasses.replace(pair("softmax_mlp"), free=5)
    records = list(trajectory.trajectory(free, data.load("digits")))
    assert [(r.lane, np.isfinite(r.bound)) for r in records] == [
        ("float64", True),
        ("float64", False),
        ("float64", False),
        ("float32", False),
    ]
    assert [len(group) for group in report.grouped(records)] == [1, 1, 1, 1]

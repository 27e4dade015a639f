"""The learning rates of the steps, and the settings that choose them."""

import json
import os
import pathlib
import warnings

import jax
import numpy as np
import pytest
import torch
from helpers import SMALL_MLP, call, digits, idx_folder, run

import flaxnets
from flaxnets import training
from flaxnets.cli.compilation_cache import use_compilation_cache
from flaxnets.parity.bounds import FLOAT64
from flaxnets.runs.plan import PRESETS
from flaxnets.training import step
from flaxnets.training.config import SCHEDULES, learning_rates


def torchs(steps, rate):
    optimizer = torch.optim.Adam([torch.zeros(1)], lr=rate)
    with warnings.catch_warnings(action="ignore"):
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, rate, total_steps=steps + 1, cycle_momentum=False
        )
        rates = []
        for _ in range(steps):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
    return rates


def test_one_cycle_is_torchs_but_for_the_place_of_its_corners():
    # torch puts the corners half a step elsewhere: of 1,000 steps, within a hundredth of the rate
    np.testing.assert_allclose(
        learning_rates("one-cycle", 0.01, 1000, 0, 1000), torchs(1000, 0.01), atol=1e-4
    )


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 1000])
def test_rates_are_positive_finite_and_at_most_the_given_one(schedule, steps):
    rates = learning_rates(schedule, 1e-3, steps, 0, steps)
    assert rates.shape == (steps,)
    assert rates.dtype == np.float32
    assert (rates > 0).all()
    assert (rates <= np.float32(1e-3) * (1 + 1e-6)).all()


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_epochs_are_parts_of_one_schedule_and_exact_in_double_precision(schedule):
    with FLOAT64():
        whole = learning_rates(schedule, 1e-3, 90, 0, 90)
        parts = [learning_rates(schedule, 1e-3, 90, i, i + 30) for i in (0, 30, 60)]
        np.testing.assert_array_equal(whole, np.concatenate(parts))
        assert float(whole.max()) == 1e-3


def test_another_number_of_epochs_does_not_compile_again():
    before = None
    for epochs in (1, 2, 3):
        config = training.Config(epochs=epochs, schedule="one-cycle")
        list(training.fit(flaxnets.MLP(**SMALL_MLP), digits(), config))
        before = before or step.run_steps._cache_size()
        assert step.run_steps._cache_size() == before


def test_fit_takes_each_step_at_its_rate():
    """Where the gradient is the same at each step, Adam's steps are as long as the rate."""
    split = (np.ones((4, 3), np.float32), np.zeros(4))
    config = training.Config(epochs=8, batch_size=4, learning_rate=1e-3, schedule="one-cycle")
    epochs = training.fit(
        flaxnets.layers.Linear(3, 1), [split, split], config, loss=lambda out, _: out[:, 0]
    )
    places = [float(epoch.state.params["bias"][0]) for epoch in epochs]
    lengths = -np.diff(places)
    # bias correction and differences of places in float32
    np.testing.assert_allclose(lengths, learning_rates("one-cycle", 1e-3, 8, 1, 8), rtol=1e-3)


def test_an_unknown_schedule_is_refused_by_name():
    with pytest.raises(ValueError, match="schedule 'cosine' is not one of constant, one-cycle"):
        training.Config(schedule="cosine")


def test_a_preset_sets_what_is_not_given(tmp_path, capsys):
    data = ["--data-dir", idx_folder(tmp_path / "data")]
    arguments = ["--preset", "fast", "--batch-size", "100", *data, "--dry-run"]
    assert call(capsys, "train", *arguments, "--workdir", tmp_path / "run")[0] == 0
    config = json.loads((tmp_path / "run/config.json").read_text())
    expected = {**PRESETS["fast"], "batch_size": 100}
    assert config["epochs"] == 1  # as a dry run has
    del expected["epochs"]
    assert expected.items() <= config.items()


def test_half_precision_trains_as_well_and_keeps_its_parameters_in_single(tmp_path, capsys):
    arguments = ["--model", "mlp", "--precision", "bfloat16", "--epochs", "6"]
    status, out, _ = call(capsys, "train", *arguments, "--workdir", tmp_path / "run")
    assert status == 0
    assert float(out.split()[-2]) > 92  # as in single precision: see test_training
    model, variables = flaxnets.load(tmp_path / "run")
    assert np.dtype(model.dtype) == "bfloat16"
    assert variables["params"]["linear_relu_stack"]["0"]["kernel"].dtype == np.float32


# All that is compiled is kept, also what would take less than a tenth of a second.
KEEPING_ALL = """
import sys, jax
from flaxnets.cli import program as cli

update = jax.config.update
jax.config.update = lambda name, value: update(name, 0 if name.endswith("time_secs") else value)
sys.exit(cli.main(sys.argv[1:]))
"""


def as_a_user_has_it(home):
    """The environment, without what these tests set in it."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    return {**inherited, "XDG_CACHE_HOME": str(home)}


def test_a_second_start_compiles_nothing_anew(tmp_path):
    found = []
    for workdir in ("first", "second"):
        command = ("train", "--model", "mlp", "--dry-run", "--workdir", tmp_path / workdir)
        status, _, err = run("-c", KEEPING_ALL, *command, env=as_a_user_has_it(tmp_path))
        assert (status, err) == (0, "")
        kept = (tmp_path / "flaxnets/jax").glob("*-cache")
        found.append({path.name: path.stat().st_mtime_ns for path in kept})
    assert any(name.startswith("jit_run_steps") for name in found[0])
    assert found[0] == found[1]


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path):
    (tmp_path / "flaxnets").touch()  # a file where the folder would be
    code = (
        "import jax\nfrom flaxnets.cli.compilation_cache import use_compilation_cache\n"
        "use_compilation_cache()\n"
        "jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)\n"
        "print(jax.jit(lambda x: x + 1)(1))"
    )
    status, out, err = run("-c", code, env=as_a_user_has_it(tmp_path))
    assert (status, out) == (0, "2\n"), err


def test_without_a_home_there_is_no_cache_and_no_error(monkeypatch):
    names = ("jax_compilation_cache_dir", "jax_enable_compilation_cache")
    before = {name: jax.config.values[name] for name in names}
    for name, value in zip(names, (None, True), strict=True):
        jax.config.update(name, value)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def nobody():
        raise RuntimeError("no home")

    monkeypatch.setattr(pathlib.Path, "home", nobody)
    try:
        use_compilation_cache()
        assert jax.config.values["jax_compilation_cache_dir"] is None
    finally:
        for name, value in before.items():
            jax.config.update(name, value)

"""Runs from Python: what the shell does, by the same functions."""

import ast
import itertools
import json
import signal
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from helpers import ROOT, call, rows, status_of, steps_saved
from survival import same_run

import flaxnets
from flaxnets import runs, training
from flaxnets.runs.plan import EPOCHS, PRESETS
from flaxnets.saving import PARAMS

# 23 steps an epoch, reported in fives
PLAN = runs.Plan.of(model="mlp", epochs=3, log_interval=5)
STEPS = [5, 10, 15, 20, 23, 28, 33, 38, 43, 46, 51, 56, 61, 66, 69]


@pytest.fixture(scope="module")
def of_the_shell(tmp_path_factory):
    """The folder of the same run, started in the shell, which nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    flags = ("--model", "mlp", "--epochs", "3", "--log-interval", "5")
    assert status_of("train", *flags, "--workdir", folder) == 0
    return folder


def handlers():
    return signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)


def test_a_run_is_the_shells_to_the_bit_and_prints_nothing(tmp_path, capfd, of_the_shell):
    run = runs.start(PLAN, tmp_path / "run")
    capfd.readouterr()
    assert [chunk.step for chunk in run] == STEPS
    assert capfd.readouterr() == ("", "")
    same_run(tmp_path / "run", of_the_shell)
    files = [(folder / "config.json").read_text() for folder in (tmp_path / "run", of_the_shell)]
    assert files[0] == files[1]
    assert [metrics.epoch for metrics in run.history] == [1, 2, 3]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_saved_and_it_can_be_resumed(number, tmp_path, of_the_shell):
    before, run = handlers(), runs.start(PLAN, tmp_path)
    with pytest.raises(runs.Interrupted, match="after step 33 of 69, which is saved") as raised:
        for chunk in run:
            if chunk.step == 33:
                signal.raise_signal(number)
    assert raised.value.signal == number
    assert handlers() == before
    assert steps_saved(tmp_path)[-1] == 33
    resumed = runs.resume(tmp_path)
    assert (resumed.step, resumed.steps, len(resumed.history)) == (33, 69, 1)
    assert [chunk.step for chunk in resumed] == STEPS[7:]
    same_run(tmp_path, of_the_shell)


@pytest.fixture
def ctrl_c_interrupts():
    """A shell has it ignored by what it starts in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_second_signal_does_what_it_does_without_a_run(tmp_path, ctrl_c_interrupts):
    iterated = iter(runs.start(PLAN, tmp_path))
    next(iterated)
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt) as raised:
        signal.raise_signal(signal.SIGINT)
    assert not isinstance(raised.value, runs.Interrupted)
    iterated.close()


def test_an_interrupted_run_goes_on_where_it_is_iterated_again(tmp_path, of_the_shell):
    run, before = runs.start(PLAN, tmp_path), handlers()
    assert [chunk.step for chunk in itertools.islice(run, 7)] == STEPS[:7]
    assert handlers() == before
    with pytest.raises(runs.Interrupted):
        for _ in run:
            signal.raise_signal(signal.SIGINT)
    assert [chunk.step for chunk in run] == STEPS[8:]
    same_run(tmp_path, of_the_shell)
    assert list(run) == []


def test_it_runs_in_a_thread_which_may_handle_no_signals(tmp_path):
    steps = []

    def train():
        plan = runs.Plan.of(model="mlp", epochs=1)
        steps.extend(chunk.step for chunk in runs.start(plan, tmp_path))

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert steps == [23]


def test_a_folder_is_held_until_the_loop_is_left(tmp_path):
    run = runs.start(PLAN, tmp_path)
    for _ in run:
        with pytest.raises(ValueError, match="is in use by another run, process"):
            runs.resume(tmp_path)
        break
    with pytest.raises(ValueError, match="holds a run already"):
        runs.start(PLAN, tmp_path)
    runs.resume(tmp_path).close()


def test_what_is_damaged_is_warned_of(tmp_path):
    with pytest.raises(runs.Interrupted):
        for _ in runs.start(PLAN, tmp_path):
            signal.raise_signal(signal.SIGINT)
    (tmp_path / "checkpoints/5/facts/metadata").write_text("{")
    with pytest.warns(UserWarning, match="5 is damaged, and set aside as"):
        run = runs.resume(tmp_path)
    assert (run.snapshot, run.step) == (None, 0)
    run.close()


def test_another_setting_is_refused_by_name(tmp_path):
    next(iter(runs.start(PLAN, tmp_path)))
    with pytest.raises(ValueError, match=r"begun with learning_rate .*, not .*; seed 0, not 4"):
        runs.resume(tmp_path, learning_rate=0.1, seed=4, epochs=None)
    with pytest.raises(TypeError, match="a plan has no lr"):
        runs.resume(tmp_path, lr=0.1)


def test_a_plan_has_the_defaults_of_the_config_and_epochs_by_dataset():
    for dataset in flaxnets.data.CLASSES:
        epochs = EPOCHS.get(dataset, training.Config.epochs)
        expected = training.Config(epochs=epochs)
        assert runs.Plan.of(dataset=dataset).config == expected
    assert runs.Plan.of().settings["model"] == "cnn"


def test_what_is_given_goes_before_a_preset_and_a_preset_before_a_recorded_run():
    recorded = {"model": "mlp", "seed": 7, "learning_rate": 0.5}
    plan = runs.Plan.of("fast", recorded, batch_size=100, dataset=None)
    expected = {**PRESETS["fast"], "batch_size": 100, "seed": 7}
    assert expected.items() <= plan.settings.items()


def test_a_run_of_0_1_goes_on_and_is_loaded(tmp_path, capsys):
    """Written by flaxnets 0.1: an MLP of zeros, interrupted after one epoch of two."""
    with zipfile.ZipFile(ROOT / "tests/run_of_0.1.zip") as archive:
        archive.extractall(tmp_path)
    before = json.loads((tmp_path / "config.json").read_text())
    assert type(flaxnets.load(tmp_path)[0]) is flaxnets.MLP
    assert call(capsys, "predict", tmp_path, "--index", "0")[0] == 0
    status, out, _ = call(capsys, "train", "--workdir", tmp_path, "--resume")
    assert status == 0
    assert "going on from step 23 of 46, in epoch 2\n" in out
    assert json.loads((tmp_path / "config.json").read_text()) == before
    assert [row["epoch"] for row in rows(tmp_path / "metrics.jsonl")] == [1, 2]
    # of zeros nothing reaches the hidden layers: Adam moves the last bias alone
    params = flaxnets.interop.load(tmp_path / PARAMS)
    assert {name for name, array in params.items() if np.any(array)} == {"linear_relu_stack.4.bias"}


def test_nothing_of_a_run_prints_or_names_a_flag():
    for path in Path(runs.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
                assert any(keyword.arg == "file" for keyword in node.keywords), path
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert " --" not in f" {node.value}", (path, node.value)

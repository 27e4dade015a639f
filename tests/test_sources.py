"""A run remembers where its data came from, for what goes on from it."""

import json
import signal

import pytest
from helpers import call, idx_folder, status_of

from flaxnets.runs import processes
from flaxnets.runs.plan import Plan

FLAGS = ("--model", "mlp", "--epochs", "3")


@pytest.fixture
def begun_on_idx_files(tmp_path, monkeypatch, capsys):
    """The folder of a run that is interrupted at the first epoch's end; its data lie beside it."""
    monkeypatch.chdir(tmp_path)
    idx_folder(tmp_path / "data")
    with monkeypatch.context() as patch:
        patch.setattr(processes, "first_signal", lambda _: signal.SIGINT)
        flags = ("--dataset", "mnist", "--data-dir", "data")
        assert status_of("train", *FLAGS, *flags, "--workdir", "run") == 130
    capsys.readouterr()
    return tmp_path / "run"


def test_a_run_remembers_where_its_data_came_from(begun_on_idx_files, monkeypatch, capsys):
    run, data = begun_on_idx_files, begun_on_idx_files.parent / "data"
    config = json.loads((run / "config.json").read_text())
    assert (config["data_dir"], config["tfds_dir"]) == (str(data), None)
    monkeypatch.chdir("/")
    assert status_of("predict", run, "--index", "9") == 0
    assert status_of("train", "--workdir", run, "--resume") == 0
    assert "going on from step 1 of 3, in epoch 2" in capsys.readouterr().out
    assert json.loads((run / "config.json").read_text()) == config


def test_data_that_have_moved_are_told_and_can_be_given_anew(begun_on_idx_files, capsys):
    run, old = begun_on_idx_files, begun_on_idx_files.parent / "data"
    new = old.rename(old.with_name("new"))
    resume = ("train", "--workdir", run, "--resume")
    for command in (resume, ("predict", run, "--index", "9")):
        status, _, err = call(capsys, *command)
        assert status == 2
        (line,) = err.splitlines()
        assert (
            f"the run had its data from {old}, which is no folder here: give their new place"
            in line
        )
    status, _, err = call(capsys, *resume, "--dataset", "digits")
    assert status == 2
    assert "begun with dataset mnist, not digits" in err
    assert status_of(*resume, "--data-dir", "new") == 0
    assert json.loads((run / "config.json").read_text())["data_dir"] == str(new)


def test_predict_reads_the_config_only_for_what_it_does_not_know(begun_on_idx_files, capsys):
    run, data = begun_on_idx_files, begun_on_idx_files.parent / "data"
    assert status_of("predict", run / "params.safetensors", "--index", "9") == 0
    (run / "config.json").write_text("{")
    assert status_of("predict", run, "--index", "9", "--data-dir", data) == 0
    status, _, err = call(capsys, "predict", run, "--index", "9")
    assert status == 2
    assert "config.json is damaged" in err


@pytest.mark.parametrize("recorded", [{}, {"data_dir": None}, {"data_dir": 5, "tfds_dir": []}])
def test_a_config_without_the_folders_of_the_data_says_nothing_of_them(recorded):
    plan = Plan.of(recorded={"dataset": "mnist", **recorded})
    assert plan.sources == {"data_dir": None, "tfds_dir": None}

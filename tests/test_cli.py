"""The command line, as a user has it: a whole run in a process of its own, the rest in this one."""

import gzip
import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import ROOT, UNCACHED, call, contents, idx_bytes, idx_folder, rows, run

import flaxnets
from flaxnets import interop

TRAIN = ("-m", "flaxnets", "train")
QUICK = ("--model", "mlp", "--epochs", "2")
PICTURES = ("learning_curves", "confusion_matrix", "mistakes")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Where a run was started, and what it printed."""
    cwd = tmp_path_factory.mktemp("whole")
    more = ("--log-interval", "10", "--workdir", "run", "--save-model", "net.npz", "--plot")
    code, out, err = run(*TRAIN, *QUICK, *more, cwd=cwd)
    assert (code, err) == (0, "")
    return cwd, out.splitlines()


def test_a_run_writes_its_folder_and_ends_with_the_test_accuracy(whole):
    cwd, lines = whole
    assert re.fullmatch(r"Using (cpu|gpu|tpu) device: .+", lines[0])
    assert max(map(len, lines)) <= 80
    metrics = rows(cwd / "run/metrics.jsonl")
    assert [row["epoch"] for row in metrics] == [1, 2]
    assert set(metrics[0]) == {
        "epoch",
        "step",
        "train_loss",
        "test_loss",
        "test_accuracy",
        "seconds",
        "images_per_second",
    }
    assert lines[-1] == f"test accuracy: {100 * metrics[-1]['test_accuracy']:.2f} %"
    config = json.loads((cwd / "run/config.json").read_text())
    assert (config["model"], config["dataset"], config["epochs"]) == ("mlp", "digits", 2)
    saved = interop.load(cwd / "run/params.safetensors")
    for name, array in interop.load(cwd / "net.npz").items():
        np.testing.assert_array_equal(array, saved[name])


def test_saved_parameters_classify_as_the_run_says(whole):
    cwd, _ = whole
    model, variables = flaxnets.load(cwd / "run")
    assert type(model) is flaxnets.MLP
    _, accuracy = flaxnets.training.evaluate(model, variables, flaxnets.data.load("digits").test)
    assert accuracy == rows(cwd / "run/metrics.jsonl")[-1]["test_accuracy"]


def test_reports_between_epochs_come_every_log_interval(whole):
    cwd, lines = whole
    reports = rows(cwd / "run/steps.jsonl")
    assert set(reports[0]) == {"epoch", "step", "train_loss", "images_per_second"}
    steps = [row["step"] for row in reports]
    assert steps == [10, 20, 23, 33, 43, 46]
    assert [int(line.split()[1]) for line in lines[4 : 4 + len(steps)]] == steps


def test_plots_are_pngs_in_the_workdir(whole):
    cwd, lines = whole
    assert lines[-4:-1] == [f"wrote run/{name}.png" for name in PICTURES]
    for name in PICTURES:
        assert (cwd / f"run/{name}.png").read_bytes().startswith(b"\x89PNG")


def test_dry_runs_without_a_workdir_get_a_folder_each_and_take_one_step(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert call(capsys, "train", *QUICK, "--dry-run")[0] == 0
    folders = list((tmp_path / "runs").iterdir())
    assert len(folders) == 2
    for folder in folders:
        (row,) = rows(folder / "metrics.jsonl")
        assert (row["epoch"], row["step"]) == (1, 1)


def test_the_three_ways_to_call_it_are_one_program(tmp_path):
    script = Path(sys.executable).parent / "flaxnets"
    code = f"import os, sys; os.execv({str(script)!r}, sys.argv)"
    ways = [TRAIN, (ROOT / "train.py",), ("-c", code, "train")]
    first, *others = [run(*way, "--epochs", "0", cwd=tmp_path) for way in ways]
    assert first[0] == 2
    assert others == [first] * 2


def test_idx_files_are_trained_on(tmp_path, capsys):
    folder = idx_folder(tmp_path / "data/mnist")
    arguments = ("--dataset", "mnist", "--data-dir", folder.parent, "--workdir", tmp_path / "run")
    code, out, _ = call(capsys, "train", *QUICK, *arguments)
    assert code == 0
    assert out.endswith("test accuracy: 100.00 %\n")  # ten times the same image and label


BAD = [
    (("--model", "resnet"), "invalid choice: 'resnet'"),
    (("--dataset", "cifar"), "invalid choice: 'cifar'"),
    (("--device", "abacus"), "no device 'abacus' here: JAX found cpu:0"),
    (("--device", "cpu:99"), "no device 'cpu:99' here"),
    (("--device", "cpu:-1"), "no device 'cpu:-1' here"),
    (("--device", ""), "no device '' here"),
    (("--save-model", "/proc/net.npz"), "--save-model /proc/net.npz: cannot write there"),
    (("--workdir", "pictures"), "pictures holds a run already"),
    (("--epochs", "0"), "epochs must be a whole number of at least 1, got 0"),
    (("--epochs", "many"), "invalid int value: 'many'"),
    (("--batch-size", "-3"), "batch_size must be a whole number of at least 1, got -3"),
    (("--test-batch-size", "0"), "test_batch_size must be"),
    (("--log-interval", "0"), "log_interval must be"),
    (("--lr", "0"), "learning_rate must be positive and finite, in single precision too, got 0.0"),
    (("--lr", "-1"), "got -1.0"),
    (("--lr", "nan"), "got nan"),
    (("--seed", "-1"), "seed must be"),
    (("--dataset", "mnist", "--data-dir", ".", "--tfds-dir", "."), "not both"),
    (("--tfds-dir", "."), "leave out the data folder"),
    (("--data-dir", "."), "leave out the data folder"),
    (("--dataset", "mnist", "--data-dir", "nowhere"), "nowhere: no such folder"),
    (("--dataset", "mnist", "--data-dir", "."), "holds no IDX files"),
    (("--dataset", "mnist", "--data-dir", "missing"), "is missing, plain or .gz"),
    (("--dataset", "mnist", "--data-dir", "short"), "the header declares 7,840 bytes"),
    (("--dataset", "mnist", "--data-dir", "foreign"), "not an IDX file of images"),
    (("--dataset", "mnist", "--data-dir", "labels"), "has the label 10; expected 0 to 9"),
    (("--dataset", "mnist", "--data-dir", "counts"), "10 images but 9 labels"),
    (("--workdir", "file"), "file is a file"),
    (("--workdir", "file/below"), "Not a directory"),
    (("--workdir", "old"), "old holds a run already"),
    (("--save-model", "net.onnx"), "the suffix must be one of .safetensors, .npz"),
    (("--save-model", "nowhere/net.npz"), "there is no folder nowhere"),
    (("--save-model", "folder.npz"), "folder.npz is a folder"),
]


@pytest.fixture(scope="module")
def traps(tmp_path_factory):
    """A folder with everything that can be wrong."""
    root = tmp_path_factory.mktemp("traps")
    (root / "file").write_text("precious")
    (root / "old").mkdir()
    (root / "old/config.json").write_text("precious")
    (root / "folder.npz").mkdir()
    (root / "pictures").mkdir()
    (root / "pictures/mistakes.png").write_text("precious")
    (idx_folder(root / "missing") / "t10k-labels-idx1-ubyte").unlink()
    for name in ("short", "foreign", "counts"):
        idx_folder(root / name)
    with (root / "short/train-images-idx3-ubyte").open("r+b") as file:
        file.truncate(1000)
    (root / "foreign/train-images-idx3-ubyte").write_bytes(gzip.compress(b"not one"))
    (root / "counts/train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(9)))
    idx_folder(root / "labels", label=10)
    return root


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_input_ends_with_status_2_and_one_line_and_changes_nothing(
    arguments, message, traps, capsys, monkeypatch
):
    monkeypatch.chdir(traps)
    before = contents(traps)
    code, out, err = call(capsys, "train", *arguments)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("flaxnets train: error: ")
    assert message in line
    assert contents(traps) == before


def test_a_diverging_run_says_so_in_one_line_and_fails(tmp_path, capsys):
    code, _, err = call(capsys, "train", *QUICK, "--lr", "1e30", "--workdir", tmp_path / "run")
    assert code == 1
    assert re.fullmatch(r"flaxnets train: error: the .* loss .*: try a lower .*\n", err)


# 100 kB a file at most, as if the disk were full: the parameters take 2.7 MB
ON_A_FULL_DISK = """
import resource, sys
from flaxnets.cli import program as cli

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
sys.exit(cli.main(sys.argv[1:]))
"""


def test_a_full_disk_is_told_in_one_line_and_leaves_earlier_files_whole(tmp_path):
    (tmp_path / "net.npz").write_text("precious")
    arguments = ("--workdir", "run", "--save-model", "net.npz")
    command = ("-c", ON_A_FULL_DISK, "train", *QUICK, *arguments)
    environment = {**os.environ, **UNCACHED}  # that disk would be full too
    code, _, err = run(*command, cwd=tmp_path, env=environment)
    assert code == 1
    assert re.fullmatch(r"flaxnets train: error: .*File too large.*\n", err)
    assert (tmp_path / "net.npz").read_text() == "precious"
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "config.json",
        "steps.jsonl",
        "lock",
        "checkpoints",
    }


def test_help_shows_every_flag_and_fits_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = call(capsys, "train", "--help")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    for flag in (
        "--model",
        "--dataset",
        "--data-dir",
        "--epochs",
        "--batch-size",
        "--lr",
        "--test-batch-size",
        "--seed",
        "--log-interval",
        "--device",
        "--workdir",
        "--save-model",
        "--plot",
        "--dry-run",
        "--resume",
        "--distributed",
    ):
        assert flag in out

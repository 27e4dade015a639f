"""The command line through a subprocess, as a user has it."""

import gzip
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

import flaxnets
from flaxnets import interop

QUICK = ("--model", "mlp", "--epochs", "2")


def start(*arguments, cwd, program=("-m", "flaxnets", "train"), within=(), **options):
    return subprocess.Popen(
        [*within, sys.executable, *program, *map(str, arguments)],
        cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, **options,
    )  # fmt: skip


def train(*arguments, cwd, **options):
    process = start(*arguments, cwd=cwd, **options)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def idx_folder(folder, n=10, label=3, side=28):
    folder.mkdir(parents=True)
    for split in ("train", "t10k"):
        images = np.array([0x803, n, side, side], ">u4").tobytes() + bytes(n * side * side)
        labels = np.array([0x801, n], ">u4").tobytes() + bytes([label] * n)
        (folder / f"{split}-images-idx3-ubyte").write_bytes(images)
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(labels)
    return folder


def test_a_run_writes_its_folder_and_ends_with_the_test_accuracy(tmp_path):
    code, out, err = train(*QUICK, "--workdir", "run", "--save-model", "net.npz", cwd=tmp_path)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert re.fullmatch(r"Using (cpu|gpu|tpu) device: .+", lines[0])
    assert max(map(len, lines)) <= 80
    metrics = rows(tmp_path / "run/metrics.jsonl")
    assert [row["epoch"] for row in metrics] == [1, 2]
    assert set(metrics[0]) == {
        "epoch", "step", "train_loss", "test_loss", "test_accuracy", "seconds",
        "images_per_second",
    }  # fmt: skip
    assert lines[-1] == f"test accuracy: {100 * metrics[-1]['test_accuracy']:.2f} %"
    assert set(rows(tmp_path / "run/steps.jsonl")[0]) == {
        "epoch", "step", "train_loss", "images_per_second",
    }  # fmt: skip
    config = json.loads((tmp_path / "run/config.json").read_text())
    assert (config["model"], config["dataset"], config["epochs"]) == ("mlp", "digits", 2)
    saved = interop.load(tmp_path / "run/params.safetensors")
    for name, array in interop.load(tmp_path / "net.npz").items():
        np.testing.assert_array_equal(array, saved[name])


def test_saved_parameters_classify_as_the_run_says(tmp_path):
    train(*QUICK, "--workdir", "run", cwd=tmp_path)
    model = flaxnets.MLP()
    variables = interop.from_torch(model, interop.load(tmp_path / "run/params.safetensors"))
    test = flaxnets.data.load("digits").test
    _, accuracy = flaxnets.training.evaluate(model, variables, test)
    assert accuracy == rows(tmp_path / "run/metrics.jsonl")[-1]["test_accuracy"]
    assert b'"model":"mlp"' in (tmp_path / "run/params.safetensors").read_bytes()[:2000]


def test_runs_without_a_workdir_get_a_folder_each(tmp_path):
    for _ in range(2):
        assert train(*QUICK, "--dry-run", cwd=tmp_path)[0] == 0
    assert len(list((tmp_path / "runs").iterdir())) == 2


def test_the_three_ways_to_call_it_are_one_program(tmp_path):
    scripts = os.path.join(os.path.dirname(sys.executable), "flaxnets")
    outs = [
        train(*QUICK, "--dry-run", "--workdir", i, cwd=tmp_path, program=program)[1]
        for i, program in enumerate(
            [("-m", "flaxnets", "train"), (str(ROOT / "train.py"),), (scripts, "train")]
        )
    ]
    assert outs[0].splitlines()[-1] == outs[1].splitlines()[-1] == outs[2].splitlines()[-1]


def test_a_dry_run_is_one_step_and_one_test_batch(tmp_path):
    train(*QUICK, "--dry-run", "--workdir", "run", cwd=tmp_path)
    (row,) = rows(tmp_path / "run/metrics.jsonl")
    assert (row["epoch"], row["step"]) == (1, 1)


def test_reports_between_epochs_come_every_log_interval(tmp_path):
    _, out, _ = train(*QUICK, "--log-interval", "10", "--workdir", "run", cwd=tmp_path)
    steps = [row["step"] for row in rows(tmp_path / "run/steps.jsonl")]
    assert steps == [10, 20, 23, 33, 43, 46]
    assert [int(line.split()[1]) for line in out.splitlines()[4:-1]] == steps


def test_plots_are_pngs_in_the_workdir(tmp_path):
    status, out, _ = train(*QUICK, "--plot", "--workdir", "run", cwd=tmp_path)
    assert status == 0
    *_, first, second, third, accuracy = out.splitlines()
    assert accuracy.startswith("test accuracy: ")
    names = ("learning_curves", "confusion_matrix", "mistakes")
    assert [first, second, third] == [f"wrote run/{name}.png" for name in names]
    for name in names:
        assert (tmp_path / f"run/{name}.png").read_bytes().startswith(b"\x89PNG")


def test_idx_files_are_trained_on(tmp_path):
    folder = idx_folder(tmp_path / "data/mnist")
    arguments = (*QUICK, "--dataset", "mnist", "--data-dir", folder.parent)
    code, out, _ = train(*arguments, cwd=tmp_path)
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
    labels = np.array([0x801, 9], ">u4").tobytes() + bytes(9)
    (root / "counts/train-labels-idx1-ubyte").write_bytes(labels)
    idx_folder(root / "labels", label=10)
    return root


def contents(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_input_ends_with_status_2_and_one_line_and_changes_nothing(arguments, message, traps):
    before = contents(traps)
    code, out, err = train(*arguments, cwd=traps)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("flaxnets train: error: ")
    assert message in line
    assert contents(traps) == before


def test_a_diverging_run_says_so_in_one_line_and_fails(tmp_path):
    code, _, err = train(*QUICK, "--lr", "1e30", cwd=tmp_path)
    assert code == 1
    assert re.fullmatch(r"flaxnets train: error: the .* loss .*: try a lower .*\n", err)


def test_a_full_disk_is_told_in_one_line_and_leaves_earlier_files_whole(tmp_path):
    (tmp_path / "net.npz").write_text("precious")
    # 100 KiB a file at most, as if the disk were full: the parameters take 2.7 MB
    full = ("bash", "-c", 'ulimit -f 100; exec "$@"', "bash")
    arguments = (*QUICK, "--workdir", "run", "--save-model", "net.npz")
    code, _, err = train(*arguments, cwd=tmp_path, within=full)
    assert code == 1
    assert re.fullmatch(r"flaxnets train: error: .*File too large.*\n", err)
    assert (tmp_path / "net.npz").read_text() == "precious"
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "config.json", "steps.jsonl", "lock", "checkpoints",
    }  # fmt: skip


def test_help_shows_every_flag_and_fits_80_columns(tmp_path):
    code, out, _ = train("--help", cwd=tmp_path, env={**os.environ, "COLUMNS": "80"})
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    for flag in ("--model", "--dataset", "--data-dir", "--epochs", "--batch-size", "--lr",
                 "--test-batch-size", "--seed", "--log-interval", "--device", "--workdir",
                 "--save-model", "--plot", "--dry-run", "--resume", "--distributed"):  # fmt: skip
        assert flag in out

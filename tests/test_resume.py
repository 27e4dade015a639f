"""Runs that are interrupted, killed or damaged, and go on."""

import logging
import os
import shutil
import signal

import jax
import numpy as np
import pytest
from helpers import (
    HANGS,
    UNCACHED,
    call,
    contents,
    rows,
    run,
    start,
    status_of,
    steps_saved,
    wait_for,
)
from survival import same_run

import flaxnets
from flaxnets import interop
from flaxnets.runs import checkpoints as checkpoint
from flaxnets.runs import processes
from flaxnets.runs.checkpoints import LATEST
from flaxnets.runs.checkpoints.quiet_orbax import quiet
from flaxnets.training.state import Snapshot, initial_state

# 23 steps an epoch, reported in fives
FLAGS = ("--model", "mlp", "--epochs", "3", "--log-interval", "5")


def train(capsys, folder, *more):
    """The exit status and both outputs of ``flaxnets train``."""
    return call(capsys, "train", *FLAGS, "--workdir", folder, *more)


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """The folder of the run that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert status_of("train", *FLAGS, "--workdir", folder) == 0
    return folder


def interrupted(monkeypatch, capsys, folder, chunks, number=signal.SIGTERM):
    """A run to which a signal comes in a chunk."""
    asked = iter(range(1, 1000))
    with monkeypatch.context() as patch:
        patch.setattr(
            processes, "first_signal", lambda _: number if next(asked) == chunks else None
        )
        return train(capsys, folder)


@pytest.mark.parametrize("chunks", [1, 4, 5, 7])  # the fifth ends an epoch
def test_an_interrupted_run_ends_where_the_whole_one_does_to_the_bit(
    chunks, tmp_path, monkeypatch, capsys, whole
):
    status, out, err = interrupted(monkeypatch, capsys, tmp_path, chunks)
    step = 23 * (chunks // 5) + 5 * (chunks % 5)
    assert (status, err) == (143, "")
    assert f"interrupted after step {step} of 69, which is saved" in out
    assert steps_saved(tmp_path)[-1] == step
    status, out, err = train(capsys, tmp_path, "--resume")
    assert (status, err) == (0, "")
    assert f"going on from step {step} of 69, in epoch {step // 23 + 1}\n" in out
    same_run(tmp_path, whole)


def test_a_run_can_be_interrupted_again_and_again(tmp_path, monkeypatch, capsys, whole):
    interrupted(monkeypatch, capsys, tmp_path, 2)
    for _ in range(6):
        asked = iter((None, signal.SIGINT))
        with monkeypatch.context() as patch:
            patch.setattr(processes, "first_signal", lambda _, asked=asked: next(asked))
            assert train(capsys, tmp_path, "--resume")[0] == 130
    assert train(capsys, tmp_path, "--resume")[0] == 0
    same_run(tmp_path, whole)


def test_the_latest_and_the_best_checkpoints_are_kept(whole):
    kept = steps_saved(whole)
    assert set(kept[-LATEST:]) == {46, 69}
    accuracies = {row["step"]: row["test_accuracy"] for row in rows(whole / "metrics.jsonl")}
    assert max(accuracies.values()) in [accuracies[step] for step in kept]
    assert len(kept) <= LATEST + 1


def test_the_best_checkpoint_is_kept_though_it_is_an_old_one(tmp_path):
    state = jax.tree.map(
        np.asarray, initial_state({"params": {"kernel": np.ones((2, 2), np.float32)}})
    )
    snapshot = Snapshot(state, np.zeros((2, 2), np.uint32), np.arange(7), 1, 2, 3.5, 4.25)
    with checkpoint.Checkpoints(tmp_path) as checkpoints:
        for step, accuracy in enumerate((0.9, 0.1, 0.2, 0.3), 1):
            checkpoints.save(step, snapshot, {"settings": {}}, accuracy)
    assert steps_saved(tmp_path) == [1, 3, 4]


def test_rows_after_the_checkpoint_and_torn_lines_are_dropped(tmp_path, monkeypatch, capsys, whole):
    interrupted(monkeypatch, capsys, tmp_path, 6)
    for name in ("steps.jsonl", "metrics.jsonl"):
        with (tmp_path / name).open("a") as file:
            file.write('{"epoch": 2, "step": 33, "train_loss": 1.0}\n{"epoch": 2, "st')
    assert train(capsys, tmp_path, "--resume")[0] == 0
    same_run(tmp_path, whole)


def test_a_finished_run_says_so_and_changes_nothing(tmp_path, capsys, whole):
    shutil.copytree(whole, tmp_path / "run")
    status, out, _ = train(capsys, tmp_path / "run", "--resume")
    assert status == 0
    told, accuracy = out.splitlines()
    assert "is finished: all 3 epochs are done" in told
    assert accuracy.startswith("test accuracy: ")
    same_run(tmp_path / "run", whole)


@pytest.mark.parametrize("folder", ["absent", "empty", "killed early"])
def test_without_a_checkpoint_it_starts_at_step_0_and_says_so(folder, tmp_path, capsys, whole):
    if folder != "absent":
        (tmp_path / folder).mkdir()
    if folder == "killed early":
        for name in ("config.json", "steps.jsonl"):
            shutil.copy(whole / name, tmp_path / folder)
    status, out, _ = train(capsys, tmp_path / folder, "--resume")
    assert status == 0
    assert f"no whole checkpoint in {tmp_path / folder}: starting at step 0" in out
    same_run(tmp_path / folder, whole)


def test_another_configuration_is_refused_naming_what_differs(tmp_path, capsys, whole):
    shutil.copytree(whole, tmp_path / "run")
    before = contents(tmp_path / "run", but=["lock"])
    flags = ("--resume", "--epochs", "4", "--lr", "0.01", "--seed", "3")
    status, _, err = train(capsys, tmp_path / "run", *flags)
    assert status == 2
    line = err.splitlines()[-1]
    assert "the run was begun with epochs 3, not 4; learning_rate 0.001, not 0.01; " in line
    assert "seed 0, not 3: give the same, or another workdir" in line
    assert contents(tmp_path / "run", but=["lock"]) == before


def test_other_data_are_another_configuration(tmp_path, capsys, whole):
    shutil.copytree(whole, tmp_path / "run")
    status, _, err = train(capsys, tmp_path / "run", "--resume", "--dry-run")
    assert status == 2
    assert "data_crc32" in err


def test_what_is_not_given_is_as_the_run_was_begun(tmp_path, monkeypatch, capsys, whole):
    interrupted(monkeypatch, capsys, tmp_path, 3)
    assert status_of("train", "--resume", "--workdir", tmp_path) == 0
    same_run(tmp_path, whole)


def test_without_its_config_a_run_is_still_not_mistaken_for_another(tmp_path, capsys, whole):
    shutil.copytree(whole, tmp_path / "run")
    (tmp_path / "run/config.json").unlink()
    status, _, err = train(capsys, tmp_path / "run", "--resume", "--seed", "5")
    assert status == 2
    assert "begun with seed 0, not 5" in err
    assert steps_saved(tmp_path / "run") == steps_saved(whole)


CONFIGS = [
    "",
    "{",
    "[]",
    "[" * 10_000,
    '{"epochs": "many"}',
    '{"dataset": []}',
    "\x00",
    '{"learning_rate": 1' + "0" * 400 + "}",
    '{"model": null, "seed": {}}',
]


@pytest.mark.parametrize("text", CONFIGS)
def test_a_damaged_config_is_told_in_one_line(text, tmp_path, capsys, whole):
    shutil.copytree(whole, tmp_path / "run")
    (tmp_path / "run/config.json").write_text(text)
    status, out, err = call(capsys, "train", "--resume", "--workdir", tmp_path / "run")
    assert status == 2, out
    assert "Traceback" not in err


def files_of_a_checkpoint(folder):
    return sorted(p for p in folder.rglob("*") if p.is_file())


DAMAGES = {
    "cut off": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "a bit flipped": lambda content: (
        content[: (i := len(content) // 2)] + bytes([content[i] ^ 4]) + content[i + 1 :]
    ),
    "zeros": lambda content: bytes(len(content)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_named_set_aside_and_the_one_before_used(
    damage, tmp_path, capsys, whole
):
    """The largest file of the latest: the arrays' data."""
    shutil.copytree(whole, tmp_path / "run")
    latest = tmp_path / "run/checkpoints/69"
    file = max(files_of_a_checkpoint(latest), key=lambda path: path.stat().st_size)
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    status, out, err = train(capsys, tmp_path / "run", "--resume")
    assert (status, err) == (0, "")
    aside = tmp_path / "run/damaged/69"
    assert f"{latest} is damaged, and set aside as {aside}" in out
    assert "going on from step 46 of 69" in out
    assert aside.is_dir()
    same_run(tmp_path / "run", whole)


def test_where_all_are_damaged_it_starts_at_step_0(tmp_path, capsys, whole):
    shutil.copytree(whole, tmp_path / "run")
    for path in (tmp_path / "run/checkpoints").iterdir():
        shutil.rmtree(path / "arrays")
    status, out, _ = train(capsys, tmp_path / "run", "--resume")
    assert status == 0
    assert "starting at step 0" in out
    same_run(tmp_path / "run", whole)


def test_rows_that_are_missing_are_told_and_nothing_is_touched(tmp_path, capsys, whole):
    shutil.copytree(whole, tmp_path / "run")
    path = tmp_path / "run/metrics.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    before = contents(tmp_path / "run", but=["lock"])
    status, _, err = train(capsys, tmp_path / "run", "--resume")
    assert status == 2
    assert "has not a row for each of the 3 epochs" in err.splitlines()[-1]
    assert contents(tmp_path / "run", but=["lock"]) == before


def test_what_other_versions_have_saved_is_refused_and_not_called_damaged(tmp_path, capsys, whole):
    shutil.copytree(whole, tmp_path / "run")
    variables = flaxnets.MLP(num_classes=7).init(jax.random.key(0), np.zeros((1, 28, 28)))
    other = jax.tree.map(np.asarray, initial_state(variables))
    with pytest.raises(ValueError, match="is whole, but not of this training"):
        checkpoint.restore(tmp_path / "run", other, lambda about: None)
    assert steps_saved(tmp_path / "run") == steps_saved(whole)


def test_resume_needs_a_workdir(capsys):
    status, _, err = call(capsys, "train", "--resume")
    assert status == 2
    assert "--workdir" in err.splitlines()[-1]


# The disk is full from the first checkpoint on: no file may have more than 100 kB
ON_A_FULL_DISK = """
import resource, sys
from flaxnets.cli import program as cli
from flaxnets.runs.checkpoints import Checkpoints

save = Checkpoints.save

def full(self, *arguments):
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    save(self, *arguments)

Checkpoints.save = full
sys.exit(cli.main(sys.argv[1:]))
"""


def test_a_full_disk_leaves_the_checkpoints_before_it_whole(tmp_path, monkeypatch, capsys, whole):
    interrupted(monkeypatch, capsys, tmp_path, 11)  # in the last epoch
    before = steps_saved(tmp_path)
    command = ("-c", ON_A_FULL_DISK, "train", "--resume", "--workdir", tmp_path)
    status, _, err = run(*command, env={**os.environ, **UNCACHED})  # that disk would be full too
    assert status == 1
    reason = "cannot write a checkpoint, those before are whole: File too large"
    assert err == f"flaxnets train: error: {reason}\n"
    assert steps_saved(tmp_path) == before
    assert train(capsys, tmp_path, "--resume")[0] == 0
    same_run(tmp_path, whole)


def test_of_several_writes_that_fail_asyncio_reports_none_behind_the_error(caplog):
    log = logging.getLogger("asyncio")
    try:
        with pytest.raises(OSError), quiet():
            raise OSError("the first")
        log.error("Task exception was never retrieved\nfuture: <Task .../orbax/checkpoint/...>")
        log.error("Task exception was never retrieved\nfuture: <Task of somebody else>")
    finally:
        with quiet():  # which ends well
            pass
    assert [record.message.split()[-1] for record in caplog.records] == ["else>"]
    log.error("orbax/checkpoint: Task exception was never retrieved")
    assert len(caplog.records) == 2


def test_what_cannot_be_saved_is_not_called_saved(tmp_path):
    flags = ("--model", "mlp", "--epochs", "1000", "--batch-size", "1")
    command = ("-c", ON_A_FULL_DISK, "train", "--workdir", tmp_path, *flags)
    process = start(*command)
    wait_for((tmp_path / "steps.jsonl").exists, process)  # in the first epoch
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=HANGS)
    assert process.returncode == 1
    assert "is saved" not in out
    assert err.startswith("flaxnets train: error: cannot write a checkpoint")


def test_flaxnets_loads_what_an_interrupted_run_has(tmp_path, monkeypatch, capsys):
    interrupted(monkeypatch, capsys, tmp_path, 6)
    assert interop.load(tmp_path / "params.safetensors")

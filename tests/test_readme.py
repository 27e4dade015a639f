"""What the README says, by running it."""

import re
import shlex

import pytest
import torch
from helpers import PHOTOS, ROOT, call, run, status_of

from flaxnets.cli import program as cli
from flaxnets.parity.tutorials import TUTORIALS

README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands(program):
    lines = "".join(blocks("sh")).splitlines()
    return [line for line in lines if line.startswith(program)]


def test_the_readme_has_the_two_lines_that_ci_runs():
    lines = "".join(blocks("sh")).splitlines()
    assert "pip install -e . && python train.py" in lines
    assert "pip install -e '.[test]' && pytest" in lines


# What runs each line: a test of this file, .ci/run, or a test of what it names.
RUN = {
    "python train.py": "test_the_training_commands_run",
    "flaxnets": "test_the_other_commands_run",
    "ssh": "test_the_commands_for_several_hosts_are_ones_that_flaxnets_takes",
    "srun": "test_the_commands_for_several_hosts_are_ones_that_flaxnets_takes",
    "pip install": ".ci/run",
}


def test_every_command_is_run_by_something():
    lines = "".join(blocks("sh")).splitlines()
    ci = (ROOT / ".ci/run").read_text()
    for line in lines:
        (by,) = {by for program, by in RUN.items() if line.startswith(program)}
        assert by in globals() or line.partition(" && ")[0] + " &&" in ci, line


@pytest.mark.parametrize("command", [*commands("srun"), *commands("ssh")])
def test_the_commands_for_several_hosts_are_ones_that_flaxnets_takes(command):
    """What they do is tested in test_processes."""
    _, arguments = command.strip(" &").split("flaxnets ")
    options = cli._parsers()[0].parse_args(arguments.split())
    assert (options.command, options.distributed) == ("train", True)


def test_each_of_the_two_hosts_gets_the_same_command_with_its_own_number():
    first, second = (line.strip(" &").split()[2:] for line in commands("ssh"))
    assert first[:-1] == second[:-1]
    assert (first[-1], second[-1]) == ("0", "1")


def test_the_python_blocks_run_one_after_the_other(tmp_path):
    code = "\n".join(blocks("python"))
    assert code.count("training.fit") == 2
    status, out, err = run("-W", "error", "-c", code, cwd=tmp_path)
    assert status == 0, err
    assert "(conv1): Conv2d(1, 32, kernel_size=(3, 3), stride=(1, 1))" in out
    assert "Layer: conv1.weight | Size: (32, 1, 3, 3)" in out


@pytest.mark.parametrize("command", commands("python train.py"))
def test_the_training_commands_run(command, request, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "DIR" in command:
        command = command.replace("DIR", str(request.getfixturevalue("real_data")))
    _, _, *arguments = shlex.split(command)
    status, out, err = call(capsys, "train", *arguments, "--dry-run")
    assert (status, err) == (0, "")
    assert out.splitlines()[-1].startswith("test accuracy: ")


@pytest.mark.parametrize("command", commands("flaxnets"))
def test_the_other_commands_run(command, digits_run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/cnn").symlink_to(digits_run)
    (tmp_path / "photo.jpg").symlink_to(PHOTOS[3])
    torch.save({"model": TUTORIALS["mlp"].pair.net().state_dict()}, tmp_path / "checkpoint.pt")
    if "--resume" in command:
        assert status_of("train", "--model", "mlp", "--epochs", "1", "--workdir", "runs/mlp") == 0
    _, *arguments = shlex.split(command)
    status, out, err = call(capsys, *arguments)
    assert (status, err) == (0, "")
    if "photo.jpg" in command:
        assert out.startswith("photo.jpg: 3 (")
        assert (tmp_path / "seen.png").exists()


def test_bad_input_gives_the_exit_status_that_is_told(tmp_path):
    assert run(ROOT / "train.py", "--epochs", "0", cwd=tmp_path)[0] == 2
    assert not list(tmp_path.iterdir())

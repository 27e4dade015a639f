"""What the README, CONTRIBUTING and the pages of docs/ say, by running it."""

import importlib.util
import re
import shlex
import sys

import pytest
import torch
from helpers import PHOTOS, ROOT, call, run, status_of

from flaxnets.cli import program as cli
from flaxnets.parity.tutorials import TUTORIALS

README, CONTRIBUTING = ROOT / "README.md", ROOT / "CONTRIBUTING.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
COMMANDS = README, *DOCS  # CONTRIBUTING's run the tests


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


LINES = "".join(block for page in COMMANDS for block in blocks(page, "sh")).splitlines()


def commands(program):
    return [line for line in dict.fromkeys(LINES) if line.startswith(program)]


def test_the_readme_has_the_lines_that_ci_runs():
    lines = "".join(blocks(README, "sh")).splitlines()
    assert "pip install -e . && python train.py" in lines
    assert "pip install -e '.[test]' && pytest" in lines
    assert "pip install -e '.[notebooks]' && jupyter lab notebooks" in lines
    assert "pip install -e '.[docs]' && sphinx-build -W docs site" in lines


# What runs each line: a test of this file, .ci/run, or a test of what it names.
RUN = {
    "python train.py": "test_the_training_commands_run",
    "flaxnets": "test_the_other_commands_run",
    "ssh": "test_the_commands_for_several_hosts_are_ones_that_flaxnets_takes",
    "srun": "test_the_commands_for_several_hosts_are_ones_that_flaxnets_takes",
    "pip install": ".ci/run",
}


def test_every_command_is_run_by_something():
    ci = (ROOT / ".ci/run").read_text()
    for line in LINES:
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


def written(page, folder):
    """A file of the page's Python blocks, one after the other; on the page's own lines, for what is
    said of an error."""
    lines, inside = [], False
    for line in page.read_text().splitlines():
        lines.append(line if inside and line != "```" else "")
        inside = line == "```python" or (inside and line != "```")
    path = folder / f"{page.stem.lower()}_blocks.py"
    path.write_text("\n".join(lines))
    return path


def test_the_blocks_of_the_readme_run_in_a_process_of_their_own(tmp_path):
    status, out, err = run("-W", "error", written(README, tmp_path), cwd=tmp_path)
    assert status == 0, err
    accuracies = re.findall(r"^(\d+\.\d\d)%$", out, re.MULTILINE)
    assert len(accuracies) == 3 and float(accuracies[-1]) > 80


def executed(page, folder, monkeypatch):
    """The namespace that the blocks of a page leave."""
    path = written(page, folder)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)
    monkeypatch.chdir(folder)
    spec.loader.exec_module(module)
    return module


# What the blocks of a page print, among other things.
PRINTED = {
    "import": ["(conv1): Conv2d(1, 32, kernel_size=(3, 3), stride=(1, 1))", "(4, 1, 1, 64)"],
    "fit": ["0.0000", "['params', 'batch_stats']"],
    "interop": [
        "Layer: linear_relu_stack.0.weight | Size: (512, 784)",
        "['scale', 'blocks.0.weight', 'blocks.0.bias']",
    ],
    "compare": ["3 forward, evaluation"],
    "resume": ["23 "],
    "port": ["self.conv = layers.Conv2d(1, 3, 3)", "(7, 10)"],
    "data": ["(1437, 28, 28) uint8", "(1437,) (360, 28, 28)"],
}


@pytest.mark.parametrize("page", [p for p in DOCS if blocks(p, "python")], ids=lambda p: p.stem)
def test_the_blocks_of_a_page_run_one_after_the_other(page, tmp_path, capsys, monkeypatch):
    executed(page, tmp_path, monkeypatch)
    out = capsys.readouterr().out
    for text in PRINTED[page.stem]:
        assert text in out


def test_the_worked_examples_hold_and_a_mistake_in_them_is_seen(tmp_path, capsys, monkeypatch):
    page = executed(CONTRIBUTING, tmp_path, monkeypatch)
    assert capsys.readouterr().out.startswith("level 3: drop, float64\n")
    for level in (1, 3, 5, 7):
        (records,) = page.compare(page.PAIR, None, [level])
        assert records and all(record.passed for record in records)
        if level != 3:  # where the page has it itself
            failed = page.failures(page.mistaken, [level])
            assert bool(failed) == (level > 1)  # level 1 sees what a network has, not what it does

    class Uncounted(page.Scale):
        def __call__(self, x, train=False):
            return super().__call__(x, train=False)

    class Mislaid(page.Scale):
        def __call__(self, x, train=False):
            return super().__call__(x, train)[..., ::-1]

    for wrong in (Uncounted, Mislaid):
        with pytest.raises(AssertionError, match="off, bound"):
            page.check_layer(wrong(3), page.TorchScale(3), (4, 3))


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
    _, *arguments = shlex.split(command)
    (tmp_path / "runs").mkdir()
    if "--resume" in arguments:
        run_of_one = ("--model", "mlp", "--epochs", "1", "--workdir", *arguments[2:3])
        assert status_of("train", *run_of_one) == 0
    else:
        (tmp_path / "runs/cnn").symlink_to(digits_run)
    (tmp_path / "photo.jpg").symlink_to(PHOTOS[3])
    torch.save({"model": TUTORIALS["mlp"].pair.net().state_dict()}, tmp_path / "checkpoint.pt")
    (tmp_path / "my_net.py").write_text(blocks(ROOT / "docs/port.md", "python")[0])
    status, out, err = call(capsys, *arguments)
    assert (status, err) == (0, "")
    if "photo.jpg" in command:
        assert out.startswith("photo.jpg: 3 (")
        assert (tmp_path / "seen.png").exists()


def test_bad_input_gives_the_exit_status_that_is_told(tmp_path):
    assert run(ROOT / "train.py", "--epochs", "0", cwd=tmp_path)[0] == 2
    assert not list(tmp_path.iterdir())

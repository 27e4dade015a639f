"""What one sees on a terminal of 80 columns, and what a log has of it."""

import io
import os
import pathlib
import pty
import re
import shutil
import subprocess
import sys

import pytest
from helpers import ROOT

from flaxnets.cli import program as cli
from flaxnets.cli.terminal import coloured_verdict
from flaxnets.models import MODELS

GREEN_PASS, RED_FAIL = "\x1b[32mpass\x1b[0m", "\x1b[31mFAIL\x1b[0m"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def on_a_terminal(*arguments, cwd, **environment):
    """What a terminal gets of a command."""
    inherited = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "flaxnets", *arguments],
        cwd=cwd,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**inherited, **environment},
    )
    os.close(theirs)
    with os.fdopen(ours, "rb") as terminal:
        return terminal.read1(100_000).decode()


@pytest.mark.parametrize("command", [[], *([name] for name in cli.COMMANDS)])
def test_help_shows_an_example_that_exists_and_fits_80_columns(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit, match="0"):
        cli.main([*command, "--help"])
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out
    _, examples = out.split("examples:\n")
    shown = re.findall(r"^  flaxnets (.+)$", examples, re.MULTILINE)
    assert shown
    for line in shown:
        name, *arguments = line.split()
        assert name == (command or [name])[0]
        if arguments != ["--help"]:
            cli._parsers()[1][name].parse_args(arguments)  # else it exits


def test_what_argparse_refuses_names_the_help_and_other_bad_input_does_not(capsys):
    for arguments, message in (
        (["train", "--bogus"], "unrecognized arguments: --bogus (see flaxnets train --help)\n"),
        (["train", "--model", "x"], " (see flaxnets train --help)\n"),
        (["convert", "a.pt"], "are required: OUT (see flaxnets convert --help)\n"),
        (["--bogus"], "flaxnets: error: unrecognized arguments: --bogus (see flaxnets --help)\n"),
        (["train", "--epochs", "0"], "must be a whole number of at least 1, got 0\n"),
    ):
        with pytest.raises(SystemExit, match="2"):
            cli.main(arguments)
        out, err = capsys.readouterr()
        assert out == ""
        assert err.endswith(message)
        assert err.count("\n") == 1


def test_without_a_command_the_help_is_shown_as_for_bad_input(capsys):
    assert cli.main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == cli._parsers()[0].format_help()


@pytest.fixture
def in_an_empty_folder(tmp_path, monkeypatch):
    """And 80 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


def widest(command, capsys):
    assert cli.main(command) == 0
    return max(map(len, capsys.readouterr().out.splitlines()))


def test_train_predict_and_summary_fit_80_columns(in_an_empty_folder, capsys):
    flags = ["--epochs", "1", "--batch-size", "1000", "--log-interval", "1", "--plot"]
    shutil.copy(ROOT / "tests/photos/3.jpg", "photo.jpg")
    longest = max(MODELS, key=len)
    assert widest(["train", "--model", longest, *flags], capsys) <= 80
    (run,) = map(str, pathlib.Path("runs").iterdir())
    assert widest(["predict", run, "photo.jpg", "--show", "seen.png"], capsys) <= 80
    assert widest(["predict", run, "--index", "0", "359"], capsys) <= 80
    assert widest(["summary", run], capsys) <= 80


def test_a_row_has_its_verdict_in_colour_and_stays_as_it_is_without_one(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout", Terminal())
    assert coloured_verdict("mlp  3  FAIL\n  fc1  pass") == f"mlp  3  {RED_FAIL}\n  fc1  pass"
    assert coloured_verdict("mlp  3  pass") == f"mlp  3  {GREEN_PASS}"
    assert coloured_verdict("mlp  3 backward pass") == "mlp  3 backward pass"


def test_an_error_is_red_on_a_terminal_unless_no_color_is_set(tmp_path):
    command = ["convert", "absent.pt", "net.npz"]
    said = "absent.pt: there is no such file or folder\r\n"
    shown = on_a_terminal(*command, cwd=tmp_path)
    assert shown == f"\x1b[31mflaxnets convert: error:\x1b[0m {said}"
    plain = on_a_terminal(*command, cwd=tmp_path, NO_COLOR="1")
    assert plain == f"flaxnets convert: error: {said}"


def test_verdicts_of_parity_have_colour_on_a_terminal_alone(capsys, monkeypatch):
    command = ["parity", "--model", "mlp", "--level", "1"]
    assert cli.main(command) == 0
    plain = capsys.readouterr().out
    assert "\x1b" not in plain
    assert plain.splitlines()[1].endswith("  pass")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout", Terminal())
    assert cli.main(command) == 0
    row = sys.stdout.getvalue().splitlines()[1]
    assert row == plain.splitlines()[1].removesuffix("pass") + GREEN_PASS

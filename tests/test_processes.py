"""Several processes that train together, on loopback."""

import fcntl
import re
import signal
import socket

import numpy as np
import pytest
from helpers import (
    HANGS,
    call,
    idx_folder,
    rows,
    run,
    start,
    status_of,
    steps_saved,
    trained_in_double,
    wait_for,
    with_our_modules,
)
from survival import same_run

from flaxnets.runs import processes

FLAGS = ("--model", "mlp", "--epochs", "1", "--log-interval", "1", "--batch-size", "60")

SLOW = pytest.mark.slow
# What JAX says, on a page of its own, if it ends a process before we do: process 0 is gone.
JAX = "another task died"

IN_DOUBLE = """
import sys
import jax, numpy as np
coordinator, count, number, path = sys.argv[1:]
jax.distributed.initialize(coordinator, int(count), int(number))
from helpers import trained_in_double
found = trained_in_double()
if number == "0":
    np.savez(path, **found)
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return listener.getsockname()[1]


class Group:
    """Processes that work together."""

    def __init__(self):
        self.processes = []

    def train(self, count, *arguments, each=lambda number: ()):
        """So many, each with the arguments of all and some of its own."""
        address = f"localhost:{free_port()}"
        for number in range(count):
            self.start(
                "-m",
                "flaxnets",
                "train",
                "--distributed",
                "--coordinator",
                address,
                "--num-processes",
                count,
                "--process-id",
                number,
                *arguments,
                *each(number),
            )
        return self.processes[-count:]

    def start(self, *command):
        self.processes.append(start(*command, env=with_our_modules()))
        return self.processes[-1]


@pytest.fixture
def group():
    return Group()


def ends(process):
    out, err = process.communicate(timeout=HANGS)
    lines = out.splitlines(keepends=True)  # the library that CPUs talk by says that it is there
    return process.returncode, "".join(x for x in lines if not x.startswith("[Gloo]")), err


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The folder of the same run in one process."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    assert status_of("train", *FLAGS, "--workdir", folder) == 0
    return folder


def test_processes_train_as_one_does_and_only_the_first_writes(group, tmp_path, alone):
    together = group.train(2, *FLAGS, "--workdir", tmp_path / "run", "--plot")
    (status, out, err), other = [ends(process) for process in together]
    assert (status, err) == (0, "")
    assert "Using 2 cpu devices of 2 processes" in out
    assert other == (0, "", "")
    ours, theirs = (rows(folder / "steps.jsonl") for folder in (tmp_path / "run", alone))
    assert [row["step"] for row in ours] == [row["step"] for row in theirs]
    losses = np.array([[row["train_loss"] for row in found] for found in (ours, theirs)])
    np.testing.assert_allclose(*losses[:, :20], rtol=1e-5)  # float32
    # an epoch, whose last batch is not full: later, rounding alone moves them further
    np.testing.assert_allclose(*losses, rtol=1e-4)


@SLOW
def test_in_double_precision_parameters_are_those_of_one_process(group, tmp_path):
    count = 3  # which divides the batches of 30, and not the last one of 20
    address, path = f"localhost:{free_port()}", tmp_path / "found.npz"
    for number in range(count):
        group.start("-c", IN_DOUBLE, address, count, number, path)
    for process in group.processes:
        status, _, err = ends(process)
        assert status == 0, err
    found = np.load(path)
    for name, expected in trained_in_double().items():
        np.testing.assert_allclose(found[name], expected, rtol=0, atol=1e-10)  # as in test_devices


@pytest.mark.parametrize(("killed", "count"), [(0, 2), pytest.param(2, 3, marks=SLOW)])
def test_when_one_is_killed_the_others_say_so_stop_and_can_go_on(killed, count, group, tmp_path):
    flags = ("--model", "mlp", "--epochs", "400", "--workdir", tmp_path / "run")
    running = group.train(count, *flags)
    wait_for(lambda: steps_saved(tmp_path / "run"), running[0])
    running[killed].kill()
    for number, process in enumerate(running):
        status, _, err = ends(process)
        if number != killed:
            line = rf"process {number}: another process is lost, .*: go on with --resume\n"
            ours = status == 1 and re.fullmatch(line, err)
            assert ours or (killed == 0 and status and JAX in err), err
    first, *_ = group.train(count, *flags, "--resume")
    lines = [first.stdout.readline() for _ in range(2)]  # the other is Gloo's
    assert "going on from step" in "".join(lines)


def test_a_process_is_lost_after_the_ten_seconds_that_the_readme_states():
    assert processes.HEARTBEAT == 10


def test_bad_input_to_the_first_ends_all(group, tmp_path):
    """A workdir that is in use, which only the first looks at."""
    (tmp_path / "run").mkdir()
    with (tmp_path / "run/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        first, second = group.train(2, *FLAGS, "--workdir", tmp_path / "run")
        assert ends(first)[0] == 2
        status, _, err = ends(second)
    assert status
    assert "another process is lost" in err or JAX in err


def test_processes_with_other_settings_are_refused(group, tmp_path):
    seeds = {"each": lambda number: ("--seed", number)}
    both = group.train(2, *FLAGS, "--workdir", tmp_path / "run", **seeds)
    first, second = map(ends, both)
    assert second[0] == 2
    assert "process 0 has seed 0, not 1: give all processes the same" in second[2]
    assert first[0] == 1


def test_processes_that_nobody_joins_say_so(group):
    code = (
        "import sys; from flaxnets.cli import processes, program;"
        "processes.JOIN = 3; program.main(sys.argv[1:])"
    )
    address = ("--coordinator", f"localhost:{free_port()}", "--num-processes", 2)
    for number in range(2):
        process = group.start(
            "-c", code, "train", "--distributed", *address, "--process-id", number
        )
        status, _, err = ends(process)  # before the next one starts
        assert status == 2
        assert f"process {number} of 2: the others did not come together at localhost" in err


@SLOW
def test_processes_that_resume_look_for_the_data_where_the_first_had_them(group, tmp_path):
    data = ("--dataset", "mnist", "--data-dir", idx_folder(tmp_path / "data"))
    begun = ("--model", "mlp", "--epochs", "2", *data)
    for flags in (begun, ("--resume",)):
        for process in group.train(2, *flags, "--workdir", tmp_path / "run"):
            assert ends(process)[0] == 0


@SLOW
def test_a_signal_to_one_stops_all_and_the_run_goes_on_as_if_nothing_had_been(group, tmp_path):
    flags = ("--model", "mlp", "--epochs", "12", "--log-interval", "5")
    for process in group.train(2, *flags, "--workdir", tmp_path / "whole"):
        assert ends(process)[0] == 0
    both = group.train(2, *flags, "--workdir", tmp_path / "run")
    wait_for((tmp_path / "run/metrics.jsonl").exists, both[0])
    both[1].send_signal(signal.SIGTERM)
    assert [ends(process)[0] for process in both] == [143, 143]
    for process in group.train(2, *flags, "--workdir", tmp_path / "run", "--resume"):
        assert ends(process)[0] == 0
    same_run(tmp_path / "run", tmp_path / "whole")


BAD = [
    (("--distributed", "--device", "cpu"), "--device is for one process"),
    (("--coordinator", "localhost:1"), "belong together, with --distributed"),
    (("--distributed", "--process-id", "0"), "belong together, with --distributed"),
    (
        (
            "--distributed",
            "--coordinator",
            "localhost",
            "--num-processes",
            "2",
            "--process-id",
            "0",
        ),
        "'localhost' is not HOST:PORT",
    ),
    (
        ("--distributed", "--coordinator", "a:1", "--num-processes", "2", "--process-id", "2"),
        "process 2 is not one of 2: from 0 to 1",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_flags_that_do_not_fit_are_refused_in_one_line(arguments, message, capsys):
    status, _, err = call(capsys, "train", *arguments)
    assert (status, err.count("\n")) == (2, 1)
    assert message in err


def test_a_process_that_is_told_nothing_and_finds_nobody_is_refused_in_one_line(tmp_path):
    status, _, err = run("-m", "flaxnets", "train", "--distributed", cwd=tmp_path)
    assert status == 2
    assert "--distributed: the processes cannot be joined" in err.splitlines()[-1]

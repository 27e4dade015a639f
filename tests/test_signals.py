"""Signals to processes that train, and two processes that want the same workdir."""

import signal
import time

import pytest
from helpers import HANGS, call, start, steps_saved, wait_for

from flaxnets.runs import processes


def begun(folder, *arguments):
    """A process that trains."""
    return start("-m", "flaxnets", "train", "--workdir", folder, *arguments)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_saved_and_with_its_status(number, tmp_path):
    process = begun(tmp_path, "--model", "mlp", "--epochs", "1000")
    wait_for((tmp_path / "metrics.jsonl").exists, process)
    process.send_signal(number)
    out, err = process.communicate(timeout=HANGS)
    assert (process.returncode, err) == (128 + number, "")
    last = out.splitlines()[-1]
    step = int(last.split()[3])
    assert last.startswith(f"interrupted after step {step} of 23000, which is saved: go on with")
    assert steps_saved(tmp_path)[-1] == step


# After the first chunk there are compiled steps that take minutes, waited for as training does.
BUSY = """
import signal, sys, jax
from flaxnets.cli import program
from flaxnets.runs.recorder import Recorder

def busy(self, chunk):
    print("busy", flush=True)
    powers = jax.jit(lambda x: jax.lax.fori_loop(0, 2**31 - 1, lambda _, x: x @ x, x))
    powers(jax.numpy.ones((100, 100))).block_until_ready()

Recorder.write = busy
# a shell has it ignored by what it starts in the background
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(program.main(sys.argv[1:]))
"""


def test_a_second_ctrl_c_leaves_at_once_though_a_chunk_is_running(tmp_path):
    process = start("-c", BUSY, "train", "--model", "mlp", "--workdir", tmp_path)
    while line := process.stdout.readline():
        if line == "busy\n":
            break
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None  # the chunk's end is waited for
    deadline = time.monotonic() + HANGS
    while process.poll() is None:
        assert time.monotonic() < deadline, "it hangs"
        process.send_signal(signal.SIGINT)  # again, since two that come at once are one
        time.sleep(0.1)
    assert process.returncode == 130
    assert "interrupted after step" not in process.stdout.read()  # or the chunk ended by itself


def test_a_workdir_in_use_is_refused_until_its_process_is_dead(tmp_path, monkeypatch, capsys):
    flags = ("--model", "mlp", "--epochs", "10000")
    first = begun(tmp_path, *flags)
    wait_for(lambda: steps_saved(tmp_path), first)
    first.send_signal(signal.SIGSTOP)  # it lives, and takes no time from the others
    monkeypatch.setattr(processes, "first_signal", lambda _: signal.SIGTERM)  # one chunk of each
    assert call(capsys, "train", *flags, "--workdir", tmp_path)[0] == 2
    resume = ("train", *flags, "--workdir", tmp_path, "--resume")
    status, _, err = call(capsys, *resume)
    assert status == 2
    assert f"{tmp_path} is in use by another run, process {first.pid}" in err
    first.kill()
    first.communicate()
    status, out, _ = call(capsys, *resume)
    assert status == 143
    assert "going on from step" in out

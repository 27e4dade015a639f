"""The benchmarks run, and what is promised on speed was measured. No test times anything."""

import json
import subprocess
import sys

import pytest
from conftest import ROOT

SCRIPTS = (
    "training",
    "inference",
    "startup",
    "memory",
    "scaling",
    "precision",
    "loops",
    "time_to_99",
)


def run(*arguments):
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True
    )


@pytest.mark.slow
def test_all_scripts_run_in_a_small_size(real_data, tmp_path):
    result = run("benchmarks/all.py", "--data-dir", real_data, "--output", tmp_path, "--small")
    assert result.returncode == 0, result.stderr
    for name in SCRIPTS:
        found = json.loads((tmp_path / f"{name}.json").read_text())
        assert found["rows"], name
        assert {"device", "jax", "torch", "date"} <= found["environment"].keys()
    assert (tmp_path / "speed.png").read_bytes().startswith(b"\x89PNG")


def test_the_promises_are_kept_by_the_committed_results():
    result = run("benchmarks/check.py")
    assert result.returncode == 0, result.stdout + result.stderr
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["kept"] * 14


def test_a_promise_that_is_broken_is_named(tmp_path):
    for name in SCRIPTS:
        content = json.loads((ROOT / f"benchmarks/results/{name}.json").read_text())
        if name == "inference":
            content["rows"][0]["ratio"] = 0.5
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    result = run("benchmarks/check.py", tmp_path)
    assert result.returncode == 1
    assert "BROKEN inference" in result.stdout
    assert "0.50 x torch" in result.stdout


def test_what_was_not_measured_is_no_promise_kept(tmp_path):
    result = run("benchmarks/check.py", tmp_path)
    assert (result.returncode, result.stderr) == (1, "")
    assert result.stdout.startswith("not measured: ")

"""The benchmarks run, and what is promised on speed was measured. No test times anything."""

import itertools
import json
import re
import statistics

import pytest
from all import SMALL
from helpers import ROOT, run


@pytest.mark.slow
def test_all_scripts_run_in_a_small_size(real_data, tmp_path):
    arguments = ("--data-dir", real_data, "--output", tmp_path, "--small")
    status, _, err = run(ROOT / "benchmarks/all.py", *arguments)
    assert status == 0, err
    for name in SMALL:
        found = json.loads((tmp_path / f"{name}.json").read_text())
        assert found["rows"], name
        assert {"device", "jax", "torch", "date"} <= found["environment"].keys()
    assert (tmp_path / "overview.png").read_bytes().startswith(b"\x89PNG")


# What README and docs/speed.md say is not reached.
BROKEN = ["inference, cnn, batch 1"]


def test_the_promises_are_kept_by_the_committed_results_but_those_the_pages_name():
    lines = run(ROOT / "benchmarks/check.py")[1].splitlines()
    assert len(lines) == 15
    broken = [line.split("  ")[0] for line in lines if not line.startswith("kept ")]
    assert broken == [f"BROKEN {name}" for name in BROKEN]


def test_the_page_on_scaling_has_the_committed_points():
    rows = json.loads((ROOT / "benchmarks/results/devices.json").read_text())["rows"]
    page = (ROOT / "docs/scaling.md").read_text()
    for key, found in itertools.groupby(rows, lambda row: (row["model"], row["batch_size"])):
        cells = [f"{statistics.median(row['milliseconds']):.2f}" for row in found]
        assert f"| {key[0]} | {key[1]} | {' | '.join(cells)} |" in page
        one, two, four = map(float, cells[:3])  # t(1) / n + t(n) - t(1), as the page has it
        found = [one, one / 2 + two - one, one / 4 + four - one]
        if line := re.search(rf"\| {key[0].upper()}, batch {key[1]} (\|.*)", page):
            stated = [float(cell) for cell in re.findall(r"([0-9.]+) ms", line[1])]
            assert stated == pytest.approx(found, abs=0.06)  # rounded to one place


def test_a_promise_that_is_broken_is_named(tmp_path):
    for name in SMALL:
        content = json.loads((ROOT / f"benchmarks/results/{name}.json").read_text())
        if name == "inference":
            (row,) = [r for r in content["rows"] if (r["model"], r["batch_size"]) == ("mlp", 1000)]
            row["ratio"] = 0.5
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    status, out, _ = run(ROOT / "benchmarks/check.py", tmp_path)
    assert status == 1
    assert "BROKEN inference, mlp, batch 1000" in out
    assert "0.50 x torch" in out


def test_what_was_not_measured_is_no_promise_kept(tmp_path):
    status, out, err = run(ROOT / "benchmarks/check.py", tmp_path)
    assert (status, err) == (1, "")
    assert out.startswith("not measured: ")

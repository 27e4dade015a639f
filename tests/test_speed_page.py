"""docs/speed.md and the README's figures are those of the committed results."""

import json
import re
import statistics

import pytest
from helpers import ROOT

PAGE, README = (ROOT / "docs/speed.md").read_text(), (ROOT / "README.md").read_text()
NAMES = {"CNN": "cnn", "MLP": "mlp", "SoftmaxMLP": "softmax_mlp"}
DATASETS = {"digits": "digits", "MNIST": "mnist", "Fashion-MNIST": "fashion_mnist"}
COLUMNS = [
    ("training", 64),
    ("training", 128),
    ("training", 512),
    ("training", 4096),
    ("inference", 1),
    ("inference", 1000),
]


def rows(name):
    return json.loads((ROOT / f"benchmarks/results/{name}.json").read_text())["rows"]


def cells(page, begins):
    """Of the rows that begin so."""
    lines = [line for line in page.splitlines() if line.startswith(f"| {begins} |")]
    return [[cell.strip() for cell in line.split("|")[2:-1]] for line in lines]


def spread(model, dataset, epochs, side):
    """The accuracies of an experiment, and its median seconds."""
    key = f"{NAMES[model]}:{DATASETS[dataset]}:{epochs}"
    found = [row for row in rows("accuracy") if (row["row"], row["side"]) == (key, side)]
    low, *_, high = sorted(100 * row["accuracy"] for row in found)
    return f"{low:.2f}-{high:.2f} %", statistics.median(row["seconds"] for row in found)


EXPERIMENTS = re.findall(r"^\| (\w+) \| ([\w-]+) \| (\d+) \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("model", "dataset", "epochs"), EXPERIMENTS)
def test_accuracies_are_those_that_were_measured(model, dataset, epochs):
    (stated,) = (row for row in cells(PAGE, model) if row[:2] == [dataset, epochs])
    for accuracy, seconds, side in ((2, 4, "flaxnets"), (3, 5, "torch")):
        range_, median = spread(model, dataset, epochs, side)
        assert stated[accuracy] == range_
        assert float(stated[seconds]) == pytest.approx(median, abs=0.5)


def test_every_experiment_is_on_the_page():
    keys = {f"{NAMES[m]}:{DATASETS[d]}:{epochs}" for m, d, epochs in EXPERIMENTS}
    assert keys == {row["row"] for row in rows("accuracy")}


@pytest.mark.parametrize("model", NAMES)
def test_ratios_are_those_that_were_measured(model):
    (stated,) = (row for row in cells(PAGE, model) if "(" in row[0])
    for text, (script, batch) in zip(stated, COLUMNS, strict=True):
        (row,) = (r for r in rows(script) if (r["model"], r["batch_size"]) == (NAMES[model], batch))
        low, high = min(row["ratios"]), max(row["ratios"])
        assert text == f"{row['ratio']:.2f} ({low:.2f}-{high:.2f})"


def test_the_readme_repeats_the_page():
    on_page = {model: next(row for row in cells(PAGE, model) if "(" in row[0]) for model in NAMES}
    for begins, column in (
        ("training, batch 64", 0),
        ("inference, batch 1000", 5),
        ("inference, batch 1", 4),
    ):
        ((*stated, _),) = cells(README, f"speed of {begins}")
        assert stated == [on_page[model][column].split()[0] for model in NAMES]
    tutorials = [("MNIST", "3"), ("Fashion-MNIST", "10"), ("MNIST", "10")]
    for begins, place in (("test accuracy, three seeds", 2), ("the same in PyTorch", 3)):
        ((*stated, _),) = cells(README, begins)
        for model, experiment, range_ in zip(NAMES, tutorials, stated, strict=True):
            (row,) = (r for r in cells(PAGE, model) if tuple(r[:2]) == experiment)
            assert range_ == row[place]

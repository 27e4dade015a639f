"""docs/PARITY.md is true of the code: what takes seconds is measured again and held against it."""

import pytest
from helpers import ROOT, level_records

import flaxnets
from flaxnets.parity import compare, mutants, page, report
from flaxnets.parity.tutorials import TUTORIALS

README = (ROOT / "README.md").read_text()
PAGE = (ROOT / "docs/PARITY.md").read_text()
NAMES = list(flaxnets.MODELS)


def table(first_title):
    """The rows of the page's table that begins so, as dicts by their titles."""
    lines = PAGE[PAGE.index(f"| {first_title} |") :].split("\n\n")[0].splitlines()
    titles, _, *rows = [[cell.strip() for cell in line[1:-1].split(" | ")] for line in lines]
    return [dict(zip(titles, row, strict=True)) for row in rows]


def test_every_level_of_every_network_is_stated_and_passes():
    rows = table("model")
    assert {row["verdict"] for row in rows} == {"pass"}
    for name in NAMES:
        levels = [int(row["level"].split()[0]) for row in rows if row["model"] == name]
        assert sorted(set(levels)) == list(compare.LEVELS)
    assert "Every level holds." in PAGE


@pytest.mark.parametrize("name", NAMES)
def test_what_is_stated_of_levels_1_to_8_is_what_the_code_does(name):
    """The same rows and counts, all within their bounds; and what a row names has its bound. Which
    of a row's comparisons comes nearest to its bound depends on how a machine rounds."""
    compared = ("level", "lane", "compared", "verdict")
    records = [record for level in range(1, 9) for record in level_records(name, level)]
    groups = report.grouped(records)
    stated = [
        row for row in table("model") if row["model"] == name and int(row["level"].split()[0]) <= 8
    ]
    for row, group in zip(stated, groups, strict=True):
        now = dict(zip(report.TITLES, report.cells(group), strict=True))
        assert {key: row[key] for key in compared} == {key: now[key] for key in compared}
        (named,) = (record for record in group if record.name == row["where"])
        assert row["bound"] == report.limit(named)
        assert float(row["worst"]) <= named.bound
        if row["lane"] == "float64":  # a digit is more than rounding differs by
            assert float(now["worst"]) <= max(10 * float(row["worst"]), 1e-15), row["level"]


@pytest.mark.parametrize(
    ("level", "bound"), [(3, 1e-12), (5, 1e-12), (7, 1e-11), (8, 1e-11), (9, 1e-9)]
)
def test_float64_is_stated_under_the_bound_of_the_design(level, bound):
    rows = [
        row
        for row in table("model")
        if row["level"].startswith(f"{level} ") and row["lane"] == "float64" and row["bound"] != "-"
    ]
    assert [row["model"] for row in rows] == NAMES
    assert all(float(row["bound"]) == bound >= float(row["worst"]) for row in rows)


def test_the_page_is_of_the_real_data_at_the_seeds_of_the_code():
    for name, (_, _, (dataset, epochs, seeds)) in TUTORIALS.items():
        assert f"- {name}: {dataset}; level 10: {seeds} seeds a side, {epochs} epochs" in PAGE
        (outcome,) = (
            row for row in table("model") if row["model"] == name and row["level"] == "10 outcome"
        )
        assert outcome["where"].startswith(f"accuracy of {seeds} seeds, {epochs} epochs: ")
        assert outcome["where"].count("+-") == 2


def test_every_mutant_is_listed_and_was_seen_by_its_level():
    rows = table("change")
    listed = {row["change"]: row["must be seen by"].split()[0] for row in rows}
    assert listed == {m.name: str(m.level or "none") for m in mutants.mutants()}
    assert {row["verdict"] for row in rows} == {"pass"}


def test_the_page_has_the_words_of_the_code():
    assert PAGE.startswith(page.INTRODUCTION)
    assert page.MUTANTS in PAGE


@pytest.mark.parametrize(
    ("title", "levels"),
    [
        ("outputs in evaluation", (3, 5)),
        ("gradients of", (7,)),
        ("Adam, from", (8,)),
        ("loss at each step", (9,)),
    ],
)
def test_the_readme_repeats_the_largest_figures_of_the_page(title, levels):
    line = next(line for line in README.splitlines() if line.startswith(f"| {title}"))
    stated = [cell.strip() for cell in line.split("|")[2:-1]]
    for lane, (error, bound) in (("float64", stated[:2]), ("float32", stated[2:])):
        rows = [
            row
            for row in table("model")
            if int(row["level"].split()[0]) in levels
            and row["lane"] == lane
            and (row["bound"] == "-") == (bound == "-")
        ]
        largest = max(rows, key=lambda row: float(row["worst"]))
        assert float(error) == float(largest["worst"])
        assert bound == largest["bound"] == "-" or float(bound) == float(largest["bound"])


def test_the_pictures_are_there():
    for name in ("errors_by_layer", "initial_distributions", "loss_trajectories"):
        assert f"(pictures/{name}.png)" in PAGE
        assert (ROOT / f"docs/pictures/{name}.png").read_bytes().startswith(b"\x89PNG")

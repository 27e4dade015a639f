"""The table of docs/layers.md is that of the results, and those are of the layers as they are."""

import json

from draws import LAYERS
from helpers import ROOT
from layers import with_table

ROWS = json.loads((ROOT / "benchmarks/results/layers.json").read_text())["rows"]


def test_the_page_shows_what_was_found():
    page = (ROOT / "docs/layers.md").read_text()
    assert with_table(page, ROWS) == page


def test_every_layer_was_drawn_with_every_option_and_none_failed():
    assert [row["layer"] for row in ROWS] == list(LAYERS)
    for row in ROWS:
        layer = LAYERS[row["layer"]]
        assert (row["failed"], row["refused"]) == ("", sorted(layer.refused))
        assert {*row["exact"], *row["refused"]} >= set(layer.parameters(row["layer"]))
        assert row["draws"] >= 100


def test_no_error_of_float64_is_more_than_rounding():
    """1e-12, as each draw's check has it, but for what has a bound and its reason of its own."""
    for row in ROWS:
        own = {name for name, layer in LAYERS.items() if any(d.bounds for d in layer.examples)}
        if row["layer"] not in own:
            assert max(row["values"], row["gradients"], row["state"]) <= 1e-12, row

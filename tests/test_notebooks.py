"""The notebooks as they are committed: executed from top to bottom, with their pictures.

That they still run is seen by ``notebooks/run.py --check`` in .ci/run.
"""

import json

import pytest
from helpers import ROOT

NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))


def code(path):
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def outputs(path):
    return [output for cell in code(path) for output in cell["outputs"]]


def test_there_are_four():
    assert [path.name[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_was_executed_once_in_order_without_an_error_or_a_warning(path):
    assert [cell["execution_count"] for cell in code(path)] == list(range(1, len(code(path)) + 1))
    assert {output["output_type"] for output in outputs(path)} <= {
        "stream",
        "display_data",
        "execute_result",
    }
    assert not [output["text"] for output in outputs(path) if output.get("name") == "stderr"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_shows_pictures_and_asserts_what_it_says(path):
    pictures = [output for output in outputs(path) if "image/png" in output.get("data", {})]
    asserts = [cell for cell in code(path) if "assert" in "".join(cell["source"])]
    assert len(pictures) >= 3
    assert len(asserts) >= len(code(path)) / 3

"""The notebooks as they are committed: executed from top to bottom, with their pictures.

That they still run is seen by ``notebooks/run.py --check`` in .ci/run.
"""

import ast
import importlib
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


def without_magic(source):
    return "".join(line for line in source if line[:1] not in "%!")


def of_ours(path):
    """The names of our own that a notebook reads, as ``flaxnets.parity.recording.record_masks``."""
    trees = [ast.parse(without_magic(cell["source"])) for cell in code(path)]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    modules = {"flaxnets": "flaxnets"}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "flaxnets":
            modules |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    yield from modules.values()
    read = [node for node in nodes if isinstance(node, ast.Attribute)]
    owners = {node: node.value.id for node in read if isinstance(node.value, ast.Name)}
    yield from (f"{modules[o]}.{node.attr}" for node, o in owners.items() if o in modules)


def found(name):
    """What a dotted name is. Raises AttributeError if there is nothing."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            value = getattr(value, part)
        return value


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_all_that_a_notebook_reads_of_ours_is_there(path):
    names = {*of_ours(path)}
    assert len(names) > 3
    for name in names:
        found(name)

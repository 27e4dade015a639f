"""Who imports whom (the table of the design), and what importing the package loads."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import flaxnets

PACKAGE = Path(flaxnets.__file__).parent
# What each package or module may import beside itself: others, or single modules of them.
MAY_IMPORT = {
    "switch": set(),
    "layers": {"switch"},
    "losses": set(),
    "data": set(),
    "photos": set(),
    "plots": set(),
    "interop": {"layers.base", "layers.tree"},
    "training": {"switch"},
    "models": {"layers"},
    "saving": {"models", "interop"},
    "cost": {"layers", "training", "switch"},
    "parity": {"models", "layers", "losses", "interop", "training", "data"},
    "port": {"layers", "interop", "parity"},
    "runs": {"models", "saving", "interop", "training", "data"},
    "__init__": {"models", "layers", "losses", "interop", "data", "saving", "training"},
    "cli": {"*"},
    "__main__": {"cli"},
}
LAZY = ["torch", "tensorflow", "tensorflow_datasets", "sklearn", "orbax", "PIL", "matplotlib"]


def modules():
    """Every module of ours, by its name within the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(parts).removesuffix(".__init__"), path


MODULES = dict(modules())


def imported(path):
    """The modules of ours that a file imports, wherever in it; "" is the whole package."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    ours = {name.partition(".")[2] for name in found if name.split(".")[0] == "flaxnets"}
    return {name if name in MODULES else name.rpartition(".")[0] for name in ours}


def may_import(name, other):
    top, allowed = name.split(".")[0], MAY_IMPORT[name.split(".")[0]]
    whole = other.split(".")[0]
    return whole in {top, "", *allowed} or other in allowed or "*" in allowed


def test_every_module_imports_only_what_the_table_allows():
    for name, path in MODULES.items():
        surplus = {other for other in imported(path) if not may_import(name, other)}
        assert not surplus, f"{name} imports {surplus}"


def test_the_table_has_every_package_and_nothing_that_is_gone():
    assert {name.split(".")[0] for name in MODULES} == set(MAY_IMPORT)


def test_nothing_imports_in_a_circle():
    graph = {name: imported(path) & MODULES.keys() - {name} for name, path in MODULES.items()}
    assert list(TopologicalSorter(graph).static_order())  # raises CycleError


def test_nobody_imports_the_command_line():
    users = {
        name
        for name, path in MODULES.items()
        if any(other.startswith("cli") for other in imported(path))
    }
    assert {name.split(".")[0] for name in users} <= {"cli", "__main__"}


def test_the_check_sees_imports_inside_functions_and_of_single_modules(tmp_path):
    file = tmp_path / "x.py"
    file.write_text(
        "def f():\n    from flaxnets.models import CNN\n    from flaxnets import data\n"
        "from flaxnets.layers import base\nimport flaxnets.interop.files\n"
    )
    assert imported(file) == {"models", "data", "layers.base", "interop.files"}
    assert may_import("interop.held", "layers.base")
    assert not may_import("interop.held", "layers.linear")


def test_no_test_file_imports_another():
    for path in Path(__file__).parent.glob("*.py"):
        found = re.findall(r"^\s*(?:from|import) (test_\w+)", path.read_text(), re.MULTILINE)
        assert {*found} <= {path.stem}, path  # itself: in another process


def loaded_after(statement):
    code = f"import sys; {statement}; print(*sorted(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def test_importing_flaxnets_loads_no_heavy_library():
    assert not loaded_after("import flaxnets") & set(LAZY)


@pytest.mark.parametrize("statement", ["import flaxnets, matplotlib", "import flaxnets, PIL"])
def test_that_test_could_fail(statement):
    assert loaded_after(statement) & set(LAZY)


def test_importing_flaxnets_touches_no_device():
    code = (
        "import flaxnets, jax; from jax._src import xla_bridge; "
        "assert not xla_bridge.backends_are_initialized(); "
        "jax.devices(); assert xla_bridge.backends_are_initialized()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

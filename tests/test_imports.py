"""Who imports whom (the table of the design), and what importing the package loads."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import flaxnets

PACKAGE = Path(flaxnets.__file__).parent
MAY_IMPORT = {
    "convolution": set(),
    "interop.__init__": {"interop"},
    "interop.layout": set(),
    "interop.files": {"interop"},
    "interop.pickled": {"interop"},
    "interop.adam": {"interop"},
    "saving": {"interop", "models"},
    "data.__init__": {"data"},
    "data.splits": set(),
    "data.digits": {"data"},
    "data.idx": {"data"},
    "data.tfds": {"data"},
    "data.tfds_builder": {"data"},
    "batches": set(),
    "evaluation": {"batches"},
    "step": {"batches", "evaluation"},
    "schedules": set(),
    "config": {"schedules"},
    "reports": {"step"},
    "task": {"batches", "config", "evaluation", "reports", "schedules", "step"},
    "training": {"config", "evaluation", "reports", "step", "task"},
    "checkpoint.__init__": {"checkpoint"},
    "checkpoint.parts": {"reports"},
    "checkpoint.quiet_orbax": set(),
    "checkpoint.writing": {"checkpoint", "reports"},
    "checkpoint.restoring": {"checkpoint", "reports"},
    "module": set(),
    "plots": set(),
    "images": set(),
    "preparation": set(),
    "cost": {"batches", "evaluation", "step", "module"},
    "workdir": set(),
    "layers": {"convolution", "module"},
    "models": {"layers"},
    "__init__": {"models", "layers", "interop", "data", "saving", "training"},
    "parity.reference": set(),
}
# The command line may import anything; parity.* but for the reference anything but that.
FREE = {"cli", "__main__", "commands.__init__", "commands.train", "commands.progress",
        "commands.presets", "commands.compilation_cache", "commands.predict", "commands.summary",
        "commands.convert", "commands.parity", "commands.devices", "commands.interruption",
        "commands.colour", "commands.flags", "commands.lost_process", "commands.plan",
        "commands.processes", "commands.recorder", "commands.sources"}  # fmt: skip
LAZY = ["torch", "tensorflow", "tensorflow_datasets", "sklearn", "orbax", "PIL", "matplotlib"]


def imported(path):
    """The modules of ours that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names if node.module == "flaxnets" else {node.module}
    return {name.removeprefix("flaxnets.") for name in found if name.startswith("flaxnets")}


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        yield ".".join(path.relative_to(PACKAGE).with_suffix("").parts), path


def test_every_module_imports_only_what_the_table_allows():
    for name, path in modules():
        if name in FREE:
            continue
        if name not in MAY_IMPORT and name.startswith("parity."):
            assert not {"cli", "commands"} & {top.split(".")[0] for top in imported(path)}
            continue
        surplus = {top for top in imported(path) if top.split(".")[0] not in MAY_IMPORT[name]}
        if name == "__init__":
            surplus -= {"models." + net for net in ("CNN", "MLP", "MODELS", "SoftmaxMLP")}
        assert not surplus, f"{name} imports {surplus}"


def test_the_table_is_complete_and_names_nothing_that_is_gone():
    names = {name for name, _ in modules() if not name.startswith("parity.")}
    assert names | {"parity.reference"} == set(MAY_IMPORT) | FREE


def test_the_check_sees_imports_inside_functions(tmp_path):
    file = tmp_path / "x.py"
    file.write_text(
        "def f():\n    from flaxnets.models import CNN\n    from flaxnets import data\n"
    )
    assert imported(file) == {"models", "data"}


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

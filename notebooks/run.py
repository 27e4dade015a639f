"""Execute the notebooks, each from a clean kernel, and write their outputs into them.

    python notebooks/run.py
    python notebooks/run.py --check notebooks/01_build_the_network.ipynb

--check writes nothing: it only fails if a cell does. Three minutes for all on two cores.
"""

import argparse
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, DeadKernelError

HERE = Path(__file__).parent
SECONDS = 600  # a cell that takes longer hangs


def main() -> int:
    """Execute each, tell how long it took. Returns the exit status."""
    options = parse()
    failed = [path.name for path in options.notebooks if not execute(path, options.check)]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def execute(path: Path, check: bool) -> bool:
    """Whether all cells ran."""
    notebook, began = nbformat.read(path, as_version=4), time.perf_counter()
    # where it lies, so that its relative paths hold
    client = NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": HERE}})
    try:
        client.execute()
    except (CellControlSignal, DeadKernelError) as error:  # a cell's error, or its time is over
        print(f"{path.name}: {error}", file=sys.stderr)
        return False
    if not check:
        nbformat.write(without_times(notebook), path)
    print(f"{path.name}: {time.perf_counter() - began:.0f} s", flush=True)
    return True


def without_times(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """When each cell ran would make a change of every run."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    return notebook


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebooks", nargs="*", type=Path, default=sorted(HERE.glob("*.ipynb")))
    parser.add_argument("--check", action="store_true", help="write nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

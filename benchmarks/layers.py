"""Is every layer its twin in torch, in every option? What is the largest error?

    python benchmarks/layers.py --draws 300
    python benchmarks/layers.py --page

Draws options and inputs of each layer from a fixed seed and compares all that flaxnets checks, as
the tests do with a few draws: see layer_check.py. Prints a line a layer, and what a draw that fails
found. --page writes the table of docs/layers.md from the results. An hour on two cores.
"""

import argparse
import concurrent.futures
import json
import multiprocessing
import sys
from pathlib import Path
from typing import Any

import environment
import jax
from draws import LAYERS
from draws.draw import Draw
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from layer_check import check_layer, compared

PAGE = Path(__file__).parents[1] / "docs/layers.md"
BEGIN, END = "<!-- the table: python benchmarks/layers.py --page -->\n", "<!-- its end -->\n"


def main() -> int:
    """Print a line a layer, and save all. Returns 1 if a draw failed."""
    options = parse()
    if options.page:
        rows = json.loads(Path(options.output).read_text())["rows"]
        PAGE.write_text(with_table(PAGE.read_text(), rows))
        return 0
    saved = _saved(Path(options.output)) if options.layer else []
    rows = []
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(options.jobs, context) as pool:
        names = options.layer or list(LAYERS)
        for row in pool.map(tried, names, [options.draws] * len(names)):
            rows.append(row)
            print(_line(row), row["failed"], flush=True)
    environment.save(options.output, merged(saved, rows))
    return int(any(row["failed"] for row in rows))


def _saved(path: Path) -> list[dict[str, Any]]:
    """The rows of an earlier run, if there are some."""
    found: list[dict[str, Any]] = json.loads(path.read_text())["rows"] if path.exists() else []
    return found


def merged(saved: list[dict[str, Any]], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of these layers in place of those that were saved, in the layers' order."""
    found = {row["layer"]: row for row in (*saved, *rows)}
    return [found[name] for name in LAYERS if name in found]


def tried(name: str, draws: int) -> dict[str, Any]:
    """What came of so many draws of a layer."""
    layer, found = LAYERS[name], _Largest()

    @settings(
        max_examples=draws,
        derandomize=True,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(st.data())
    def check(data: st.DataObject) -> None:
        found.add(*layer.pair(name, (draw := data.draw(layer.draws)).arguments), draw)

    failed = ""
    try:
        check()
    except Exception as error:  # what fails is told, and the others go on
        failed = str(error)
    jax.clear_caches()
    return {
        "layer": name,
        "exact": layer.varied(name, found.draws),
        "refused": sorted(layer.refused),
        "draws": len(found.draws),
        **found.errors,
        "bounds": found.bounds,
        "failed": failed,
    }


class _Largest:
    """The largest errors of all draws, in float64."""

    def __init__(self) -> None:
        self.errors = {"values": 0.0, "gradients": 0.0, "state": 0.0}
        self.draws, self.bounds = list[Draw](), dict[str, float]()

    def add(self, ours: Any, theirs: Any, draw: Draw) -> None:
        """Of a draw. Raises AssertionError if it is no twin."""
        findings = list(compared(ours, theirs, draw))
        if not all(found.passed for found in findings):
            check_layer(ours, theirs, draw)
        self.draws.append(draw)
        self.bounds |= draw.bounds
        for name, error, _ in findings:
            kind = {"output": "values", "gradient": "gradients", "state": "state"}
            for word, of in kind.items():
                if f": {word}" in name and not name.startswith("float32"):
                    self.errors[of] = max(self.errors[of], error)


def with_table(page: str, rows: list[dict[str, Any]]) -> str:
    """The page with the table of these rows."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + table(rows) + END + rest.partition(END)[2]


def table(rows: list[dict[str, Any]]) -> str:
    """A line a layer, as Markdown."""
    lines = ["| layer | exact | refused | values | gradients | state |", "|" + " --- |" * 6]
    for row in rows:
        exact = ", ".join(f"`{option}`" for option in row["exact"]) or "(no options)"
        refused = ", ".join(f"`{option}`" for option in row["refused"])
        errors = " | ".join(_error(row[kind]) for kind in ("values", "gradients", "state"))
        lines.append(f"| `{row['layer']}` | {exact} | {refused} | {errors} |")
    return "\n".join(lines) + "\n"


def _error(error: float) -> str:
    return f"{error:.0e}".replace("e-0", "e-") if error else "0"


def _line(row: dict[str, Any]) -> str:
    errors = " ".join(f"{kind} {row[kind]:7.1e}" for kind in ("values", "gradients", "state"))
    return f"{row['layer']:24} {row['draws']:5} draws  {errors}"


def parse() -> argparse.Namespace:
    """The command line."""
    parser = environment.parser(__doc__, "layers.json", data=False)
    add = parser.add_argument
    add("--draws", type=int, default=300, help="of each layer (default: 300)")
    add("--layer", nargs="+", choices=LAYERS, help="only these, whose saved rows are replaced")
    add("--jobs", type=int, default=2, help="processes (default: 2)")
    add("--page", action="store_true", help="write the table of docs/layers.md, and draw nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

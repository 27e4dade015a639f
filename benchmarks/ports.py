"""Does every network of networks/ become its twin in Flax? How large is the source, and the error?

    python benchmarks/ports.py --jobs 2
    python benchmarks/ports.py --real --network resnet18 unet

Ports each, then runs all levels of parity in float64 and in float32 on the pair, at the example's
batch size and another. Prints a line a network. The rows of networks that are not named, or of the
other size, stay as they are in the results. The small ones take half an hour on two cores.
"""

import argparse
import ast
import concurrent.futures
import inspect
import json
import multiprocessing
import sys
import time
import traceback
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import environment
import networks
import torch

from flaxnets import port


def main() -> int:
    """Print a line a network, and save all. Returns 1 if one is not verified."""
    options = parse()
    names = options.network or list(networks.NETWORKS)
    rows = _rows(options.output)
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(
        options.jobs, context, max_tasks_per_child=1
    ) as pool:
        for row in pool.map(tried, names, [options.real] * len(names)):
            rows[row["network"], row["size"]] = row
            print(_line(row), flush=True)
            environment.save(options.output, [rows[key] for key in _ordered(rows)])
    size = _size(options.real)
    return int(any(rows[name, size]["verdict"] != "verified" for name in names))


def tried(name: str, real: bool) -> dict[str, Any]:
    """What came of a network."""
    network = networks.NETWORKS[name]
    torch.manual_seed(0)
    net = network.real() if real else network.small()
    example = network.real_example() if real else network.example()
    row = {"network": name, "size": _size(real), "verdict": "refused"}
    start = time.perf_counter()
    try:
        ported = port.port(net, example)
        row |= {"verdict": "crashed", "port_s": _since(start)}
        row |= {"source": needed(ported.source, type(ported.model).__name__)}
        row |= {"original": original(net)}
        start = time.perf_counter()
        report = ported.check()
    except port.Unsupported as error:
        return row | {"why": str(error)}
    except Exception as error:  # what crashes is told, and the others go on
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(frame.filename).name}:{frame.lineno}"
        return row | {"verdict": "crashed", "why": f"{type(error).__name__}: {error} ({where})"}
    return row | {"check_s": _since(start), **_findings(report)}


def _findings(report: Any) -> dict[str, Any]:
    """The verdict on a report, and where its error in float64 is largest."""
    failed = [f"{r.level} {r.lane} {r.name}" for r in report.records if not r.passed]
    worst = max((r for r in report.records if r.lane == "float64"), key=lambda r: r.error)
    return {
        "verdict": "verified" if report.passed else "failed",
        "why": "; ".join(failed),
        "error": float(worst.error),
        "where": f"level {worst.level}, {worst.name}",
        "levels": list(report.levels),
        "left_out": {str(level): why for level, why in report.left_out.items()},
    }


def original(net: torch.nn.Module) -> int:
    """The statements of what an author wrote for a network: its classes, and what these read."""
    kinds = {kind for module in net.modules() for kind in type(module).__mro__}
    files: dict[types.ModuleType, list[str]] = {}
    for kind in kinds:
        if not kind.__module__.startswith(("torch.", "builtins")):
            files.setdefault(inspect.getmodule(kind), []).append(kind.__name__)
    return sum(needed(inspect.getsource(file), *names) for file, names in files.items())


def needed(source: str, *names: str) -> int:
    """The statements of these definitions of a source, and of those that they read in it.

    Docstrings are none, and imports are not counted.
    """
    defined = dict(_definitions(ast.parse(source)))
    found, waiting = set[str](), [name for name in names if name in defined]
    while waiting:
        found.add(name := waiting.pop())
        read = {n.id for n in ast.walk(defined[name]) if isinstance(n, ast.Name)}
        waiting += (read & defined.keys()) - found - set(waiting)
    return sum(map(statements, {defined[name] for name in found}))


def _definitions(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Classes, functions and values of a module, by name."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name, node
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        yield from ((name.id, node) for name in targets if isinstance(name, ast.Name))


def statements(tree: ast.AST) -> int:
    """How many there are in it; docstrings are none."""
    return sum(isinstance(node, ast.stmt) and not _is_docstring(node) for node in ast.walk(tree))


def _is_docstring(node: ast.stmt) -> bool:
    is_constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_constant and isinstance(node.value.value, str)


def _rows(path: str | Path) -> dict[tuple[str, str], dict[str, Any]]:
    """What was saved, by network and size."""
    rows = json.loads(Path(path).read_text())["rows"] if Path(path).exists() else []
    return {(row["network"], row["size"]): row for row in rows}


def _ordered(rows: dict[tuple[str, str], Any]) -> list[tuple[str, str]]:
    names = list(networks.NETWORKS)
    known = [key for key in rows if key[0] in names]
    return sorted(known, key=lambda key: (key[1] == "real", names.index(key[0])))


def _size(real: bool) -> str:
    return "real" if real else "small"


def _since(start: float) -> float:
    return round(time.perf_counter() - start, 2)


def _line(row: dict[str, Any]) -> str:
    line = f"{row['network']:30} {row['size']:5} {row['verdict']:8}"
    if "source" in row:
        line += f" {row['source']:4} for {row['original']:3} statements  {row['port_s']:6.1f} s"
    if "error" in row:
        line += f" {row['check_s']:6.1f} s  {row['error']:7.1e} at {row['where']}"
    return f"{line}  {' '.join(row['why'].split())}".rstrip()


def parse() -> argparse.Namespace:
    """The command line."""
    parser = environment.parser(__doc__, "ports.json", data=False)
    add = parser.add_argument
    add("--network", nargs="+", choices=networks.NETWORKS, metavar="NAME", help="only these")
    add("--real", action="store_true", help="in the widths that they have elsewhere")
    add("--jobs", type=int, default=2, help="processes (default: 2)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

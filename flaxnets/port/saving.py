"""The folder of a port."""

from __future__ import annotations

import ast
import difflib
import os
import shutil
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from flax.traverse_util import flatten_dict

from flaxnets import interop
from flaxnets.parity.compare import LEVELS
from flaxnets.parity.report import Report, environment, left_out, table
from flaxnets.port.author import class_of

NETWORK, WEIGHTS, PAGE = "network.py", "weights.safetensors", "PARITY.md"
WIDTH = 100


class Origin(NamedTuple):
    """From what a port was made.

    Attributes:
        network: the network, as "``Net`` in ``my_net.py``".
        weights: whose weights they are, after "those".
    """

    network: str
    weights: str

    @classmethod
    def of(cls, net: torch.nn.Module) -> Origin:
        """Of a network that was given in Python."""
        kind: type = type(net)
        is_torchs = kind.__module__.startswith("torch.")
        where = "" if is_torchs else f" in ``{class_of(kind).file.name}``"
        return cls(f"``{kind.__name__}``{where}", "that the network had")


def save(
    folder: str | Path,
    source: str,
    variables: Mapping[str, Any],
    report: Report | None,
    origin: Origin,
) -> None:
    """Source and weights, and the proof if there is one. What is there of them is replaced.

    All is written beside the folder first: on a full disk what was there is as it was.

    Args:
        folder: it and those above it are made; other files in it stay.
        source, variables, report: as ``Ported`` has them.
        origin: for the header of the source.
    """
    path = Path(folder).resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.mkdir(exist_ok=True)
    try:
        _write(beside, source, variables, report, origin)
        if path.exists():
            (path / PAGE).unlink(missing_ok=True)  # never the proof of another network
            for name in (WEIGHTS, NETWORK, PAGE):
                if (beside / name).exists():
                    (beside / name).replace(path / name)
        else:
            beside.rename(path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _write(
    path: Path,
    source: str,
    variables: Mapping[str, Any],
    report: Report | None,
    origin: Origin,
) -> None:
    interop.save(path / WEIGHTS, arrays(variables))
    text = docstring(header(origin, report)) + parts(source)[1]
    (path / NETWORK).write_text(text, encoding="utf-8")
    if report is not None:
        (path / PAGE).write_text(page(origin, report), encoding="utf-8")


def arrays(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """By their names in the file: ``params/conv1/kernel``."""
    return {name: np.asarray(value) for name, value in flatten_dict(variables, sep="/").items()}


def header(origin: Origin, report: Report | None) -> list[str]:
    """Paragraphs: from what a port was made, and what is known of it."""
    torchs = torch.__version__.partition("+")[0]
    return [
        f"Ported from {origin.network} by flaxnets, with torch {torchs}.",
        f"The weights are those {origin.weights}.",
        "It was not checked." if report is None else f"{verdict(report)} See {PAGE}.",
    ]


def verdict(report: Report) -> str:
    """What was found, of a report of all levels or of some. Only if all were looked at and hold is
    a port called verified."""
    if not report.records:
        return "Nothing was compared."
    failed = {record.level for record in report.records if not record.passed}
    if failed:
        return f"NOT every level holds: not {_titles(failed)}."
    if {*report.levels, *report.left_out} != set(LEVELS):
        return f"Levels that held: {_titles(report.levels)}."
    lanes = sorted({r.lane for r in report.records if r.lane != "exact"}, reverse=True)
    how = f"in {' and '.join(lanes)}" if lanes else "exactly"
    on = "; ".join(report.settings.values())
    omitted = "; ".join(f"{_titles([n])}: {why}" for n, why in report.left_out.items())
    return (
        f"Verified beside torch's network, {how} ({on}). Every level holds: "
        f"{_titles(report.levels)}." + (f" Left out: {omitted}." if omitted else "")
    )


def _titles(levels: Any) -> str:
    return ", ".join(f"{number} ({LEVELS[number].title})" for number in sorted(levels))


def docstring(paragraphs: list[str]) -> str:
    """As the first of a module."""
    texts = [text.replace("\\", "\\\\").replace('"""', "'''") for text in paragraphs]
    filled = [textwrap.fill(text, WIDTH, break_on_hyphens=False) for text in texts]
    filled[0] = textwrap.fill(texts[0], WIDTH, initial_indent="   ")[3:]
    return '"""' + "\n\n".join(filled) + '\n"""\n'


def page(origin: Origin, report: Report) -> str:
    """The proof, as Markdown."""
    first, weights, found = header(origin, report)
    about = ", ".join(f"{key} {value}" for key, value in environment().items())
    named = [f"- {name}: {setting}" for name, setting in report.settings.items()]
    named += [f"- {left_out(*item).strip()}" for item in report.left_out.items()]
    title = f"# {', '.join(report.settings)} and its port"
    found = found.removesuffix(f" See {PAGE}.")
    about = f"Measured with {about}."
    paragraphs = [title, f"{first} {weights}", found, about, table(report), "\n".join(named)]
    return "\n\n".join(paragraphs).replace("``", "`") + "\n"


def parts(source: str) -> tuple[str, str]:
    """The docstring of a module, and the rest of it. Of what is no Python all is the rest."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return "", source
    if ast.get_docstring(tree) is None:
        return "", source
    lines = source.splitlines(keepends=True)
    end = tree.body[0].end_lineno or 0
    return "".join(lines[:end]), "".join(lines[end:])


def difference(folder: Path, source: str, variables: Mapping[str, Any]) -> list[str]:
    """What saving there would change: a unified diff, the header apart, and which weights."""
    path = folder / NETWORK
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    new = parts(text)[0] + parts(source)[1]
    lines = difflib.unified_diff(
        text.splitlines(), new.splitlines(), str(path), f"{path} (new)", lineterm=""
    )
    return [*lines, *_other_weights(folder / WEIGHTS, arrays(variables))]


def _other_weights(path: Path, new: dict[str, np.ndarray]) -> list[str]:
    if not path.exists():
        return []
    try:
        old = interop.load(path)
    except (ValueError, OSError):
        return [f"{path}: it cannot be read"]
    other = [name for name in new if name not in old or not _same(old[name], new[name])]
    other += [name for name in old if name not in new]
    return [f"{path}: {len(other)} of {len({*new, *old})} arrays differ"] if other else []


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())

"""A run's folder: every name in it, its lock, its rows, and how a file is replaced whole."""

import json
import os
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import IO, Any

from flaxnets.interop.files import replacing
from flaxnets.saving import PARAMS

CONFIG = "config.json"  # the settings, and where the data came from
METRICS, STEPS = "metrics.jsonl", "steps.jsonl"  # a row an epoch, and a row a report
CHECKPOINTS, DAMAGED = "checkpoints", "damaged"  # what to go on from; what of it was damaged
PICTURES = ("learning_curves.png", "confusion_matrix.png", "mistakes.png")
LOCK = "lock"  # alone it makes no run
RUN = (CONFIG, METRICS, STEPS, PARAMS, CHECKPOINTS, *PICTURES)


def check(path: str | os.PathLike[str], resume: bool = False) -> None:
    """Raise ValueError if a run cannot be written to this folder.

    Args:
        resume: the folder may hold the run that is to go on.
    """
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; the workdir must be a folder, new or without a run")
    if not resume and any((folder / name).exists() for name in RUN):
        raise ValueError(
            f"{folder} holds a run already: choose another workdir, remove it, or resume the run"
        )


def new(name: str) -> Path:
    """A new folder under ``runs``, of this name and the time."""
    base = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    for i in count(1):
        folder = Path("runs", base if i == 1 else f"{base}-{i}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise AssertionError("count does not end")


def lock(folder: Path) -> IO[str]:
    """A file that keeps other runs from the folder until it is closed, or its process is dead.

    Raises ValueError if another has it.
    """
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / LOCK).open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with file:
            file.seek(0)
            holder = file.read().strip() or "unknown"
        raise ValueError(
            f"{folder} is in use by another run, process {holder}: "
            "choose another workdir, or wait for its end"
        ) from None
    file.truncate(0)
    print(os.getpid(), file=file, flush=True)
    return file


def read_config(folder: Path) -> dict[str, Any]:
    """What config.json has; nothing if there is none. Raises ValueError if it is damaged."""
    path = folder / CONFIG
    if not path.is_file():
        return {}
    try:
        config = json.loads(path.read_text())
        if isinstance(config, dict):
            return config
    except (ValueError, RecursionError):
        pass  # said below
    raise ValueError(
        f"{path} is damaged, it is no JSON object: without it the run's settings must be given "
        "anew; remove it to do so"
    )


def write_config(folder: Path, config: Mapping[str, object]) -> None:
    """Write config.json, whole or not at all."""
    _write(folder / CONFIG, json.dumps(config, indent=1) + "\n")


def append(folder: Path, name: str, row: Mapping[str, object]) -> None:
    """Add a row to one of the folder's .jsonl files."""
    with (folder / name).open("a") as file:
        file.write(json.dumps(row) + "\n")


def read(folder: Path, name: str, step: int) -> list[dict[str, Any]]:
    """The rows of one of the folder's .jsonl files, of steps up to this one."""
    path = folder / name
    lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
    return [row for row in map(_row, lines) if row and row["step"] <= step]


def rewind(folder: Path, step: int) -> None:
    """Drop the rows of later steps, and what is no row, from the .jsonl files."""
    for name in (STEPS, METRICS):
        if (folder / name).is_file():
            rows = read(folder, name, step)
            _write(folder / name, "".join(json.dumps(row) + "\n" for row in rows))


def _row(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):  # the last line of a run that was killed
        return None
    return row if isinstance(row, dict) and isinstance(row.get("step"), int) else None


def _write(path: Path, text: str) -> None:
    with replacing(path) as file:
        file.write(text.encode())

"""The folder that a run is written to.

``config.json``, ``metrics.jsonl`` (a row an epoch), ``steps.jsonl`` (a row a report) and
``params.safetensors`` (torch's names and layout; rewritten whole at each epoch's end); with
``--plot`` three pictures.
"""

import json
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

FILES = ("config.json", "metrics.jsonl", "steps.jsonl", "params.safetensors",
         "learning_curves.png", "confusion_matrix.png", "mistakes.png")  # fmt: skip


def check(path: str | Path | None) -> None:
    """Raise ValueError if a new run cannot be written to this folder. None is always free."""
    if path is None:
        return
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; the workdir must be a folder, new or without a run")
    if any((folder / name).exists() for name in FILES):
        raise ValueError(f"{folder} holds a run already: choose another workdir, or remove it")


def create(path: str | Path | None, name: str, config: Mapping[str, Any]) -> Path:
    """Make the folder of a run, with its config.json.

    Args:
        path: the folder; None makes a new one under ``runs/`` with ``name`` and the time.
        config: what to write into config.json.

    Raises: as ``check`` does, and OSError if the folder cannot be written to.
    """
    check(path)
    folder = Path(path) if path else _new_folder(name)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "config.json").open("x") as file:  # x: two runs cannot both have it
        json.dump(config, file, indent=1)
        file.write("\n")
    return folder


def _new_folder(name: str) -> Path:
    base = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    for i in count(1):
        folder = Path("runs", base if i == 1 else f"{base}-{i}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise AssertionError("count does not end")


def append(folder: Path, name: str, row: Mapping[str, Any]) -> None:
    """Add a row to one of the folder's .jsonl files."""
    with (folder / name).open("a") as file:
        file.write(json.dumps(row) + "\n")

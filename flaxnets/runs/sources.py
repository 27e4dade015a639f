"""Where the data of a run came from: a run that goes on, and ``predict``, look there again."""

import argparse
import os
from collections.abc import Mapping
from typing import Any

FOLDERS = ("data_dir", "tfds_dir")


def fill(options: argparse.Namespace, recorded: Mapping[str, Any]) -> None:
    """Where neither folder is given, both are those of a recorded run on the same dataset.

    Raises ValueError if such a folder is gone.
    """
    if options.dataset != recorded.get("dataset") or any(_given(options).values()):
        return
    for name in FOLDERS:
        folder = recorded.get(name)
        if not isinstance(folder, str):  # null, or not recorded by an earlier version
            continue
        if not os.path.isdir(folder):
            raise ValueError(f"the run had its data from {folder}, which is no folder here: "
                             "give --data-dir or --tfds-dir")  # fmt: skip
        setattr(options, name, folder)


def absolute(options: argparse.Namespace) -> dict[str, str | None]:
    """The folders as a later command finds them, wherever it is called."""
    return {
        name: os.path.abspath(os.path.expanduser(folder)) if folder is not None else None
        for name, folder in _given(options).items()
    }


def _given(options: argparse.Namespace) -> dict[str, str | None]:
    return {name: getattr(options, name) for name in FOLDERS}

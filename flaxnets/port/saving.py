"""The folder of a port."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict
from safetensors.numpy import save_file

from flaxnets.parity.report import Report


def save(
    folder: str | Path, source: str, variables: Mapping[str, Any], report: Report | None
) -> None:
    """Source and weights, and the proof if there is one. What is there is replaced."""
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    arrays = {name: np.asarray(value) for name, value in flatten_dict(variables, sep="/").items()}
    save_file(arrays, path / "weights.safetensors")
    (path / "network.py").write_text(source)
    if report is not None:
        (path / "PARITY.md").write_text(f"```\n{report}\n```\n")

"""What a comparison gives."""

from typing import Any, NamedTuple

import numpy as np

from flaxnets.interop.layout import as_numpy


class Record(NamedTuple):
    """One comparison: the ``error`` of what ``name`` says, beside its ``bound``.

    It was made of the network ``model`` at a ``level`` and in a ``lane``, a precision.
    """

    model: str  # "cnn"
    level: int
    name: str  # what was compared: "fc1", "conv1.weight"
    lane: str  # the precision
    error: float
    bound: float

    @property
    def passed(self) -> bool:
        """NaN passes nothing."""
        return self.error <= self.bound


def relative_error(ours: Any, theirs: Any) -> float:
    """max|a - b| / max|b|, with b from torch; infinite if the shapes differ."""
    a, b = (np.asarray(as_numpy(side), np.float64) for side in (ours, theirs))
    if a.shape != b.shape:
        return float("inf")
    gap, scale = float(np.max(np.abs(a - b))), float(np.max(np.abs(b)))
    return gap / scale if scale else gap


def surprise(p: float) -> float:
    """-log10 of a p value, which may have become 0."""
    # In float64: SciPy may give a p value in the samples' float32, where 1e-300 is 0 too.
    return float(-np.log10(max(float(p), 1e-300)))

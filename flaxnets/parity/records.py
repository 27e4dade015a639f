"""What a comparison gives."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from flaxnets.interop.layout import as_numpy

# What is smaller, beside its layer's largest, may be what is left of terms that cancel: rounding.
SMALL = 1e-2


class LeftOut(Exception):
    """A level has no meaning for a pair; the message says why."""


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


def relative_error(ours: Any, theirs: Any, scale: float = 0.0) -> float:
    """max|a - b| / max|b|, with b from torch, or by ``scale``; infinite if the shapes differ.

    The same infinity on both sides, as a score that is masked has, is no error; NaN is one.
    """
    a, b = (np.asarray(as_numpy(side), np.float64) for side in (ours, theirs))
    if a.shape != b.shape:
        return float("inf")
    same = np.isinf(b) & (a == b)
    gap, scale = largest(np.where(same, 0, a) - np.where(same, 0, b)), scale or largest(b[~same])
    return gap / scale if scale else gap


def largest(array: Any) -> float:
    """max|a|; of nothing 0."""
    return float(np.max(np.abs(np.asarray(as_numpy(array), np.float64)), initial=0.0))


def layer_of(name: str) -> str:
    """The layer that torch's tensor of this name is of."""
    return name.rpartition(".")[0]


def layer_errors(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, float]:
    """The errors of tensors by torch's names.

    A tensor that is small beside its layer's largest is measured against that, and a layer that is
    small beside the whole's against the whole's: a bias before a BatchNorm has a gradient of zero,
    and a BatchNorm behind another one a mean of zero. Whole numbers, as of batches, are equal or
    not.
    """
    sizes = {name: _finite(b) for name, b in theirs.items() if not _is_whole(b)}
    layers: dict[str, float] = {}
    for name, size in sizes.items():
        layers[layer_of(name)] = max(size, layers.get(layer_of(name), 0.0))
    found = {}
    for name, b in theirs.items():
        if name not in ours:
            found[name] = float("inf")
        elif name not in sizes:
            found[name] = float(not np.array_equal(as_numpy(ours[name]), as_numpy(b)))
        else:
            scales = (sizes[name], layers[layer_of(name)], max(sizes.values()))
            found[name] = relative_error(ours[name], b, _scale(scales))
    return found


def _scale(sizes: Sequence[float]) -> float:
    """The first that is not small beside the next."""
    scale = sizes[0]
    for wider in sizes[1:]:
        scale = wider if scale < SMALL * wider else scale
    return scale


def _finite(array: Any) -> float:
    numbers = np.asarray(as_numpy(array), np.float64)
    return largest(numbers[np.isfinite(numbers)])


def _is_whole(array: Any) -> bool:
    return as_numpy(array).dtype.kind in "biu"


def surprise(p: float) -> float:
    """-log10 of a p value, which may have become 0."""
    # In float64: SciPy may give a p value in the samples' float32, where 1e-300 is 0 too.
    return float(-np.log10(max(float(p), 1e-300)))

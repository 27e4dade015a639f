"""What a comparison gives."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from flaxnets.interop.layout import as_numpy
from flaxnets.layers import Tensor

# What is smaller, beside its layer's largest, may be what is left of terms that cancel: rounding.
SMALL = 1e-2


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
    """max|a - b| / max|b|, with b from torch, or by ``scale``; infinite if the shapes differ."""
    a, b = (np.asarray(as_numpy(side), np.float64) for side in (ours, theirs))
    if a.shape != b.shape:
        return float("inf")
    gap, scale = float(np.max(np.abs(a - b))), scale or float(np.max(np.abs(b)))
    return gap / scale if scale else gap


def layer_of(name: str) -> str:
    """The layer that torch's tensor of this name is of."""
    return name.rpartition(".")[0]


def layer_errors(leaves: Sequence[Tensor], ours: Any, theirs: Any) -> dict[str, float]:
    """The errors of tensors at their places in two trees, by torch's names.

    A tensor that is small beside its layer's largest is measured against that, and a layer that is
    small beside the whole's against the whole's: a bias before a BatchNorm has a gradient of zero,
    and a BatchNorm behind another one a mean of zero. Whole numbers, as of batches, are equal or
    not.
    """
    pairs = {leaf.name: (_at(ours, leaf.path), _at(theirs, leaf.path)) for leaf in leaves}
    sizes = {name: float(np.max(np.abs(as_numpy(b)))) for name, (_, b) in pairs.items()}
    floats = {n: size for n, size in sizes.items() if not _is_whole(pairs[n][1])}
    layers: dict[str, float] = {}
    for name, size in floats.items():
        layers[layer_of(name)] = max(size, layers.get(layer_of(name), 0.0))
    found = {}
    for name, (a, b) in pairs.items():
        if name not in floats:
            found[name] = float(not np.array_equal(as_numpy(a), as_numpy(b)))
            continue
        scales = (sizes[name], layers[layer_of(name)], max(floats.values()))
        found[name] = relative_error(a, b, _scale(scales))
    return found


def _scale(sizes: Sequence[float]) -> float:
    """The first that is not small beside the next."""
    scale = sizes[0]
    for wider in sizes[1:]:
        scale = wider if scale < SMALL * wider else scale
    return scale


def _is_whole(array: Any) -> bool:
    return bool(np.issubdtype(as_numpy(array).dtype, np.integer))


def _at(tree: Any, path: Sequence[str]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def surprise(p: float) -> float:
    """-log10 of a p value, which may have become 0."""
    # In float64: SciPy may give a p value in the samples' float32, where 1e-300 is 0 too.
    return float(-np.log10(max(float(p), 1e-300)))

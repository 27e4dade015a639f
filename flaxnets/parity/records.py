"""What a comparison gives, and in which precisions it is made."""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from flaxnets.interop.layouts import as_numpy


class Record(NamedTuple):
    """One comparison."""

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


class Lane(NamedTuple):
    """A precision to compare in."""

    name: str
    dtype: Any
    epsilon: float  # the spacing of numbers at 1, in products
    precision: str

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        wide = self.dtype == jnp.float64
        with jax.enable_x64(wide), jax.default_matmul_precision(self.precision):
            yield


FLOAT64 = Lane("float64", jnp.float64, 2.0**-52, "highest")
FLOAT32 = Lane("float32", jnp.float32, 2.0**-23, "highest")
TF32 = Lane("tf32", jnp.float32, 2.0**-10, "default")  # what a GPU does when it is not told


def lanes() -> list[Lane]:
    """Those that this machine has."""
    return [FLOAT64, FLOAT32] + ([TF32] if jax.default_backend() == "gpu" else [])


def relative_error(ours: Any, theirs: Any) -> float:
    """max|a - b| / max|b|, with b from torch; infinite if the shapes differ."""
    a, b = (np.asarray(as_numpy(side), np.float64) for side in (ours, theirs))
    if a.shape != b.shape:
        return float("inf")
    gap, scale = float(np.max(np.abs(a - b))), float(np.max(np.abs(b)))
    return gap / scale if scale else gap

"""Which places of an axis a place of another size is made of, and by which weights: torch's rules.

They are torch's to the last rounding, in the precision of the computation: a source that falls
between two places falls to the same one. Its float32 kernels fuse a product with a sum.
"""

from typing import Any, NamedTuple

import numpy as np

SMALL = 128  # torch takes another kernel for maps whose height and width add up to no more


class Axis(NamedTuple):
    """An axis to be resized.

    ``factor`` is the one that is asked for, if one is; ``dtype`` is that of the computation.
    """

    places: int
    size: int
    factor: float | None
    dtype: np.dtype
    align_corners: bool = False

    @property
    def step(self) -> Any:
        """From place to place of the result, in places of the source."""
        number = self.dtype.type
        if self.align_corners:
            return number(self.places - 1) / number(max(self.size - 1, 1))
        return number(1 / self.factor) if self.factor else number(self.places) / number(self.size)

    @property
    def sources(self) -> np.ndarray:
        """Where the places of the result lie in the source, which begins at 0."""
        half = self.dtype.type(0 if self.align_corners else 0.5)
        place = np.arange(self.size).astype(self.dtype) + half
        # Float64 holds the product of two of float32: it is rounded once, as in torch.
        exact: np.ndarray = np.multiply(place, self.step, dtype=np.float64) - half
        return exact.astype(self.dtype)


def nearest(axis: Axis, is_small: bool) -> np.ndarray:
    """The place of the source that is taken for each of the result."""
    place = np.arange(axis.size)
    if is_small:
        return nearest_of_gradient(axis)
    return _floor(axis, place.astype(axis.dtype) * axis.step)


def nearest_of_gradient(axis: Axis) -> np.ndarray:
    """The place to which torch sends the gradient, which may be the next one."""
    place = np.arange(axis.size)
    if axis.size in (axis.places, 2 * axis.places):
        return place * axis.places // axis.size
    single = axis._replace(dtype=np.dtype(np.float32))
    return _floor(axis, place.astype(np.float32) * single.step)


def nearest_exact(axis: Axis, is_small: bool) -> np.ndarray:
    """As ``nearest``, of the middles of the places."""
    if is_small:
        return nearest_exact_of_gradient(axis)
    return _floor(axis, np.maximum(axis.sources, 0).astype(np.float64) + 0.5)


def nearest_exact_of_gradient(axis: Axis) -> np.ndarray:
    """As ``nearest_of_gradient``."""
    single = axis._replace(dtype=np.dtype(np.float32))
    return _floor(axis, (np.arange(axis.size) + 0.5) * np.float64(single.step))


def linear(axis: Axis) -> tuple[np.ndarray, np.ndarray]:
    """Two places and their weights for each of the result, (size, 2) both."""
    sources = np.maximum(axis.sources, 0)
    first = _floor(axis, sources)
    share = np.clip(sources - first.astype(axis.dtype), 0, 1)
    second = np.minimum(first + 1, axis.places - 1)
    return np.stack([first, second], 1), np.stack([1 - share, share], 1)


def cubic(axis: Axis) -> tuple[np.ndarray, np.ndarray]:
    """Four places and their weights for each of the result, (size, 4) both."""
    first = _floor(axis, axis.sources)
    share = np.clip(axis.sources - first.astype(axis.dtype), 0, 1)
    weights = [_far(share + 1), _near(share), _near(1 - share), _far(2 - share)]
    places = first[:, None] + np.arange(-1, 3)
    return np.clip(places, 0, axis.places - 1), np.stack(weights, 1)


def _near(x: np.ndarray) -> np.ndarray:
    found: np.ndarray = (1.25 * x - 2.25) * x * x + 1
    return found


def _far(x: np.ndarray) -> np.ndarray:
    found: np.ndarray = ((-0.75 * x + 3.75) * x - 6) * x + 3
    return found


def _floor(axis: Axis, sources: np.ndarray) -> np.ndarray:
    """Rounded to single precision first, whatever the dtype: so torch does it."""
    floor = np.floor(sources.astype(np.float32)).astype(np.int64)
    return np.minimum(floor, axis.places - 1)

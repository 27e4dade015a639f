"""Maps made larger or smaller."""

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from flaxnets.layers import sampling
from flaxnets.layers.adaptive import adaptive_avg_pool1d, adaptive_avg_pool2d
from flaxnets.layers.floating import single, widened
from flaxnets.layers.sampling import Axis
from flaxnets.layers.windows import along, as_maps, taken

Map = Callable[[jax.Array], jax.Array]

NEAREST = {
    "nearest": (sampling.nearest, sampling.nearest_of_gradient),
    "nearest-exact": (sampling.nearest_exact, sampling.nearest_exact_of_gradient),
}
WEIGHTED = {"linear": sampling.linear, "bilinear": sampling.linear, "bicubic": sampling.cubic}
RANKS = {"linear": (1,), "bilinear": (2,), "bicubic": (2,)}  # others take both
MODES = (*NEAREST, *WEIGHTED, "area")


def interpolate(
    x: jax.Array,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> jax.Array:
    """``torch.nn.functional.interpolate``: maps in another size.

    (N, H, W, C) -> (N, H', W', C), or (N, L, C) -> (N, L', C). Rounding of places is torch's, of
    its CPU, too. What is weighted is computed in single precision at least.

    Args:
        x: (N, H, W, C) or (N, L, C): of any dtype for the modes ``nearest`` and ``nearest-exact``,
            of a floating one for the others.
        size: H' and W', or one number for both.
        scale_factor: instead of that, what sizes are multiplied by; it is also the distance of
            the places that are read, even where the size had to be rounded.
        mode: ``nearest``, ``nearest-exact`` or ``area``, for rows ``linear``, for maps of a height
            and a width ``bilinear`` or ``bicubic``.
        align_corners: of the last three, whether the middles of the corners stay where they are.
        recompute_scale_factor: whether the distance comes from the sizes after all.
        antialias: torch's, of which only False is taken.

    Returns:
        The resized maps, of the dtype of ``x``.

    Raises:
        ValueError: for arrays of other shapes or dtypes, and for options that torch does not take
            together either.
        TypeError: for sizes that are no integers.
    """
    x = as_maps(x, *RANKS.get(mode, (1, 2)))
    _check_options(mode, align_corners, antialias)
    sizes, factors = _sizes(x, size, scale_factor, recompute_scale_factor)
    if mode == "area":
        return (adaptive_avg_pool1d if x.ndim == 3 else adaptive_avg_pool2d)(x, sizes)
    axes = {
        i: Axis(x.shape[i], out, factor, single(x.dtype), bool(align_corners))
        for i, out, factor in zip(range(1, x.ndim - 1), sizes, factors, strict=True)
    }
    return _nearest(x, axes, mode) if mode in NEAREST else _weighted(x, axes, mode)


def _check_options(mode: str, align_corners: bool | None, antialias: bool) -> None:
    if mode not in MODES:
        raise ValueError(f"mode {mode!r} is not one of {list(MODES)}")
    if mode not in WEIGHTED and align_corners is not None:
        raise ValueError(f"align_corners={align_corners} has no meaning in mode {mode}")
    if antialias:
        raise ValueError("antialias=True is not supported: resize by jax.image.resize")


def _sizes(
    x: jax.Array,
    size: int | Sequence[int] | None,
    scale_factor: float | Sequence[float] | None,
    recompute: bool | None,
) -> tuple[list[int], list[float | None]]:
    """The new size of each axis, and by which factor places are read."""
    places = x.shape[1:-1]
    if (size is None) == (scale_factor is None):
        raise ValueError(f"either size or scale_factor is needed, got {size} and {scale_factor}")
    if scale_factor is None:
        if recompute:
            raise ValueError("recompute_scale_factor has no meaning with a size")
        sizes = [*map(operator.index, _each("size", size, len(places)))]
        factors: list[float | None] = [None] * len(places)
    else:
        given = [float(factor) for factor in _each("scale_factor", scale_factor, len(places))]
        sizes = [int(n * factor) for n, factor in zip(places, given, strict=True)]
        factors = [None if recompute else factor for factor in given]
    if min(sizes) < 1:
        raise ValueError(f"size={size}, scale_factor={scale_factor} leave nothing of {x.shape}")
    return sizes, factors


def _each(name: str, number: Any, rank: int) -> tuple[Any, ...]:
    numbers = tuple(number) if isinstance(number, Sequence) else (number,) * rank
    if len(numbers) != rank:
        raise ValueError(f"{name} must be one number or {rank}, got {number}")
    return numbers


def _nearest(x: jax.Array, axes: dict[int, Axis], mode: str) -> jax.Array:
    of_values, of_gradient = NEAREST[mode]
    is_small = len(axes) == 2 and sum(axis.size for axis in axes.values()) <= sampling.SMALL
    for i, axis in axes.items():
        places, slopes = of_values(axis, is_small), of_gradient(axis)
        value: Map = functools.partial(_picked, i=i, places=places)
        if not np.array_equal(places, slopes):
            value = _with_slope(value, functools.partial(_picked, i=i, places=slopes))
        x = value(x)
    return x


def _picked(x: jax.Array, i: int, places: np.ndarray) -> jax.Array:
    """These places of an axis. Whole multiples are repeated: a tenth of the time on a CPU."""
    times = len(places) // x.shape[i]
    if np.array_equal(places, np.repeat(np.arange(x.shape[i]), times)):
        return jnp.repeat(x, times, i)
    return jnp.take(x, places, i, mode="clip")


def _weighted(x: jax.Array, axes: dict[int, Axis], mode: str) -> jax.Array:
    same = all(axis.places == axis.size for axis in axes.values())
    found: Map = functools.partial(_sums, axes=axes, mode=mode)
    if same and mode == "bicubic":  # by a factor near 1, which torch's gradient forgets
        found = _with_slope(found, lambda x: x)
    wide, dtype = widened("interpolate", x)
    return found(wide).astype(dtype)


def _sums(x: jax.Array, axes: dict[int, Axis], mode: str) -> jax.Array:
    for i, axis in reversed(axes.items()):
        if axis.places == axis.size and mode != "bicubic":
            continue
        places, weights = WEIGHTED[mode](axis)
        parts = [
            part * jnp.asarray(along(weight, i, x.ndim), x.dtype)
            for part, weight in zip(taken(x, i, places), weights.T, strict=True)
        ]
        x = functools.reduce(jnp.add, parts)
    return x


def _with_slope(value: Map, slope: Map) -> Map:
    """A linear map with another's derivative: in places torch's is not that of its values."""
    found = jax.custom_jvp(value)
    found.defjvp(lambda primals, tangents: (value(*primals), slope(*tangents)))
    return found

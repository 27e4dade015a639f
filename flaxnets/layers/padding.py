"""What is put around maps."""

import operator
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Sides = tuple[int, int]


def pad(
    x: jax.Array, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> jax.Array:
    """``torch.nn.functional.pad`` of maps: (N, H, W, C) -> (N, H', W', C).

    Args:
        x: (N, H, W, C) or (N, L, C), of any dtype.
        pad: as torch has them (left, right, top, bottom): how many places to put before and behind
            each axis, from the width on; then those for the channels, then for the batch, if the
            mode is ``constant``. Negative ones take places away.
        mode: ``constant``, ``reflect``, ``replicate`` or ``circular``.
        value: what is put there by ``constant``, 0 by default.

    Returns:
        The padded maps, of the dtype of ``x``.

    Raises:
        ValueError: for another mode, a ``value`` in another than ``constant``, a number of sides
            that does not fit the maps, and for sides that are too large for the mode, or that
            take more away than there is.
        TypeError: for sides that are no integers.
    """
    if mode not in ("constant", *MODES):
        raise ValueError(f"mode {mode!r} is not one of {['constant', *MODES]}")
    if mode != "constant" and value:
        raise ValueError(f"value={value} has no meaning in mode {mode}")
    if x.ndim not in (3, 4):
        raise ValueError(f"expected maps (N, L, C) or (N, H, W, C), got shape {x.shape}")
    x = jnp.asarray(x)
    places = [*range(x.ndim - 2, 0, -1)]
    axes = [*places, x.ndim - 1, 0] if mode == "constant" else places
    numbers = [operator.index(number) for number in pad]
    count, odd = divmod(len(numbers), 2)
    if odd or count > len(axes) or (mode != "constant" and count < len(places)):
        raise ValueError(f"pad={(*pad,)} does not fit maps {x.shape} in mode {mode}")
    sides = dict(zip(axes, zip(numbers[::2], numbers[1::2], strict=True), strict=False))
    if mode == "constant":
        return _constant(x, sides, 0 if value is None else value)
    for axis, both in sides.items():
        x = _copied(x, axis, both, mode)
    return x


def _constant(x: jax.Array, sides: dict[int, Sides], value: float) -> jax.Array:
    for axis, both in sides.items():
        if sum(min(side, 0) for side in both) + x.shape[axis] < 0:
            raise ValueError(f"pad={both} leaves less than nothing of axis {axis} of {x.shape}")
    edges = [(*sides.get(axis, (0, 0)), 0) for axis in range(x.ndim)]
    return lax.pad(x, jnp.asarray(np.asarray(value).astype(x.dtype)), edges)


def _copied(x: jax.Array, axis: int, both: Sides, mode: str) -> jax.Array:
    """Edges of copies around what stays: on a CPU a third of the time of copying the whole."""
    size, (before, after) = x.shape[axis], both
    left = range(max(-before, 0), size + min(after, 0))  # of the places; it may be empty
    most = {"reflect": size - 1, "circular": len(left)}.get(mode, max(both))
    if size == 0 or max(both) > most or size + before + after < 0:
        raise ValueError(f"pad={both} does not fit axis {axis} of maps {x.shape} in mode {mode}")
    wanted = np.arange(-before, size + after)
    edges = [MODES[mode](side, size, left) for side in (wanted[wanted < 0], wanted[wanted >= size])]
    first, last = (jnp.take(x, edge, axis, mode="clip") for edge in edges)
    kept = lax.slice_in_dim(x, left.start, max(left.start, left.stop), axis=axis)
    return jnp.concatenate([first, kept, last], axis)


def _reflected(place: np.ndarray, size: int, _: range) -> np.ndarray:
    found: np.ndarray = size - 1 - np.abs(size - 1 - np.abs(place))
    return found


def _replicated(place: np.ndarray, size: int, _: range) -> np.ndarray:
    found: np.ndarray = np.clip(place, 0, size - 1)
    return found


def _wrapped(place: np.ndarray, _: int, left: range) -> np.ndarray:
    """Round what is left once negative sides are taken away, as torch does it."""
    found: np.ndarray = left.start + (place - left.start) % max(len(left), 1)
    return found


# Which place of an axis is copied to one beyond its ends.
MODES: dict[str, Callable[[np.ndarray, int, range], np.ndarray]] = {
    "reflect": _reflected,
    "replicate": _replicated,
    "circular": _wrapped,
}

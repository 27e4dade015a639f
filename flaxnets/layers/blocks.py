"""What lies side by side, joined by blocks: in as few steps as their size has bits."""

from collections.abc import Callable

import jax
from jax import lax

Join = Callable[[jax.Array, jax.Array], jax.Array]


def folded(x: jax.Array, axis: int, join: Join) -> jax.Array:
    """What lies along an axis, joined in its order: by neighbours, then pairs of them, and so on.

    So many steps are as many as the bits of its size.
    """
    while (n := x.shape[axis]) > 1:
        first, second = (lax.slice_in_dim(x, i, n - n % 2, 2, axis) for i in (0, 1))
        pairs = join(first, second)
        last = lax.slice_in_dim(x, n - n % 2, n, axis=axis)
        x = lax.concatenate([pairs, last], axis) if n % 2 else pairs
    return lax.squeeze(x, [axis])


def joined(
    x: jax.Array, axis: int, kernel: int, dilation: int, span: int, stride: int, join: Join
) -> jax.Array:
    """What lies under windows that overlap, joined in its order: by blocks of 1, 2, 4, ... places.

    In as many steps, too.
    """
    found, begun, size = None, 0, 1
    while True:
        if kernel & size:
            at = begun * dilation
            part = lax.slice_in_dim(x, at, at + span, stride, axis)
            found, begun = part if found is None else join(found, part), begun + size
        if found is not None and begun == kernel:
            return found
        n, shift = x.shape[axis], size * dilation
        parts = (lax.slice_in_dim(x, i, n - shift + i, axis=axis) for i in (0, shift))
        x, size = join(*parts), 2 * size

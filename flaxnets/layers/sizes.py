"""Sizes as torch takes them: one number, or one for each axis."""

from collections.abc import Sequence


def tupled(size: int | Sequence[int], n: int) -> tuple[int, ...]:
    """A number for each of n axes. Raises ValueError for another count of them."""
    sizes = (size,) * n if isinstance(size, int) else tuple(size)
    if len(sizes) != n:
        raise ValueError(f"expected one number or {n}, got {size}")
    return sizes

"""Sizes as torch takes them: one number, or one for each axis."""

import operator
from collections.abc import Sequence


def tupled(name: str, size: int | Sequence[int], n: int, least: int = 1) -> tuple[int, ...]:
    """A number for each of n axes. Raises ValueError for another count of them, or smaller ones."""
    sizes = tuple(size) if isinstance(size, Sequence) else (size,) * n
    if len(sizes) != n or isinstance(size, str):
        raise ValueError(f"{name} must be one number{f' or {n}' * (n > 1)}, got {size!r}")
    if any(operator.index(number) < least for number in sizes):
        raise ValueError(f"{name} must be {least} or more, got {size}")
    return sizes

"""Inputs of a network that are described on the command line: ``4,20:int64:1000``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch

EXAMPLES = "1,3,32,32 or 4,20:int64:1000"


class Input(NamedTuple):
    """One argument of ``forward``.

    Attributes:
        shape: its sizes, the batch first.
        dtype: torch's name of it, "" for that of the network.
        high: whole numbers are drawn below it; None for all else.
    """

    shape: tuple[int, ...]
    dtype: str
    high: int | None


def parsed(text: str) -> Input:
    """``SHAPE[:DTYPE[:HIGH]]``, for argparse."""
    shape, _, rest = text.partition(":")
    dtype, _, high = rest.partition(":")
    try:
        sizes = tuple(int(size) for size in shape.split(","))
        found = Input(sizes, dtype, int(high) if high else None)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not as {EXAMPLES}") from None
    if min(sizes) < 1 or (high and int(high) < 1):
        raise argparse.ArgumentTypeError(f"{text!r}: sizes and bounds are at least 1")
    return found


def drawn(inputs: list[Input], net: torch.nn.Module) -> tuple[torch.Tensor, ...]:
    """Tensors like these, the same each time: normal, or whole numbers below their bound.

    Raises ValueError for a dtype that is none, and for whole numbers without a bound.
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    own = [p.dtype for p in net.parameters() if p.is_floating_point()]
    default = own[0] if own else torch.float32
    return tuple(_drawn(each, default, generator) for each in inputs)


def _drawn(each: Input, default: torch.dtype, generator: torch.Generator) -> torch.Tensor:
    import torch

    dtype = getattr(torch, each.dtype, None) if each.dtype else default
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"--input: torch has no dtype {each.dtype}")
    if dtype.is_floating_point or dtype.is_complex:
        if each.high is not None:
            raise ValueError(f"--input: a bound is for whole numbers, not for {each.dtype}")
        return torch.randn(each.shape, dtype=torch.float64, generator=generator).to(dtype)
    high = 2 if dtype is torch.bool else each.high
    if high is None:
        sizes = ",".join(map(str, each.shape))
        raise ValueError(f"--input: below which number? as {sizes}:{each.dtype}:1000")
    if dtype is not torch.bool and high - 1 > _most(dtype):
        raise ValueError(f"--input: {each.dtype} holds no numbers up to {high}")
    return torch.randint(high, each.shape, generator=generator).to(dtype)


def _most(dtype: torch.dtype) -> int:
    import torch

    try:
        return torch.iinfo(dtype).max
    except TypeError as error:  # of four bits, of quantized ones
        raise ValueError(f"--input: numbers of {dtype} cannot be drawn") from error

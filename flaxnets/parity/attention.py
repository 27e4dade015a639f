"""What torch's attention drops out, which it draws where no function is called."""

import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from flaxnets.interop.layout import as_numpy
from flaxnets.parity.drawn import Call, Drawn


def _asking_nobody(call: Any) -> Any:
    """A function of torch's that does not ask a mode first: called by that, it would for ever."""
    names = {**call.__globals__, "has_torch_function": lambda _: False}
    return types.FunctionType(call.__code__, names, argdefs=call.__defaults__)


multi_head_attention_forward = _asking_nobody(F.multi_head_attention_forward)


def by_attention(call: Call) -> Iterator[Drawn]:
    """Which weights a call of ``scaled_dot_product_attention`` has kept, (N heads, T, S).

    The same is drawn once more, and equal weights of an identity show it.
    """
    given = _named(call.args, call.kwargs)
    if not (p := float(given.get("dropout_p", 0.0))):
        return
    q, k = (torch.zeros_like(given[name]) for name in ("query", "key"))
    identity = torch.eye(k.shape[-2], dtype=k.dtype).expand(*k.shape[:-1], -1)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.set_rng_state(call.before)
        found = F.scaled_dot_product_attention(q, k, identity, dropout_p=p)
    keep: np.ndarray = as_numpy(found) != 0
    yield Drawn("", p, keep.reshape(-1, *keep.shape[-2:]))


def as_here(keep: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A mask that was recorded, as a place for one of this shape has it.

    That of attention has its examples and heads apart, and is no map whose channels lie last.
    """
    if len(shape) > keep.ndim == 3 and keep.shape[1:] == shape[-2:]:
        return keep.reshape(-1, *shape[1:])
    if len(shape) == keep.ndim == 4 and keep.shape[1:] != shape[1:]:
        moved = np.moveaxis(keep, -1, 1)
        return moved if moved.shape[1:] == shape[1:] else keep
    return keep


def _named(args: Any, kwargs: Any) -> dict[str, Any]:
    names = ("query", "key", "value", "attn_mask", "dropout_p")
    return {**dict(zip(names, args, strict=False)), **kwargs}

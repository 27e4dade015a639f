"""Tensors that are made in the call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from flaxnets.port.operation import Operation, Refused, Written
from flaxnets.port.rules.elementwise import DTYPES

Make = Callable[[Operation], Written | None]
RANDOM = "draw it outside, and give it to the network; dropout and stochastic depth are known"


def filled(function: str) -> Make:
    """``zeros`` and its like, of sizes."""

    def rule(op: Operation) -> Written:
        op.gives()
        sizes: Any = op["sizes"] or ()
        is_one = len(sizes) == 1 and not isinstance(sizes[0], int)
        shape = "{sizes}" if is_one else "({sizes},)"
        return op.written(f"{function}({shape}{_dtype(op)})")

    return rule


def like(function: str) -> Make:
    """``zeros_like`` and its like."""

    def rule(op: Operation) -> Written:
        op.gives(op.lies(op.input))
        return op.written(f"{function}({{input}}{_dtype(op)})")

    return rule


def _full(op: Operation) -> Written:
    op.gives()
    return op.written(f"jnp.full({{size}}, {{fill_value}}{_dtype(op)})")


def _range(op: Operation) -> Written:
    op.gives()
    names = ", ".join(f"{{{name}}}" for name in ("start", "end", "step") if name in op.nodes)
    return op.written(f"jnp.arange({names}{_dtype(op)})")


def _eye(op: Operation) -> Written:
    op.gives()
    return op.written(f"jnp.eye({{n}}{_dtype(op)})")


def _tensor(op: Operation) -> Written:
    op.gives()
    return op.written(f"jnp.asarray({{data}}{_dtype(op)})")


def _dtype(op: Operation) -> str:
    """As it was said, if it was; JAX's default is torch's."""
    dtype = op.event.kwargs.get("dtype")
    if isinstance(dtype, torch.dtype):
        return f", dtype={DTYPES[dtype]}"
    return ""


def _random(op: Operation) -> None:
    raise Refused("randomness in forward", RANDOM)


def _unneeded(op: Operation) -> None:
    """What is read is of torch's: a device, whether it has a gradient."""


_NEW = {"zeros": "jnp.zeros", "ones": "jnp.ones", "empty": "jnp.zeros"}
_RANDOM = (
    "rand randn randint rand_like randn_like randint_like bernoulli normal multinomial randperm"
)
_UNNEEDED = "__getdevice __getdtype __getis_cuda is_floating_point __getrequires_grad is_complex"

RULES: dict[str, tuple[str, Make]] = {
    **{name: ("*sizes", filled(ours)) for name, ours in _NEW.items()},
    **{f"{name}_like": ("input", like(f"{ours}_like")) for name, ours in _NEW.items()},
    **{f"new_{name}": ("input *sizes", filled(ours)) for name, ours in _NEW.items()},
    **dict.fromkeys(_RANDOM.split(), ("input", _random)),
    **{f"{name}_": ("input", _random) for name in ("bernoulli", "normal", "uniform", "random")},
    **dict.fromkeys(_UNNEEDED.split(), ("input", _unneeded)),
    "full": ("size fill_value", _full),
    "arange": ("start end step", _range),
    "eye": ("n m", _eye),
    "tensor": ("data", _tensor),
    "as_tensor": ("data", _tensor),
}

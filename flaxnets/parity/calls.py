"""The functions of torch that a call of a network calls."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from flaxnets.parity.layouts import Inputs
from flaxnets.parity.observe import run

# Of its float64 derivative torch takes the 1/6 in float32, which is 5e-9 off, 3e-8 of it.
ROUNDED_SIXTH = {F.hardsigmoid, torch._C._nn.hardsigmoid, torch._C._nn.hardsigmoid_}


class Function(NamedTuple):
    """A call of one."""

    function: Any
    args: Any
    kwargs: Any
    out: Any


class _Watching(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Function] = []

    def __torch_function__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = call(*args, **(kwargs or {}))
        self.seen.append(Function(call, args, kwargs or {}, out))
        return out


def functions(net: torch.nn.Module, inputs: Inputs) -> tuple[Any, list[Function]]:
    """The outputs of a call in evaluation, and what it called, in order."""
    with torch.no_grad(), _Watching() as watching:
        return run(net.eval(), inputs), watching.seen


def takes_a_rounded_sixth(net: torch.nn.Module, inputs: Inputs) -> bool:
    """Whether torch's own gradient of it is no better than float32."""
    return any(seen.function in ROUNDED_SIXTH for seen in functions(net, inputs)[1])

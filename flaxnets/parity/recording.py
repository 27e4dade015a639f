"""The dropout masks that torch draws in a call of a network, recorded."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from flaxnets.parity import attention
from flaxnets.parity.drawn import ALPHA, PLAIN, Call, Drawn, by_dropout
from flaxnets.parity.layouts import as_ours
from flaxnets.parity.noise import BERNOULLI, UNIFORM, Noise
from flaxnets.parity.recurrence import RECURRENT, by_recurrence

BY: dict[Any, Callable[[Call], Iterator[Drawn]]] = {
    **dict.fromkeys(PLAIN | ALPHA, by_dropout),
    **dict.fromkeys(RECURRENT, by_recurrence),
    F.scaled_dot_product_attention: attention.by_attention,
}


def record_masks(net: torch.nn.Module, run: Callable[[], Any]) -> tuple[Any, list[Drawn]]:
    """What a call of a network in training gives, and the masks that torch drew for it, in order.

    Raises ValueError for randomness of another kind, whose masks cannot be replayed.
    """
    drawn: list[Drawn] = []
    with _inside(net) as inside, _Recording(drawn, inside):
        return run(), drawn


class _Recording(TorchFunctionMode):
    """While it is entered, each mask that is drawn, by a module or by a function, is recorded."""

    def __init__(self, drawn: list[Drawn], inside: list[str]) -> None:
        super().__init__()
        self.drawn, self.inside, self.noise = drawn, inside, Noise()

    def __torch_function__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if call is F.multi_head_attention_forward:
            with self:  # this is called with the mode left, and drops out within
                return attention.multi_head_attention_forward(*args, **kwargs)
        before = torch.get_rng_state()
        out = call(*args, **kwargs)
        try:
            masks = list(self._masks(Call(call, args, kwargs, out, before)))
        except ValueError as error:
            where = self.inside[-1] or "the network"
            raise ValueError(f"{where} {error}: its randomness cannot be replayed") from None
        self.drawn.extend(mask._replace(name=self.inside[-1]) for mask in masks)
        return out

    def _masks(self, call: Call) -> Iterator[Drawn]:
        if call.function in BY:
            yield from BY[call.function](call)
            return
        chance = self.noise.chance(call.function, call.args, call.kwargs, call.out)
        if chance not in (None, 1):
            yield Drawn("", 1 - chance, as_ours(call.out.detach() != 0))
        is_known = call.function in UNIFORM | BERNOULLI
        if not is_known and not torch.equal(call.before, torch.get_rng_state()):
            raise ValueError(f"calls {call.function.__name__}")


@contextlib.contextmanager
def _inside(net: torch.nn.Module) -> Iterator[list[str]]:
    """The names of the modules that are being called, the innermost last."""
    stack = [""]
    hooks: list[Any] = []

    def leave() -> None:
        stack.pop()

    for name, module in net.named_modules():
        hooks.append(module.register_forward_pre_hook(lambda *_, name=name: stack.append(name)))
        hooks.append(module.register_forward_hook(lambda *_: leave()))
    try:
        yield stack
    finally:
        for hook in hooks:
            hook.remove()

"""A mask that torch drew, and those that its dropouts draw."""

import inspect
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from flaxnets.parity.layouts import as_ours

ALPHA = {F.alpha_dropout, F.feature_alpha_dropout, torch.alpha_dropout, torch.alpha_dropout_}
ALPHA |= {torch.feature_alpha_dropout, torch.feature_alpha_dropout_}
PLAIN = {F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, torch.dropout, torch.dropout_}
PLAIN |= {torch.feature_dropout, torch.feature_dropout_}


class Call(NamedTuple):
    """A call of a function of torch's: what it gave, and the random state before it."""

    function: Any
    args: Any
    kwargs: Any
    out: Any
    before: torch.Tensor


class Drawn(NamedTuple):
    """A mask that torch drew: the module in whose call, how often things go, and what was kept.

    Of a dropout also what it makes of a 1 that goes, and of one that is kept.
    """

    name: str
    p: float
    # of every element, in our layout; what the network draws itself as it is; of attention
    # (N heads, T, S)
    keep: np.ndarray
    of_ones: tuple[float, float] | None = None


def by_dropout(call: Call) -> Iterator[Drawn]:
    """The mask of a dropout: the same draw twice more, of zeros and of ones."""
    given = _arguments(call.function, call.args, call.kwargs)
    p = given["p"]
    if not given["training"] or p == 0:
        return
    blank, again = torch.zeros_like(given["input"]), []
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        for fill in (blank, blank + 1):
            torch.set_rng_state(call.before)
            again.append(call.function(fill, p, True))
    yield Drawn("", p, as_ours(again[0] != again[1]), _of_ones(call.function, p))


def _of_ones(call: Any, p: float) -> tuple[float, float] | None:
    if p == 1:
        return None
    if call in PLAIN:
        return 0.0, 1 / (1 - p)
    low = 1.7580993408473766  # SELU's scale times its alpha
    scale = 1 / math.sqrt((low**2 * p + 1) * (1 - p))
    return scale * low * (p - 1), scale * (1 + low * p)


def _arguments(call: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    if not inspect.isfunction(call):  # those in C have no signature, nor defaults
        named = {"training" if name == "train" else name: value for name, value in kwargs.items()}
        return {**dict(zip(("input", "p", "training"), args, strict=False)), **named}
    bound = inspect.signature(call).bind(*args, **kwargs)
    bound.apply_defaults()
    return dict(bound.arguments)

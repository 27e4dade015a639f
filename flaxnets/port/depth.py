"""Stochastic depth that an author wrote by hand, known by what it does."""

from __future__ import annotations

import copy

import torch

NAMES = ("drop_prob", "p", "drop_rate", "prob", "rate", "drop_path")
ROWS = 4096  # of which a quarter is dropped: 1024 on average, 28 more or less


def probability(module: torch.nn.Module) -> str | None:
    """The attribute that is the probability of ``StochasticDepth(p, "row")``; None if it is none.

    Whole examples must become 0 or be divided by what is left, as often as the attribute says, and
    in evaluation all must stay as it is.
    """
    holds = [*module.parameters(), *module.buffers(), *module.children()]
    names = [name for name in NAMES if isinstance(vars(module).get(name), int | float)]
    if holds or len(names) != 1 or isinstance(vars(module)[names[0]], bool):
        return None
    try:
        return names[0] if _drops_rows(module, names[0]) else None
    except Exception:  # it takes no single tensor, or whatever its author's code raises
        return None


def _drops_rows(module: torch.nn.Module, name: str) -> bool:
    own = copy.deepcopy(module)
    setattr(own, name, 0.25)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        x = torch.rand(ROWS, 3, 2, dtype=torch.float64) + 1
        stays = torch.equal(own.eval()(x), x)
        factors = (own.train()(x) / x).flatten(1)
    kept = factors[:, 0] != 0
    is_whole = torch.allclose(factors, factors[:, :1].expand_as(factors), rtol=1e-12)
    is_scaled = torch.allclose(factors[kept], torch.full_like(factors[kept], 4 / 3), rtol=1e-12)
    dropped = ROWS - int(kept.sum())
    return stays and is_whole and is_scaled and abs(dropped - ROWS / 4) < 6 * 28

"""Both sides by turns (A B A B), so that what else the machine does falls on both."""

import statistics
import time
from collections.abc import Callable

import jax

# Seconds between turns. The threads of one side go on spinning after their last work, OpenMP's for
# a fifth of a second, and would take a core from the other.
PAUSE = 0.3


def take_turns(sides: dict[str, Callable[[], float]], pairs: int) -> dict[str, list[float]]:
    """What each side gives at each of its turns, as images per second."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(pairs):
        for name, turn in sides.items():
            time.sleep(PAUSE)
            found[name].append(turn())
    return found


def compare(rates: dict[str, list[float]]) -> dict:
    """Ours beside the best of the others: the rates of both, and their ratio pair by pair."""
    ours, *others = rates
    best = max(others, key=lambda name: statistics.median(rates[name]))
    ratios = [a / b for a, b in zip(rates[ours], rates[best], strict=True)]
    return {
        "best_torch": best,
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "rates": rates,
    }


def variants(model: str, compiled: bool) -> list[str]:
    """The ways to train in PyTorch that are worth a try."""
    found = ["eager"] + (["channels_last"] if model == "cnn" else []) + ["fused"]
    return found + (["compile"] if compiled or jax.default_backend() == "gpu" else [])


HEAD = f"{'model':12} {'batch':>5} {'flaxnets':>10} {'torch':>10} {'ratio':>6}   of each pair"


def line(row: dict) -> str:
    """A row of the table: images per second, and the ratio with its spread."""
    ours, theirs = (statistics.median(row["rates"][k]) for k in ("flaxnets", row["best_torch"]))
    spread = f"{min(row['ratios']):.2f}..{max(row['ratios']):.2f}"
    return (
        f"{row['model']:12} {row['batch_size']:5} {ours:10,.0f} {theirs:10,.0f} "
        f"{row['ratio']:6.2f}   {spread} ({row['best_torch']})"
    )

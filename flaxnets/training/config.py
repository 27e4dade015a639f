"""The configuration of a training, and the learning rate of each of its steps."""

import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

SCHEDULES: dict[str, Callable[[float, int], optax.Schedule]] = {
    "constant": lambda rate, steps: optax.constant_schedule(rate),
    # torch's OneCycleLR with cycle_momentum=False: up from rate / 25 over 30 % of the steps, down
    # to almost nothing
    "one-cycle": lambda rate, steps: optax.cosine_onecycle_schedule(steps, rate),
}


@dataclass(frozen=True)
class Config:
    """How to train.

    Attributes:
        epochs: passes over the training set.
        batch_size: examples a step.
        test_batch_size: examples a batch in evaluation; it changes no result, only memory.
        learning_rate: Adam's, at its highest. Its other settings are the defaults of
            ``torch.optim.Adam``.
        schedule: how the rate runs over the steps, ``"constant"`` or ``"one-cycle"``, which is
            ``torch.optim.lr_scheduler.OneCycleLR`` with ``cycle_momentum=False``.
        seed: of the initial weights, the order of the examples, and dropout; in [0, 2**32).
        log_interval: steps between two reports of progress.

    Raises:
        ValueError: naming every value that is out of range.
    """

    epochs: int = 5
    batch_size: int = 64
    test_batch_size: int = 1000
    learning_rate: float = 1e-3
    schedule: str = "constant"
    seed: int = 0
    log_interval: int = 100

    def __post_init__(self) -> None:
        counts = ("epochs", "batch_size", "test_batch_size", "log_interval")
        offences = [
            f"{name} must be a whole number of at least 1, got {getattr(self, name)!r}"
            for name in counts
            if not (_is_whole(getattr(self, name)) and getattr(self, name) >= 1)
        ]
        if not _is_rate(self.learning_rate):
            offences.append(
                "learning_rate must be positive and finite, in single precision too, "
                f"got {self.learning_rate!r}"
            )
        if not (_is_whole(self.seed) and 0 <= self.seed < 2**32):
            offences.append(f"seed must be a whole number in [0, 2**32), got {self.seed!r}")
        if self.schedule not in tuple(SCHEDULES):
            offences.append(f"schedule {self.schedule!r} is not one of {', '.join(SCHEDULES)}")
        if offences:
            raise ValueError("; ".join(offences))


def _is_whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_rate(value: Any) -> bool:
    low, high = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
    if not isinstance(value, numbers.Real):
        return False
    number: Any = value  # float(value) of a huge integer overflows
    return bool(low <= number <= high)


def learning_rates(schedule: str, rate: float, steps: int, start: int, stop: int) -> jax.Array:
    """(stop - start,): the rates of steps ``start`` to ``stop`` of a training of so many steps.

    Args:
        schedule: its name in ``SCHEDULES``.
        rate: the highest.
    """
    found = SCHEDULES[schedule](rate, max(steps, 4))  # optax's cycle has four parts at least
    rates: jax.Array = jax.vmap(found)(jnp.arange(start, stop))
    return rates

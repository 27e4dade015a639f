"""The learning rate of each step, by the name of a schedule."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax

SCHEDULES: dict[str, Callable[[float, int], optax.Schedule]] = {
    "constant": lambda rate, steps: optax.constant_schedule(rate),
    # torch's OneCycleLR: up from rate / 25 over 30 % of the steps, down to almost nothing
    "one-cycle": lambda rate, steps: optax.cosine_onecycle_schedule(steps, rate),
}


def learning_rates(schedule: str, rate: float, steps: int) -> np.ndarray:
    """(steps,) float32: the rate of each step of a whole training, at most ``rate``."""
    found = SCHEDULES[schedule](rate, max(steps, 4))  # optax's cycle has four parts at least
    return np.asarray(jax.vmap(found)(jnp.arange(steps)), np.float32)

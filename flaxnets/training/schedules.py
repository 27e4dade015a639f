"""The learning rate of each step, by the name of a schedule."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

SCHEDULES: dict[str, Callable[[float, int], optax.Schedule]] = {
    "constant": lambda rate, steps: optax.constant_schedule(rate),
    # torch's OneCycleLR with cycle_momentum=False: up from rate / 25 over 30 % of the steps, down
    # to almost nothing
    "one-cycle": lambda rate, steps: optax.cosine_onecycle_schedule(steps, rate),
}


def learning_rates(schedule: str, rate: float, steps: int, start: int, stop: int) -> jax.Array:
    """(stop - start,): the rates of steps ``start`` to ``stop`` of a training of so many steps.

    Args:
        schedule: its name in ``SCHEDULES``.
        rate: the highest.
    """
    found = SCHEDULES[schedule](rate, max(steps, 4))  # optax's cycle has four parts at least
    rates: jax.Array = jax.vmap(found)(jnp.arange(start, stop))
    return rates

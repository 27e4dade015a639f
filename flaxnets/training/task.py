"""A training put together: all that it needs, checked, compiled and on the devices."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from flaxnets.training import call, checks
from flaxnets.training.batches import (
    Batch,
    Examples,
    arrange,
    find_mesh,
    place,
    replicate,
)
from flaxnets.training.call import Loss, Variables
from flaxnets.training.config import Config, learning_rates
from flaxnets.training.state import Snapshot, TrainState, initial_state
from flaxnets.training.step import epoch_order, run_steps

Stretch = tuple[int, Batch]
"""The batches of one size in a row, and the first one's step in the epoch."""


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """How many batches an epoch has, the last one perhaps not full.

    Args:
        examples: how many there are to train on.
        batch_size: examples a batch, at least 1.

    Returns:
        A whole number.
    """
    return -(-examples // batch_size)


class Task(NamedTuple):
    """What does not change in a training."""

    model: nn.Module
    loss: Loss
    optimizer: optax.GradientTransformation | None
    config: Config
    mesh: Mesh
    train: Examples
    test: Batch
    examples: tuple[int, int]  # to train on and to test on
    exact: bool  # statistics are taken of each batch: nothing may fill up the last one
    order_key: jax.Array
    dropout_key: jax.Array

    @property
    def size(self) -> int:
        """Examples a batch: small data make one."""
        return min(self.config.batch_size, self.examples[0])

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return steps_per_epoch(self.examples[0], self.size)

    def order(self, epoch: int) -> jax.Array:
        """(N,): in which an epoch takes the examples."""
        key = jax.random.fold_in(self.order_key, epoch)
        order: jax.Array = epoch_order(key, self.examples[0])
        return order

    def stretches(self, order: np.ndarray | jax.Array) -> list[Stretch]:
        """The batches of an epoch; where they must be exact, the last one by itself."""
        whole = len(order) // self.size * self.size
        if not self.exact or whole == len(order):
            return [(0, arrange(self.train, order, self.size, self.mesh))]
        last = arrange(self.train, order[whole:], len(order) - whole, self.mesh)
        return [
            (0, arrange(self.train, order[:whole], self.size, self.mesh)),
            (self.steps - 1, last),
        ]

    def rates(self, epoch: int) -> np.ndarray:
        """(steps,): the learning rates of an epoch."""
        start, total = (epoch - 1) * self.steps, self.config.epochs * self.steps
        of_epoch = (start, start + self.steps)
        config = self.config
        return np.asarray(learning_rates(config.schedule, config.learning_rate, total, *of_epoch))

    def run(
        self,
        stretches: Sequence[Stretch],
        rates: np.ndarray,
        state: TrainState,
        start: int,
        stop: int,
    ) -> tuple[TrainState, Any]:
        """The state after steps ``start`` to ``stop`` of an epoch, and the sum of their losses."""
        total: Any = 0.0
        for first, batches in stretches:
            count = len(batches.weights)
            part = [min(max(step - first, 0), count) for step in (start, stop)]
            if part[0] < part[1] or start == stop:  # to compile it, without a step
                of_task = (self.model, self.loss, self.optimizer, batches, self.dropout_key)
                state, added = run_steps(*of_task, rates[first : first + count], state, *part)
                total = total + added
        return state, total


def prepare(
    model: nn.Module,
    splits: Sequence[Sequence[Any]],
    config: Config,
    loss: Loss | None,
    variables: Variables | None,
    optimizer: optax.GradientTransformation | None,
    resume: Snapshot | None,
) -> tuple[Task, Snapshot]:
    """Everything on the devices, checked and compiled."""
    checks.check_splits(splits)
    checks.check_optimizer(optimizer, config)
    loss, mesh = loss or call.own_loss(model), find_mesh()
    train, test = (place(split, mesh) for split in splits)
    now = resume or _beginning(model, config, train, variables, optimizer)
    for split in (train, test):
        checks.check(model, loss, now.state.variables, split)
    n, n_test = len(train.labels), len(test.labels)
    test_size = min(config.test_batch_size, n_test)
    checks.check_evaluation(
        model, now.state.variables, test.images, test_size, mesh.size, "test_batch_size"
    )
    taken = call.statistics(now.state.variables)
    taken += call.mixing(model, now.state.variables, train.images)
    order_key, dropout_key = jax.random.wrap_key_data(jnp.asarray(now.keys))
    dropout_key, state = replicate((dropout_key, now.state), mesh)
    task = Task(
        model=model,
        loss=loss,
        optimizer=optimizer,
        config=config,
        mesh=mesh,
        train=train,
        test=arrange(test, np.arange(n_test), test_size, mesh),
        examples=(n, n_test),
        exact=bool(taken),
        order_key=order_key,
        dropout_key=dropout_key,
    )
    _check_batches(task, now.state.variables, taken)
    task.order(0)  # this and the next compile, outside of what is timed; no step is taken
    task.run(task.stretches(now.order), task.rates(1), state, 0, 0)
    return task, now._replace(state=state)


def _beginning(
    model: nn.Module,
    config: Config,
    train: Examples,
    variables: Variables | None,
    optimizer: optax.GradientTransformation | None,
) -> Snapshot:
    init_key, *keys = jax.random.split(jax.random.key(config.seed), 3)
    if variables:
        expected = jax.eval_shape(lambda: call.init(model, init_key, train.images[:1]))
        checks.check_variables(model, variables, expected)
    else:
        variables = call.init(model, init_key, train.images[:1])
    key_data = np.asarray(jax.random.key_data(jnp.stack(keys)))
    order = np.arange(len(train.labels))
    return Snapshot(initial_state(variables, optimizer), key_data, order, 0, 0, 0.0, 0.0)


def _check_batches(task: Task, variables: Variables, taken: Sequence[str]) -> None:
    """Of each size that there is, if nothing may fill up the last one."""
    sizes = {task.size, task.examples[0] % task.size or task.size} if task.exact else {task.size}
    if task.exact:
        checks.check_shares(sizes, task.mesh.size, taken)
    for size in sizes:
        checks.check_training(task.model, variables, task.train.images[:size])

"""A training: all that it needs, checked, compiled and on the devices, and an epoch of it."""

import functools
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from flaxnets.training.batches import (
    Batch,
    Examples,
    arrange,
    find_mesh,
    in_short,
    is_pair,
    place,
    replicate,
)
from flaxnets.training.config import Config
from flaxnets.training.evaluation import (
    Loss,
    Variables,
    check,
    evaluate_batches,
    mode,
    normalise,
    own_loss,
)
from flaxnets.training.reports import Chunk, Metrics, Snapshot
from flaxnets.training.schedules import learning_rates
from flaxnets.training.step import TrainState, epoch_order, initial_state, run_steps


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
    config: Config
    mesh: Mesh
    train: Examples
    test: Batch
    examples: tuple[int, int]  # to train on and to test on
    order_key: jax.Array
    dropout_key: jax.Array

    @property
    def size(self) -> int:
        """Of a batch: small data make one batch."""
        return min(self.config.batch_size, self.examples[0])

    @property
    def steps(self) -> int:
        """Of an epoch."""
        return steps_per_epoch(self.examples[0], self.size)

    def batches(self, order: np.ndarray | jax.Array) -> Batch:
        """Those of an epoch."""
        return arrange(self.train, order, self.size, self.mesh)

    def rates(self, epoch: int) -> np.ndarray:
        """(steps,): the learning rates of an epoch."""
        start, total = (epoch - 1) * self.steps, self.config.epochs * self.steps
        of_epoch = (start, start + self.steps)
        config = self.config
        return np.asarray(learning_rates(config.schedule, config.learning_rate, total, *of_epoch))


def prepare(
    model: nn.Module,
    splits: Sequence[Sequence[Any]],
    config: Config,
    loss: Loss | None,
    variables: Variables | None,
    resume: Snapshot | None,
) -> tuple[Task, Snapshot]:
    """Everything on the devices, checked and compiled."""
    if not (is_pair(splits) and all(map(is_pair, splits))):
        raise ValueError(
            "splits must be ((images, labels), (images, labels)), to train on and to test on; "
            f"got {in_short(splits)}"
        )
    loss, mesh = loss or own_loss(model), find_mesh()
    train, test = (place(split, mesh) for split in splits)
    now = resume or _beginning(model, config, train, variables)
    for split in (train, test):
        check(model, loss, now.state.variables, split)
    n, n_test = len(train.labels), len(test.labels)
    tests = arrange(test, np.arange(n_test), min(config.test_batch_size, n_test), mesh)
    order_key, dropout_key = jax.random.wrap_key_data(jnp.asarray(now.keys))
    dropout_key, state = replicate((dropout_key, now.state), mesh)
    task = Task(model, loss, config, mesh, train, tests, (n, n_test), order_key, dropout_key)
    _next_order(task, 0)  # this and the next compile, outside of what is timed; no step is taken
    _run(task, task.batches(now.order), task.rates(1), state, 0, 0)
    return task, now._replace(state=state)


def _beginning(
    model: nn.Module, config: Config, train: Examples, variables: Variables | None
) -> Snapshot:
    init_key, *keys = jax.random.split(jax.random.key(config.seed), 3)
    variables = variables or _init(model, init_key, train.images[:1])
    if list(variables) != ["params"]:
        raise ValueError(f"fit trains models that have only params, got {sorted(variables)}")
    key_data = np.asarray(jax.random.key_data(jnp.stack(keys)))
    order = np.arange(len(train.labels))
    return Snapshot(initial_state(variables["params"]), key_data, order, 0, 0, 0.0, 0.0)


def train_epoch(task: Task, now: Snapshot, epoch: int) -> Iterator[Chunk]:
    """Train the rest of an epoch."""
    began, n = time.perf_counter(), task.examples[0]
    if epoch > now.epoch:
        now = Snapshot(now.state, now.keys, _next_order(task, epoch), epoch, 0, 0.0, 0.0)
    batches, rates = task.batches(now.order), task.rates(epoch)
    for start in range(now.position, task.steps, task.config.log_interval):
        stop = min(start + task.config.log_interval, task.steps)
        state, loss_sum = _run(task, batches, rates, now.state, start, stop)
        where = f"training loss in epoch {epoch}, steps {start + 1} to {stop}"
        total = _finite(loss_sum, where)
        elapsed = time.perf_counter() - began
        now = now._replace(
            state=state,
            position=stop,
            loss_sum=now.loss_sum + total,
            seconds=now.seconds + elapsed,
        )
        images = min(stop * task.size, n) - start * task.size
        step = (epoch - 1) * task.steps + stop
        metrics = _metrics(task, now, step)
        yield Chunk(epoch, step, total / images, images / elapsed, metrics, now)
        began = time.perf_counter()


def _next_order(task: Task, epoch: int) -> jax.Array:
    key = jax.random.fold_in(task.order_key, epoch)
    order: jax.Array = epoch_order(key, task.examples[0])
    return order


def _run(
    task: Task, batches: Batch, rates: np.ndarray, state: TrainState, start: int, stop: int
) -> tuple[TrainState, jax.Array]:
    key = task.dropout_key
    state, loss_sum = run_steps(task.model, task.loss, batches, key, rates, state, start, stop)
    return state, loss_sum


def _metrics(task: Task, now: Snapshot, step: int) -> Metrics | None:
    """Of an epoch that has ended."""
    if now.position < task.steps:
        return None
    n, n_test = task.examples
    variables = now.state.variables
    tested = evaluate_batches(task.model, task.loss, variables, task.test, n_test)
    _finite(tested[0], f"test loss after epoch {now.epoch}")
    return Metrics(now.epoch, step, now.loss_sum / n, *tested, now.seconds, n / now.seconds)


@functools.partial(jax.jit, static_argnames="model")
def _init(model: nn.Module, key: jax.Array, images: jax.Array) -> Variables:
    return dict(model.init(key, normalise(images), **mode(model, False)))


def _finite(value: Any, what: str) -> float:
    if not math.isfinite(number := float(value)):
        raise FloatingPointError(
            f"the {what} is {number}: try a lower learning rate, or look for values "
            "in the images that are not finite"
        )
    return number

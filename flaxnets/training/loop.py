"""The loop: ``fit``, and the chunks of compiled steps that it is made of.

Python has work only once in ``Config.log_interval`` steps.
"""

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import flax.linen as nn
import jax
import optax

from flaxnets.training.call import Loss, Variables
from flaxnets.training.config import Config
from flaxnets.training.evaluation import evaluate_batches
from flaxnets.training.state import Chunk, Epoch, Metrics, Snapshot
from flaxnets.training.task import Task, prepare


def fit(
    model: nn.Module,
    splits: Sequence[Sequence[Any]],
    config: Config | None = None,
    *,
    loss: Loss | None = None,
    variables: Variables | None = None,
    optimizer: optax.GradientTransformation | None = None,
) -> Iterator[Epoch]:
    """Train, and evaluate after each epoch.

    Args:
        model: a linen module that maps a batch to outputs. It is told whether it trains by the
            argument, or the field, that it calls ``train``, ``training``, ``is_training`` or
            ``deterministic``. Collections such as ``batch_stats`` are changed in training and used
            as they are in evaluation; ``buffers`` stay as they are.
        splits: ``((images, labels), (images, labels))`` to train on and to test on, as from
            ``data.load`` or arrays of one's own. Images are (N, ...) in any shape that the model
            takes; those of uint8 are divided by 255, others, floating ones as a rule, are taken as
            they are. Labels are (N,) of an integer dtype for the networks of ``flaxnets.models``,
            and of any shape (N, ...) and dtype that another loss takes.
        config: epochs, batch size and so on.
        loss: maps outputs and labels of a batch to one loss an example, (N,). The networks of
            ``flaxnets.models`` have their tutorial's.
        variables: what to start from. By default ``model.init`` with the config's seed.
        optimizer: any of optax that takes gradients and parameters, with its schedule. By default
            Adam as the config has it. Evaluation uses the parameters that it steps, also where it
            keeps averages, as schedule-free ones do.

    Yields:
        After each epoch its state and metrics. What was yielded stays valid.

    Raises:
        TypeError: for images or labels that are no numbers, or a loss that does not take them.
        ValueError: for splits of another form, arrays, labels, variables or a loss that do not fit
            together; an optimizer beside a learning rate or schedule; a model within which
            something would not be told that it trains, or has statistics and a last batch, or a
            number of devices, from which they cannot be taken.
        FloatingPointError: as soon as a reported loss is not finite.
    """
    for chunk in chunks(model, splits, config, loss=loss, variables=variables, optimizer=optimizer):
        if chunk.metrics:
            yield Epoch(chunk.state, chunk.metrics)


def chunks(
    model: nn.Module,
    splits: Sequence[Sequence[Any]],
    config: Config | None = None,
    *,
    loss: Loss | None = None,
    variables: Variables | None = None,
    optimizer: optax.GradientTransformation | None = None,
    resume: Snapshot | None = None,
) -> Iterator[Chunk]:
    """Train as ``fit`` does, and report every ``config.log_interval`` steps of an epoch too.

    Args:
        model, splits, config, loss, variables, optimizer: as in ``fit``, with the same shapes and
            dtypes.
        resume: a snapshot of this training, to go on from. All else must be as it was.

    Yields:
        A ``Chunk`` every ``config.log_interval`` steps and at the end of an epoch, which has the
        epoch's metrics too. What was yielded stays valid. The images are (N, ...), as ``fit`` says.

    Raises: as ``fit`` does.
    """
    task, now = prepare(model, splits, config or Config(), loss, variables, optimizer, resume)
    for epoch in range(max(now.epoch, 1), task.config.epochs + 1):
        for chunk in _epoch(task, now, epoch):
            yield chunk
            now = chunk.snapshot


def _epoch(task: Task, now: Snapshot, epoch: int) -> Iterator[Chunk]:
    """Train the rest of an epoch."""
    began, n = time.perf_counter(), task.examples[0]
    if epoch > now.epoch:
        now = Snapshot(now.state, now.keys, task.order(epoch), epoch, 0, 0.0, 0.0)
    stretches, rates = task.stretches(now.order), task.rates(epoch)
    for start in range(now.position, task.steps, task.config.log_interval):
        stop = min(start + task.config.log_interval, task.steps)
        state, loss_sum = task.run(stretches, rates, now.state, start, stop)
        total = _finite(loss_sum, f"training loss in epoch {epoch}, steps {start + 1} to {stop}")
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


def _metrics(task: Task, now: Snapshot, step: int) -> Metrics | None:
    """Of an epoch that has ended."""
    if now.position < task.steps:
        return None
    n, n_test = task.examples
    variables = now.state.variables
    tested = evaluate_batches(task.model, task.loss, variables, task.test, n_test)
    _finite(tested[0], f"test loss after epoch {now.epoch}")
    return Metrics(now.epoch, step, now.loss_sum / n, *tested, now.seconds, n / now.seconds)


def _finite(value: Any, what: str) -> float:
    # while it is waited for so, Python's handlers of signals run
    if not math.isfinite(number := float(jax.block_until_ready(value))):
        raise FloatingPointError(
            f"the {what} is {number}: try a lower learning rate, or look for values "
            "in the images that are not finite"
        )
    return number

"""Training: the configuration, the loop over epochs, ``fit``.

Steps run in compiled chunks (``flaxnets.step``), so that Python has work only once in
``Config.log_interval`` steps.
"""

import functools
import math
import numbers
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from flaxnets.evaluation import (
    Examples,
    Loss,
    Variables,
    apply,
    are_classes,
    evaluate,
    mode,
    normalise,
    own_loss,
    predict,
    to_device,
)
from flaxnets.schedules import SCHEDULES, learning_rates
from flaxnets.step import TrainState, epoch_order, initial_state, run_steps, train_step

__all__ = [
    "Chunk",
    "Config",
    "Epoch",
    "Metrics",
    "TrainState",
    "chunks",
    "evaluate",
    "fit",
    "predict",
    "steps_per_epoch",
    "train_step",
]


@dataclass(frozen=True)
class Config:
    """How to train.

    Attributes:
        epochs: passes over the training set.
        batch_size: examples a step.
        test_batch_size: examples a batch in evaluation; it changes no result, only memory.
        learning_rate: Adam's, at its highest. Its other settings are torch's defaults.
        schedule: how the rate runs over the steps, ``"constant"`` or ``"one-cycle"``, which is
            torch's ``OneCycleLR`` with ``cycle_momentum=False``.
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
        if self.schedule not in SCHEDULES:
            offences.append(f"schedule {self.schedule!r} is not one of {', '.join(SCHEDULES)}")
        if offences:
            raise ValueError("; ".join(offences))


def _is_whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_rate(value: Any) -> bool:
    low, high = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
    return isinstance(value, numbers.Real) and low <= float(value) <= high


class Metrics(NamedTuple):
    """What is known at the end of an epoch."""

    epoch: int  # from 1
    step: int  # steps taken since the beginning
    train_loss: float  # the mean over the epoch's examples, as they were trained on
    test_loss: float  # the mean over all test examples
    test_accuracy: float  # a fraction; NaN if the labels are not classes
    seconds: float  # spent training, without compilation and evaluation
    images_per_second: float


class Epoch(NamedTuple):
    """What ``fit`` yields."""

    state: TrainState
    metrics: Metrics


class Chunk(NamedTuple):
    """What ``chunks`` yields: the steps since the one before."""

    epoch: int
    step: int
    train_loss: float
    images_per_second: float
    state: TrainState
    metrics: Metrics | None  # at the end of an epoch


def fit(
    model: nn.Module,
    splits: Any,
    config: Config | None = None,
    *,
    loss: Loss | None = None,
    variables: Variables | None = None,
) -> Iterator[Epoch]:
    """Train with Adam, and evaluate after each epoch.

    Args:
        model: a linen module that maps a batch to outputs, with no variables but parameters. If
            its ``__call__`` takes ``train``, that is True in training and False in evaluation.
        splits: ``((images, labels), (images, labels))`` to train on and to test on, as from
            ``data.load`` or arrays of one's own. Images of uint8 are divided by 255, others are
            taken as they are; any shape (N, ...) that the model takes.
        config: epochs, batch size and so on.
        loss: maps outputs and labels of a batch to one loss an example, (N,). The networks of
            ``flaxnets.models`` have their tutorial's.
        variables: what to start from. By default ``model.init`` with the config's seed.

    Yields:
        After each epoch its state and metrics. What was yielded stays valid.

    Raises:
        ValueError: for arrays, labels or a loss that do not fit together.
        FloatingPointError: as soon as a reported loss is not finite.
    """
    for chunk in chunks(model, splits, config, loss=loss, variables=variables):
        if chunk.metrics:
            yield Epoch(chunk.state, chunk.metrics)


def chunks(
    model: nn.Module,
    splits: Any,
    config: Config | None = None,
    *,
    loss: Loss | None = None,
    variables: Variables | None = None,
) -> Iterator[Chunk]:
    """Train as ``fit`` does, and report every ``config.log_interval`` steps of an epoch too."""
    config = config or Config()
    train, test = (to_device(*split) for split in splits)
    loss = loss or own_loss(model)
    init_key, order_key, dropout_key = jax.random.split(jax.random.key(config.seed), 3)
    variables = variables or _init(model, init_key, train.images[:1])
    _check(model, loss, variables, train, test)

    state, n = initial_state(variables["params"]), len(train.labels)
    steps = steps_per_epoch(n, config.batch_size)
    run = functools.partial(run_steps, model, loss, min(config.batch_size, n), train, dropout_key)
    rates = functools.partial(
        learning_rates, config.schedule, config.learning_rate, config.epochs * steps
    )
    run(
        rates(0, steps), jnp.arange(n), state, 0, 0
    )  # takes no step: it compiles, outside of what is timed
    for epoch in range(1, config.epochs + 1):
        order = epoch_order(jax.random.fold_in(order_key, epoch), n)
        of_epoch = rates((epoch - 1) * steps, epoch * steps)
        loss_sum, seconds = 0.0, 0.0
        for start in range(0, steps, config.log_interval):
            stop = min(start + config.log_interval, steps)
            began = time.perf_counter()
            state, added = run(of_epoch, order, state, start, stop)
            added = _finite(added, f"training loss in epoch {epoch}, steps {start + 1} to {stop}")
            elapsed = time.perf_counter() - began
            loss_sum, seconds = loss_sum + added, seconds + elapsed
            metrics = None
            if stop == steps:
                tested = evaluate(model, state.variables, test, loss, config.test_batch_size)
                _finite(tested[0], f"test loss after epoch {epoch}")
                metrics = Metrics(epoch, epoch * steps, loss_sum / n, *tested, seconds, n / seconds)
            images = min(stop * config.batch_size, n) - start * config.batch_size
            step = (epoch - 1) * steps + stop
            yield Chunk(epoch, step, added / images, images / elapsed, state, metrics)


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """How many batches an epoch has, the last one perhaps not full."""
    return -(-examples // batch_size)


@functools.partial(jax.jit, static_argnames="model")
def _init(model: nn.Module, key: jax.Array, images: jax.Array) -> Variables:
    return dict(model.init(key, normalise(images), **mode(model, False)))


def _check(model: nn.Module, loss: Loss, variables: Variables, *splits: Examples) -> None:
    """What would go wrong without a word, or deep inside a compiled loop."""
    if list(variables) != ["params"]:
        raise ValueError(f"fit trains models that have only params, got {sorted(variables)}")
    for images, labels in splits:
        outputs = jax.eval_shape(lambda x: apply(model, variables, x, False, None), images)
        losses = jax.eval_shape(loss, outputs, labels)
        if losses.shape != labels.shape[:1]:
            raise ValueError(
                f"loss must give one value an example, {labels.shape[:1]}; got {losses.shape}"
            )
        classes = outputs.shape[-1]
        own = loss == getattr(model, "loss", None)  # another may have a use for other labels
        if own and are_classes(labels, outputs) and (labels.min() < 0 or labels.max() >= classes):
            raise ValueError(
                f"labels run from {labels.min()} to {labels.max()}, but the model has "
                f"{classes} outputs"
            )


def _finite(value: Any, what: str) -> float:
    if not math.isfinite(value := float(value)):
        raise FloatingPointError(
            f"the {what} is {value}: try a lower learning rate, or look for values "
            "in the images that are not finite"
        )
    return value

"""Training: ``fit`` and the chunks of steps that it is made of.

Steps run in compiled chunks (``flaxnets.step``), so that Python has work only once in
``Config.log_interval`` steps.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import flax.linen as nn

from flaxnets.training.config import Config
from flaxnets.training.evaluation import Loss, Variables, evaluate, predict
from flaxnets.training.reports import Chunk, Epoch, Metrics, Snapshot
from flaxnets.training.step import TrainState, train_step
from flaxnets.training.task import prepare, steps_per_epoch, train_epoch

__all__ = [
    "Chunk",
    "Config",
    "Epoch",
    "Metrics",
    "Snapshot",
    "TrainState",
    "chunks",
    "evaluate",
    "fit",
    "predict",
    "steps_per_epoch",
    "train_step",
]


def fit(
    model: nn.Module,
    splits: Sequence[Sequence[Any]],
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
            ``data.load`` or arrays of one's own. Images are (N, ...) in any shape that the model
            takes; those of uint8 are divided by 255, others, floating ones as a rule, are taken as
            they are. Labels are (N,) of an integer dtype for the networks of ``flaxnets.models``,
            and of any shape (N, ...) and dtype that another loss takes.
        config: epochs, batch size and so on.
        loss: maps outputs and labels of a batch to one loss an example, (N,). The networks of
            ``flaxnets.models`` have their tutorial's.
        variables: what to start from. By default ``model.init`` with the config's seed.

    Yields:
        After each epoch its state and metrics. What was yielded stays valid.

    Raises:
        TypeError: for images or labels that are no numbers, or a loss that does not take them.
        ValueError: for splits of another form, arrays, labels or a loss that do not fit together,
            or a model with other variables than parameters.
        FloatingPointError: as soon as a reported loss is not finite.
    """
    for chunk in chunks(model, splits, config, loss=loss, variables=variables):
        if chunk.metrics:
            yield Epoch(chunk.state, chunk.metrics)


def chunks(
    model: nn.Module,
    splits: Sequence[Sequence[Any]],
    config: Config | None = None,
    *,
    loss: Loss | None = None,
    variables: Variables | None = None,
    resume: Snapshot | None = None,
) -> Iterator[Chunk]:
    """Train as ``fit`` does, and report every ``config.log_interval`` steps of an epoch too.

    Args:
        model, splits, config, loss, variables: as in ``fit``, with the same shapes and dtypes.
        resume: a snapshot of this training, to go on from. All else must be as it was.

    Yields:
        A ``Chunk`` every ``config.log_interval`` steps and at the end of an epoch, which has the
        epoch's metrics too. What was yielded stays valid. The images are (N, ...), as ``fit`` says.

    Raises: as ``fit`` does.
    """
    task, now = prepare(model, splits, config or Config(), loss, variables, resume)
    for epoch in range(max(now.epoch, 1), task.config.epochs + 1):
        for chunk in train_epoch(task, now, epoch):
            yield chunk
            now = chunk.snapshot

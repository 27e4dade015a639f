"""Training: ``fit``, which takes any linen module, any loss and any of optax's optimizers."""

from flaxnets.training.config import Config
from flaxnets.training.evaluation import evaluate, predict
from flaxnets.training.loop import chunks, fit
from flaxnets.training.state import Chunk, Epoch, Metrics, Snapshot, TrainState
from flaxnets.training.step import train_step
from flaxnets.training.task import steps_per_epoch

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

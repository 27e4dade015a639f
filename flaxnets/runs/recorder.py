"""What a run writes as it goes: rows, weights, checkpoints."""

from pathlib import Path

import flax
import jax
import numpy as np
import optax

import flaxnets
from flaxnets import saving
from flaxnets.models import Network
from flaxnets.runs import folder
from flaxnets.runs.checkpoints import Checkpoints
from flaxnets.runs.plan import Settings
from flaxnets.training import Chunk, Metrics
from flaxnets.training.batches import find_mesh


class Recorder:
    """Writes the chunks of a training into a run's folder.

    Args:
        settings: what the result depends on, ``dataset`` among it; kept with each checkpoint.
        checkpoints: those of the folder, entered.
    """

    def __init__(
        self, path: Path, model: Network, settings: Settings, checkpoints: Checkpoints
    ) -> None:
        self._path, self._model, self._dataset = path, model, str(settings["dataset"])
        self._about = {"settings": settings, "versions": versions()}
        self._checkpoints = checkpoints

    def write(self, chunk: Chunk) -> None:
        """A row of steps; at the end of an epoch its row, the weights and a checkpoint too."""
        names = ("epoch", "step", "train_loss", "images_per_second")
        folder.append(self._path, folder.STEPS, {name: getattr(chunk, name) for name in names})
        if chunk.metrics:
            weights = self._path / saving.PARAMS
            saving.save(weights, self._model, chunk.state.variables, dataset=self._dataset)
            folder.append(self._path, folder.METRICS, chunk.metrics._asdict())
            self._save(chunk)

    def stop(self, chunk: Chunk) -> None:
        """A checkpoint of where the training is interrupted, on disk when this returns."""
        self._save(chunk)
        self._checkpoints.wait()

    def _save(self, chunk: Chunk) -> None:
        accuracy = chunk.metrics.test_accuracy if chunk.metrics else None
        self._checkpoints.save(chunk.step, chunk.snapshot, self._about, accuracy)


def read_metrics(path: Path, step: int, steps_per_epoch: int) -> list[Metrics]:
    """The epochs of metrics.jsonl that end by this step.

    Raises ValueError if one is missing: the run could not end as it would have without a break.
    """
    rows = folder.read(path, folder.METRICS, step)
    found = [Metrics(**row) for row in rows if row.keys() == set(Metrics._fields)]
    if [row.epoch for row in found] != [*range(1, step // steps_per_epoch + 1)]:
        raise ValueError(
            f"{path / folder.METRICS} has not a row for each of the {step // steps_per_epoch} "
            f"epochs before the checkpoint of step {step}: put it back, or choose another workdir"
        )
    return found


def versions() -> dict[str, str]:
    """Of what a result depends on, but for the settings."""
    modules = {"flaxnets": flaxnets, "jax": jax, "flax": flax, "optax": optax, "numpy": np}
    found = {name: module.__version__ for name, module in modules.items()}
    mesh = find_mesh()
    return {**found, "devices": f"{mesh.size} x {mesh.devices.flat[0].device_kind}"}


def changed(before: dict[str, str]) -> str:
    """What has another version here than it had; nothing if all have the same."""
    here = versions()
    return "; ".join(
        f"{name} {old}, here {here.get(name)}"
        for name, old in before.items()
        if old != here.get(name)
    )

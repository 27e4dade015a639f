"""What ``train`` writes as it goes: rows, weights, checkpoints."""

from pathlib import Path
from typing import Any

import flax
import jax
import numpy as np
import optax

import flaxnets
from flaxnets import saving
from flaxnets.runs import folder as workdir
from flaxnets.training.batches import find_mesh
from flaxnets.runs.checkpoints import Checkpoints
from flaxnets.runs.plan import Plan
from flaxnets.training.state import Chunk, Metrics


class Recorder:
    """Writes the chunks of a training into a workdir. To be entered with ``with``."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder, self.plan = folder, plan
        self._checkpoints = Checkpoints(folder)
        self._about = {"settings": plan.settings, "versions": versions()}

    def write(self, chunk: Chunk) -> None:
        """A row of steps; at the end of an epoch its row, the weights and a checkpoint too."""
        workdir.append(self.folder, workdir.STEPS, steps_row(chunk))
        if chunk.metrics:
            path, variables = self.folder / saving.PARAMS, chunk.state.variables
            saving.save(path, self.plan.model, variables, dataset=self.plan.dataset)
            workdir.append(self.folder, workdir.METRICS, chunk.metrics._asdict())
            self._save(chunk)

    def stop(self, chunk: Chunk) -> None:
        """A checkpoint of where the training is interrupted."""
        self._save(chunk)
        self._checkpoints.wait()
        print(f"interrupted after step {chunk.step} of {self.plan.steps}, which is saved: "
              f"go on with --resume --workdir {self.folder}", flush=True)  # fmt: skip

    def _save(self, chunk: Chunk) -> None:
        accuracy = chunk.metrics.test_accuracy if chunk.metrics else None
        self._checkpoints.save(chunk.step, chunk.snapshot, self._about, accuracy)

    def __enter__(self) -> "Recorder":
        self._checkpoints.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._checkpoints.__exit__(*error)


class Silent:
    """What the processes that write nothing have instead."""

    def write(self, chunk: Chunk) -> None:
        """Nothing."""

    def stop(self, chunk: Chunk) -> None:
        """Nothing."""

    def __enter__(self) -> "Silent":
        return self

    def __exit__(self, *error: Any) -> None:
        pass


def steps_row(chunk: Chunk) -> dict[str, Any]:
    """A row of steps.jsonl."""
    names = ("epoch", "step", "train_loss", "images_per_second")
    return {name: getattr(chunk, name) for name in names}


def read_metrics(folder: Path, step: int, steps_per_epoch: int) -> list[Metrics]:
    """The epochs of metrics.jsonl that end by this step.

    Raises ValueError if one is missing: the run could not end as it would have without a break.
    """
    rows = workdir.read(folder, workdir.METRICS, step)
    found = [Metrics(**row) for row in rows if row.keys() == set(Metrics._fields)]
    if [row.epoch for row in found] != [*range(1, step // steps_per_epoch + 1)]:
        raise ValueError(
            f"{folder / workdir.METRICS} has not a row for each of the {step // steps_per_epoch} "
            f"epochs before the checkpoint of step {step}: put it back, or choose another workdir"
        )
    return found


def versions() -> dict[str, str]:
    """Of what a result depends on, but for the settings."""
    modules = {"flaxnets": flaxnets, "jax": jax, "flax": flax, "optax": optax, "numpy": np}
    found = {name: module.__version__ for name, module in modules.items()}
    mesh = find_mesh()
    return {**found, "devices": f"{mesh.size} x {mesh.devices.flat[0].device_kind}"}

"""Start a run, or resume one: a training that is written to a folder as it goes."""

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import jax
import jax.numpy as jnp
import numpy as np

from flaxnets import training
from flaxnets.runs import checkpoints, folder, processes
from flaxnets.runs.interruption import Interrupted, Interruption
from flaxnets.runs.plan import Plan, Settings, crc32, refuse_another
from flaxnets.runs.recorder import Recorder, changed, read_metrics
from flaxnets.training import Chunk, Metrics, Snapshot, TrainState
from flaxnets.training.state import initial_state

Say = Callable[[str], object]


def start(plan: Plan, workdir: str | os.PathLike[str] | None = None) -> "Run":
    """Begin a run in a folder of its own.

    Args:
        plan: what to do, from ``Plan.of``.
        workdir: the folder, new or without a run. By default a new one under ``runs``.

    Returns: the run; it trains as it is iterated.

    Raises:
        ValueError: if the folder holds a run or is in use, or the data are not as they should be.
        OSError: if the folder or the data cannot be read.
    """
    path = Path(workdir) if workdir is not None else None
    if path and processes.is_first():
        folder.check(path)
    return Run(plan, path)


def resume(workdir: str | os.PathLike[str], say: Say = warnings.warn, **given: Any) -> "Run":
    """Go on with the run of a folder from its latest whole checkpoint, or from step 0.

    It arrives where it would have arrived without a break, to the bit.

    Args:
        workdir: the run's folder.
        say: called with a line about a checkpoint that is damaged, or was written by other
            versions.
        given: as for ``Plan.of``. What is left out is as it was; a setting that is not, is refused.

    Returns: as ``start``.

    Raises:
        ValueError: as ``start``, and for another setting, naming what differs.
        OSError: as ``start``.
    """
    path, recorded = Path(workdir), {}
    if processes.is_first():
        folder.check(path, resume=True)
        recorded = folder.read_config(path)
    recorded = processes.text_from_first(recorded)
    return Run(Plan.of(recorded=recorded, **given), path, recorded, say)


class Run:
    """A training and its folder. Made by ``start`` and ``resume``; iterated, it trains.

    It yields what ``training.chunks`` does, once it is written. While it goes on, the first Ctrl-C
    or SIGTERM asks for its end: the running steps are finished and saved, and ``Interrupted`` is
    raised. Iterated again, it goes on from the last chunk; a loop that is left otherwise has saved
    the end of its last epoch.

    Args:
        recorded: the config of a run that goes on; None for one that begins.
        say: as for ``resume``.

    Attributes:
        plan, model, splits: what is trained, and on what.
        path: the folder; None in all of several processes but the first, which write nothing.
        steps, steps_per_epoch: how many there are to take, in all and in an epoch.
        snapshot: where it is; None at the beginning.
        history: the metrics of the epochs so far.

    Raises:
        ValueError, OSError: as ``start`` and ``resume`` say. And as it is iterated,
        Interrupted: after a signal.
        FloatingPointError: as soon as a reported loss is not finite.
        OSError: if something cannot be written.
        processes.Lost: if one of several processes is lost.
    """

    def __init__(
        self,
        plan: Plan,
        path: Path | None,
        recorded: Mapping[str, object] | None = None,
        say: Say = warnings.warn,
    ) -> None:
        self.plan, self.model, self.splits = plan, plan.network(), plan.load()
        n = len(self.splits.train.labels)
        self.steps_per_epoch = training.steps_per_epoch(n, plan.config.batch_size)
        self.steps = plan.config.epochs * self.steps_per_epoch
        self.path: Path | None = None
        self.snapshot: Snapshot | None = None
        self.history: list[Metrics] = []
        self._say = say
        self._lock: IO[str] | None = None
        self._settings: Settings = {**plan.settings, "data_crc32": crc32(self.splits)}
        self._refuse_another(recorded or {})
        if processes.is_first():
            self.path = path or folder.new(f"{plan.model}-{plan.dataset}")
            self._lock = folder.lock(self.path)
        try:
            self._open(resume=recorded is not None)
        except BaseException:
            self.close()
            raise

    def _refuse_another(self, recorded: Mapping[str, object]) -> None:
        """Settings and data must be those of the recorded run, and the same in all processes."""
        refuse_another(recorded, self._settings)
        of_first = processes.text_from_first(self._settings)
        remedy = "give all processes the same settings and data"
        refuse_another(of_first, self._settings, "process 0 has", remedy)

    @property
    def step(self) -> int:
        """How many steps are taken."""
        return int(self.snapshot.state.step) if self.snapshot else 0

    def _open(self, resume: bool) -> None:
        """Find in the folder where to go on from."""
        if self.path:
            folder.check(self.path, resume)  # again: another run may have ended in between
        if not resume:
            return
        found, like = None, self._like()
        if self.path:
            found = checkpoints.restore(self.path, like, self._check, self._say)
        if self.path and found:
            step = int(found.state.step)
            self.history = read_metrics(self.path, step, self.steps_per_epoch)
        self.snapshot = processes.snapshot_from_first(found, like)

    def _check(self, about: dict[str, Any]) -> None:
        refuse_another(about["settings"], self._settings)
        if differ := changed(about["versions"]):
            self._say(f"note: saved by {differ}: rounding may differ from here on")

    def _like(self) -> TrainState:
        """Zeros, of the shapes and dtypes of this training."""
        images = jnp.zeros((1, *self.splits.train.images.shape[1:]))
        shapes = jax.eval_shape(lambda: initial_state(self.model.init(jax.random.key(0), images)))
        zeros: TrainState = jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), shapes)
        return zeros

    def __iter__(self) -> Iterator[Chunk]:
        with Interruption() as interruption, self._recorder() as recorder, processes.losses():
            yield from self._train(recorder, interruption)

    def _train(self, recorder: Recorder | None, interruption: Interruption) -> Iterator[Chunk]:
        if self.step == self.steps:
            return
        config = self.plan.config
        for chunk in training.chunks(self.model, self.splits, config, resume=self.snapshot):
            if recorder:
                recorder.write(chunk)
            self.snapshot = chunk.snapshot
            self.history += [chunk.metrics] if chunk.metrics else []
            yield chunk
            signal = processes.first_signal(interruption.signal)
            if signal and chunk.step < self.steps:
                if recorder:
                    recorder.stop(chunk)
                what = f"interrupted after step {chunk.step} of {self.steps}, which is saved"
                raise Interrupted(what, signal)

    @contextmanager
    def _recorder(self) -> Iterator[Recorder | None]:
        """While it is entered the folder is held; what it has of later steps is dropped."""
        if not self.path:
            yield None
            return
        self._lock = self._lock or folder.lock(self.path)
        try:
            folder.rewind(self.path, self.step)
            folder.write_config(self.path, {**self._settings, **self.plan.sources})
            with checkpoints.Checkpoints(self.path) as kept:
                yield Recorder(self.path, self.model, self._settings, kept)
        finally:
            self.close()

    def close(self) -> None:
        """Leave the folder to others. Done at the end of an iteration."""
        if self._lock:
            self._lock.close()
        self._lock = None

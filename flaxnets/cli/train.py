"""Train a network, and save its parameters and metrics.

examples:
  flaxnets train
      the CNN on scikit-learn's handwritten digits, which need no download
  flaxnets train --dataset mnist --data-dir ~/mnist --epochs 3
      on MNIST, from the folder of its four IDX files
  flaxnets train --model mlp --dataset fashion_mnist --data-dir ~/data --plot
      with learning curves, confusion matrix and the worst mistakes as pictures
  flaxnets train --workdir runs/cnn --resume
      going on with an interrupted run from its latest checkpoint
"""

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jax
import numpy as np

from flaxnets import data, interop, plots, saving, training
from flaxnets.cli.flags import add_arguments
from flaxnets.cli.progress import Progress
from flaxnets.cli.terminal import bad_input, check_writable
from flaxnets.runs import checkpoints as checkpoint
from flaxnets.runs import devices, plan, processes
from flaxnets.runs import folder as workdir
from flaxnets.runs.interruption import Interruption
from flaxnets.runs.lost_process import together
from flaxnets.runs.plan import Plan
from flaxnets.runs.recorder import Recorder, Silent, read_metrics, versions
from flaxnets.training import TrainState
from flaxnets.training.state import Metrics, Snapshot

__all__ = ["add_arguments", "run"]


def run(options: argparse.Namespace) -> int:
    """Train as the options say. Returns the exit status."""
    with ExitStack() as held:
        with bad_input():
            processes.join(options)
            device = devices.find(options.device)
        held.enter_context(together())
        held.enter_context(devices.used(device))
        with bad_input():
            task, folder = _prepare(options, held)
            start, history = _start(task, folder, options.resume)
        if folder:
            _rewind(task, folder, start)
            if not _finished(task, start):
                what = f"Training {options.model} on {options.dataset}\nWriting to {folder}"
                print(f"Using {devices.describe(device)}\n{what}", flush=True)
        state, signal = _train(task, folder, start, history)
        if folder and signal is None:
            _finish(options, task, folder, state, history)
        return 128 + signal if signal else 0


def _prepare(options: argparse.Namespace, held: ExitStack) -> tuple[Plan, Path | None]:
    """What to train, and the locked folder to write to; of several processes only one writes."""
    folder, recorded = Path(options.workdir) if options.workdir else None, {}
    if processes.is_first():
        _check_paths(options)
        if folder and options.resume:
            recorded = workdir.read_config(folder) or {}
    task = plan.make(options, processes.text_from_first(recorded))
    plan.refuse_another(
        processes.text_from_first(task.settings),
        task.settings,
        where="process 0 has",
        remedy="give all processes the same flags and data",
    )
    if not processes.is_first():
        return task, None
    folder = folder or workdir.new_folder(f"{options.model}-{options.dataset}")
    held.enter_context(workdir.locked(folder))
    workdir.check(folder, options.resume)  # again: another run may have ended in between
    return task, folder


def _check_paths(options: argparse.Namespace) -> None:
    if options.resume and not options.workdir:
        raise ValueError("--resume goes on with the run of a folder: give it as --workdir DIR")
    workdir.check(options.workdir, options.resume)
    path, folder = options.save_model, options.workdir
    if path is None:
        return
    interop.check_path(path)
    parent = Path(path).parent
    if folder and parent == Path(folder) and not parent.exists():
        return  # the run will make it
    check_writable("--save-model", path)


def _start(task: Plan, folder: Path | None, resume: bool) -> tuple[Snapshot | None, list[Metrics]]:
    """Where to go on from, and the epochs before."""
    start = _restore(task, folder) if folder and resume else None
    history = _history(task, folder, start) if folder and start else []
    return processes.snapshot_from_first(start, task.state()), history


def _history(task: Plan, folder: Path, start: Snapshot) -> list[Metrics]:
    return read_metrics(folder, int(start.state.step), task.steps_per_epoch)


def _rewind(task: Plan, folder: Path, start: Snapshot | None) -> None:
    """What the workdir has of later steps is dropped."""
    workdir.rewind(folder, int(start.state.step) if start else 0)
    workdir.write_config(folder, {**task.settings, **task.sources})


def _restore(task: Plan, folder: Path) -> Snapshot | None:
    found = checkpoint.restore(folder, task.state(), lambda about: _check_same(task, about))
    if found is None:
        print(f"no whole checkpoint in {folder}: starting at step 0")
        return None
    if _finished(task, found):
        print(f"{folder} is finished: all {task.config.epochs} epochs are done")
    else:
        step = int(found.state.step)
        epoch = step // task.steps_per_epoch + 1  # of the next step: the snapshot's may be done
        print(f"going on from step {step} of {task.steps}, in epoch {epoch}")
    return found


def _finished(task: Plan, start: Snapshot | None) -> bool:
    return start is not None and int(start.state.step) == task.steps


def _check_same(task: Plan, about: dict[str, Any]) -> None:
    plan.refuse_another(about["settings"], task.settings)
    changed = [
        f"{name} {old}, here {versions().get(name)}"
        for name, old in about["versions"].items()
        if old != versions().get(name)
    ]
    if changed:
        print(f"note: saved by {'; '.join(changed)}: rounding may differ from here on")


def _train(
    task: Plan, folder: Path | None, start: Snapshot | None, history: list[Metrics]
) -> tuple[TrainState, int | None]:
    """Train and record. Returns the last state, and the signal that has ended it before its time.

    The epochs are added to the history.
    """
    state = start.state if start else task.state()
    recorder = Recorder(folder, task) if folder else Silent()
    bar = Progress(task.steps, int(state.step), silent=folder is None or _finished(task, start))
    with Interruption() as interruption, recorder, bar:
        for chunk in training.chunks(task.model, task.splits, task.config, resume=start):
            state = chunk.state
            history += [chunk.metrics] if chunk.metrics else []
            recorder.write(chunk)
            bar.show(chunk)
            signal = processes.first_signal(interruption.signal)
            if signal and chunk.step < task.steps:
                recorder.stop(chunk)
                return state, signal
    return state, None


def _finish(
    options: argparse.Namespace,
    task: Plan,
    folder: Path,
    state: TrainState,
    history: list[Metrics],
) -> None:
    """Draw and save what is asked for, and tell the accuracy."""
    variables = jax.tree.map(np.asarray, state.variables)
    if options.plot:
        outputs = training.predict(task.model, variables, task.splits.test.images)
        probabilities = task.model.probabilities(outputs)
        classes = data.CLASSES[task.dataset]
        plots.draw_run(folder, history, task.splits.test, probabilities, classes)
        for name in workdir.PICTURES:
            print(f"wrote {folder / name}")
    if options.save_model:
        saving.save(options.save_model, task.model, variables, dataset=task.dataset)
    print(f"test accuracy: {100 * history[-1].test_accuracy:.2f} %")

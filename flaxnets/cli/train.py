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
from pathlib import Path

import jax
import numpy as np

from flaxnets import data, interop, plots, runs, saving, training
from flaxnets.cli import devices, processes
from flaxnets.cli.flags import add_arguments, given
from flaxnets.cli.terminal import Progress, bad_input, check_writable
from flaxnets.runs.folder import PICTURES

__all__ = ["add_arguments", "run"]


def run(options: argparse.Namespace) -> int:
    """Train as the options say. Returns the exit status."""
    with bad_input():
        processes.join(options)
        device = devices.find(options.device)
    with processes.together(), devices.used(device):
        with bad_input():
            _check(options)
            run = _begin(options)
        if run.path and run.step < run.steps:
            print(f"Using {devices.describe(device)}")
            print(f"Training {run.plan.model} on {run.plan.dataset}\nWriting to {run.path}")
        status = _train(run)
        if run.path and not status:
            _finish(run, options.plot, options.save_model)
    return status


def _check(options: argparse.Namespace) -> None:
    if options.resume and not options.workdir:
        raise ValueError("--resume goes on with the run of a folder: give it as --workdir DIR")
    path, workdir = options.save_model, options.workdir
    if path is None:
        return
    interop.check_path(path)
    parent = Path(path).parent
    if workdir and parent == Path(workdir) and not parent.exists():
        return  # the run will make it
    check_writable("--save-model", path)


def _begin(options: argparse.Namespace) -> runs.Run:
    """Start or resume, and say of a run that goes on where it is."""
    if not options.resume:
        return runs.start(runs.Plan.of(**given(options)), options.workdir)
    run = runs.resume(options.workdir, say=print, **given(options))
    if not run.path:
        return run  # the first process says it
    if run.snapshot is None:
        print(f"no whole checkpoint in {run.path}: starting at step 0")
    elif run.step == run.steps:
        print(f"{run.path} is finished: all {run.plan.config.epochs} epochs are done")
    else:
        epoch = run.step // run.steps_per_epoch + 1  # of the next step: the last one's may be done
        print(f"going on from step {run.step} of {run.steps}, in epoch {epoch}")
    return run


def _train(run: runs.Run) -> int:
    """Train, and show how it goes. Returns the exit status."""
    silent = run.path is None or run.step == run.steps
    try:
        with Progress(run.steps, run.step, silent) as progress:
            for chunk in run:
                progress.show(chunk)
    except runs.Interrupted as stop:
        if run.path:
            print(f"{stop}: go on with --resume --workdir {run.path}", flush=True)
        return 128 + stop.signal
    except KeyboardInterrupt:  # the second Ctrl-C, which waits for nothing
        processes.leave(130)
    return 0


def _finish(run: runs.Run, plot: bool, save_model: str | None) -> None:
    """Draw and save what is asked for, and tell the accuracy."""
    assert run.path and run.snapshot
    variables = jax.tree.map(np.asarray, run.snapshot.state.variables)
    if plot:
        outputs = training.predict(run.model, variables, run.splits.test.images)
        probabilities = run.model.probabilities(outputs)
        paths = [run.path / name for name in PICTURES]
        classes = data.CLASSES[run.plan.dataset]
        plots.draw_run(paths, run.history, run.splits.test, probabilities, classes)
        for path in paths:
            print(f"wrote {path}")
    if save_model:
        saving.save(save_model, run.model, variables, dataset=run.plan.dataset)
    print(f"test accuracy: {100 * run.history[-1].test_accuracy:.2f} %")

"""Train a network, and save its parameters and metrics.

examples:
  flaxnets train
      the CNN on scikit-learn's handwritten digits, which need no download
  flaxnets train --dataset mnist --data-dir ~/mnist --epochs 3
      on MNIST, from the folder of its four IDX files
  flaxnets train --model mlp --dataset fashion_mnist --data-dir ~/data --plot
      with learning curves, confusion matrix and the worst mistakes as pictures
"""

import argparse
import os
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

from flaxnets import data, interop, plots, saving, training, workdir
from flaxnets.commands import bad_input, check_writable, presets
from flaxnets.commands.progress import Progress
from flaxnets.data import Split, Splits
from flaxnets.models import MODELS
from flaxnets.schedules import SCHEDULES

if TYPE_CHECKING:
    import jax


PRECISIONS = {"float32": None, "bfloat16": jnp.bfloat16}  # a model's dtype


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags. Those that the PyTorch MNIST example has keep its names."""
    add = parser.add_argument
    add("--model", choices=MODELS, help="the network (default: cnn)")
    add("--dataset", choices=data.CLASSES, help="default: digits")
    add(
        "--data-dir",
        metavar="DIR",
        help="the folder of the dataset's IDX files, plain or .gz, or one that holds it under "
        "the dataset's name or as MNIST/raw, FashionMNIST/raw; without it, TensorFlow Datasets "
        "downloads mnist and fashion_mnist",
    )
    add(
        "--tfds-dir",
        metavar="DIR",
        help="the folder of TensorFlow Datasets (default: TFDS_DATA_DIR or ~/tensorflow_datasets)",
    )
    add("--epochs", type=int, metavar="N", help="default: 15 on digits, 5 on the others")
    add("--batch-size", type=int, metavar="N", help="default: 64")
    add("--test-batch-size", type=int, default=1000, metavar="N", help="default: 1000")
    add("--lr", type=float, metavar="RATE", help="Adam's rate (default: 0.001)")
    add(
        "--schedule",
        choices=SCHEDULES,
        help="how the rate runs over the steps; one-cycle is torch's OneCycleLR with --lr at its "
        "highest and Adam's betas as they are (default: constant)",
    )
    add(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="of the layers; parameters, losses and Adam stay in float32 (default: float32)",
    )
    add(
        "--preset",
        choices=presets.PRESETS,
        help="settings for those that are not given. fast: MNIST to 99 %% in the least time, "
        + presets.describe("fast"),
    )
    add(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="of the weights, the order of the examples and dropout (default: 0)",
    )
    add(
        "--log-interval",
        type=int,
        default=100,
        metavar="N",
        help="report every N steps (default: 100)",
    )
    add(
        "--device",
        metavar="NAME",
        help="cpu, gpu, or one of several as gpu:1 (default: a gpu if there is one)",
    )
    add(
        "--workdir",
        metavar="DIR",
        help="where to write the run (default: a new folder under runs/)",
    )
    add(
        "--save-model",
        metavar="FILE",
        help=f"also save the parameters here at the end: {', '.join(interop.FORMATS)}",
    )
    add("--plot", action="store_true", help="also draw the run, as PNGs in the workdir")
    add("--dry-run", action="store_true", help="only one step and one test batch")


def run(options: argparse.Namespace) -> int:
    """Train as the options say. Returns the exit status."""
    import jax

    presets.fill(options)
    with bad_input():
        device, config = _find_device(options.device), _config(options)
        _check_save_model(options.save_model, options.workdir)
        workdir.check(options.workdir)
        splits = data.load(options.dataset, options.data_dir, options.tfds_dir)
        if options.dry_run:
            splits, config = _dry_run(splits, config)
        name = f"{options.model}-{options.dataset}"
        settings = {
            "model": options.model,
            "dataset": options.dataset,
            "precision": options.precision,
            **asdict(config),
        }
        folder = workdir.create(options.workdir, name, settings)
    print(f"Using {device.platform} device: {_describe(device)}")
    print(f"Training {options.model} on {options.dataset}, writing to {folder}", flush=True)
    try:
        with jax.default_device(device):
            model = MODELS[options.model](dtype=PRECISIONS[options.precision])
            accuracy = _train(options, model, splits, config, folder)
    except KeyboardInterrupt:
        saved = (folder / saving.PARAMS).exists()
        print(
            f"\ninterrupted: {folder} holds", "the last whole epoch" if saved else "no weights yet"
        )
        return 130
    print(f"test accuracy: {100 * accuracy:.2f} %")
    return 0


def _config(options: argparse.Namespace) -> training.Config:
    epochs = 15 if options.dataset == "digits" else 5
    return training.Config(
        epochs=epochs if options.epochs is None else options.epochs,
        batch_size=options.batch_size,
        test_batch_size=options.test_batch_size,
        learning_rate=options.lr,
        schedule=options.schedule,
        seed=options.seed,
        log_interval=options.log_interval,
    )


def _find_device(name: str | None) -> "jax.Device":
    import jax

    try:
        found = jax.devices()
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"JAX finds no device; is JAX_PLATFORMS right? ({error})") from error
    if name is None:
        return found[0]
    match = re.fullmatch(r"([a-z]+)(?::(\d+))?", name)
    try:
        if match:
            return jax.devices(match[1])[int(match[2] or 0)]
    except (RuntimeError, AssertionError, IndexError):
        pass  # said below
    names = ", ".join(f"{device.platform}:{device.id}" for device in found)
    raise ValueError(f"no device {name!r} here: JAX found {names}")


def _describe(device: "jax.Device") -> str:
    return f"{os.cpu_count()} cores" if device.platform == "cpu" else device.device_kind


def _check_save_model(path: str | None, folder: str | None) -> None:
    if path is None:
        return
    interop.check_path(path)
    parent = Path(path).parent
    if folder and parent == Path(folder) and not parent.exists():
        return  # the run will make it
    check_writable("--save-model", path)


def _dry_run(splits: Splits, config: training.Config) -> tuple[Splits, training.Config]:
    """One step, one test batch."""
    sizes = (config.batch_size, config.test_batch_size)
    train, test = (
        Split(split.images[:size], split.labels[:size])
        for split, size in zip(splits, sizes, strict=True)
    )
    return Splits(train, test), replace(config, epochs=1)


def _train(
    options: argparse.Namespace, model: Any, splits: Splits, config: training.Config, folder: Path
) -> float:
    """Train, write everything, and return the test accuracy."""
    steps = training.steps_per_epoch(len(splits.train.labels), config.batch_size)
    history, dataset = [], options.dataset
    with Progress(config.epochs, steps) as progress:
        for chunk in training.chunks(model, splits, config):
            workdir.append(folder, "steps.jsonl", steps_row(chunk))
            if chunk.metrics:
                history.append(chunk.metrics)
                saving.save(folder / saving.PARAMS, model, chunk.state.variables, dataset=dataset)
                workdir.append(folder, "metrics.jsonl", chunk.metrics._asdict())
            progress.show(chunk)
    if options.plot:
        outputs = training.predict(model, chunk.state.variables, splits.test.images)
        classes = data.CLASSES[dataset]
        plots.draw_run(folder, history, splits.test, model.probabilities(outputs), classes)
    if options.save_model:
        saving.save(options.save_model, model, chunk.state.variables, dataset=dataset)
    return history[-1].test_accuracy


def steps_row(chunk: training.Chunk) -> dict[str, Any]:
    """A row of steps.jsonl."""
    return {
        name: getattr(chunk, name) for name in ("epoch", "step", "train_loss", "images_per_second")
    }

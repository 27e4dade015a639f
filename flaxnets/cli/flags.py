"""The flags of ``train``."""

import argparse
from collections.abc import Callable
from typing import Any

from flaxnets import data, interop
from flaxnets.cli import processes
from flaxnets.models import MODELS
from flaxnets.runs.plan import DEFAULTS, EPOCHS, PRECISIONS, PRESETS, SETTINGS, SOURCES
from flaxnets.training import Config
from flaxnets.training.config import SCHEDULES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags. Those that the PyTorch MNIST example has keep its names."""
    _add_task(parser.add_argument)
    _add_settings(parser.add_argument)
    _add_run(parser.add_argument)
    processes.add_arguments(parser)


def given(options: argparse.Namespace) -> dict[str, Any]:
    """What of the flags makes a plan, by the names that a plan has."""
    return {name: getattr(options, name) for name in ("preset", *SETTINGS, *SOURCES, "dry_run")}


def _add_task(add: Callable[..., object]) -> None:
    """What to train, on which data."""
    add("--model", choices=MODELS, help=f"the network (default: {DEFAULTS['model']})")
    add("--dataset", choices=data.CLASSES, help=f"default: {DEFAULTS['dataset']}")
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


def _add_settings(add: Callable[..., object]) -> None:
    """How to train: what the result depends on."""
    some = ", ".join(f"{epochs} on {dataset}" for dataset, epochs in EPOCHS.items())
    epochs = f"{some}, {Config.epochs} on the others"
    add("--epochs", type=int, metavar="N", help=f"default: {epochs}")
    add("--batch-size", type=int, metavar="N", help=f"default: {Config.batch_size}")
    add("--test-batch-size", type=int, metavar="N", help=f"default: {Config.test_batch_size}")
    add(
        "--lr",
        dest="learning_rate",
        type=float,
        metavar="RATE",
        help=f"Adam's rate (default: {Config.learning_rate})",
    )
    add(
        "--schedule",
        choices=SCHEDULES,
        help="how the rate runs over the steps; one-cycle is torch's OneCycleLR with --lr at its "
        "highest and Adam's betas as they are (default: " + Config.schedule + ")",
    )
    add(
        "--precision",
        choices=PRECISIONS,
        help="of the layers; parameters, losses and Adam stay in float32 (default: "
        + DEFAULTS["precision"]
        + ")",
    )
    add(
        "--preset",
        choices=PRESETS,
        help="settings for those that are not given. fast: MNIST to 99 %% in the least time, "
        + " ".join(_as_flags(PRESETS["fast"])),
    )
    add(
        "--seed",
        type=int,
        metavar="N",
        help=f"of the weights, the order of the examples and dropout (default: {Config.seed})",
    )


def _add_run(add: Callable[..., object]) -> None:
    """What a run reports and keeps, and where."""
    add(
        "--log-interval",
        type=int,
        metavar="N",
        help=f"report every N steps (default: {Config.log_interval})",
    )
    add(
        "--device",
        metavar="NAME",
        help="cpu, gpu, or one of several as gpu:1 (default: all GPUs if there are any; a batch "
        "is spread over them)",
    )
    add(
        "--workdir",
        metavar="DIR",
        help="where to write the run (default: a new folder under runs/)",
    )
    add(
        "--resume",
        action="store_true",
        help="go on from the latest checkpoint of --workdir, to the bit as if there had been no "
        "break; flags that are left out keep the run's values, --data-dir among them; without a "
        "checkpoint it starts anew",
    )
    add(
        "--save-model",
        metavar="FILE",
        help="also save the parameters here at the end, in place of what is there: "
        f"{', '.join(interop.FORMATS)}",
    )
    add("--plot", action="store_true", help="also draw the run, as PNGs in the workdir")
    add("--dry-run", action="store_true", help="only one step and one test batch")


def _as_flags(preset: dict[str, Any]) -> list[str]:
    names = {"learning_rate": "lr"}
    return [f"--{names.get(k, k).replace('_', '-')} {value}" for k, value in preset.items()]

"""The flags of ``train``."""

import argparse
from collections.abc import Callable
from typing import Any

from flaxnets import data, interop
from flaxnets.models import MODELS
from flaxnets.runs import presets, processes
from flaxnets.runs.plan import PRECISIONS
from flaxnets.training.config import SCHEDULES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags. Those that the PyTorch MNIST example has keep its names."""
    _add_task(parser.add_argument)
    _add_settings(parser.add_argument)
    _add_run(parser.add_argument)
    processes.add_arguments(parser)


def _add_task(add: Callable[..., Any]) -> None:
    """What to train, on which data."""
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


def _add_settings(add: Callable[..., Any]) -> None:
    """How to train: what the result depends on."""
    add("--epochs", type=int, metavar="N", help="default: 15 on digits, 5 on the others")
    add("--batch-size", type=int, metavar="N", help="default: 64")
    add("--test-batch-size", type=int, metavar="N", help="default: 1000")
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
        metavar="N",
        help="of the weights, the order of the examples and dropout (default: 0)",
    )


def _add_run(add: Callable[..., Any]) -> None:
    """What a run reports and keeps, and where."""
    add("--log-interval", type=int, metavar="N", help="report every N steps (default: 100)")
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

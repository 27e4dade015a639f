"""What a run is to do: which network, which data, which settings."""

import os
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import jax.numpy as jnp
import numpy as np

from flaxnets import data, training
from flaxnets.data import Split, Splits
from flaxnets.models import MODELS, Network

PRECISIONS = {"float32": None, "bfloat16": jnp.bfloat16}  # a model's dtype
DEFAULTS = {"model": "cnn", "dataset": "digits", "precision": "float32"}  # the rest is Config's,
EPOCHS = {"digits": 15}  # but for epochs on these
PRESETS: dict[str, dict[str, Any]] = {
    # MNIST to 99 % of all test images, on average over seeds: benchmarks/time_to_99.py
    "fast": {
        "model": "cnn",
        "dataset": "mnist",
        "epochs": 4,
        "batch_size": 64,
        "learning_rate": 3e-3,
        "schedule": "one-cycle",
    }
}
SETTINGS = (*DEFAULTS, *(field.name for field in fields(training.Config)))  # the result's
SOURCES = ("data_dir", "tfds_dir")
Settings = dict[str, str | int | float]


@dataclass(frozen=True)
class Plan:
    """All that a user may choose of a run; made by ``Plan.of``, which knows the defaults.

    Attributes:
        model: the network's name in ``MODELS``.
        dataset: the dataset's name in ``data.CLASSES``.
        precision: of the layers, ``"float32"`` or ``"bfloat16"``; parameters, losses and Adam
            stay in float32.
        config: how to train.
        data_dir, tfds_dir: where the data are, as ``data.load`` takes it.
        dry_run: take only one batch to train on, and one to test on.

    Raises:
        ValueError: for a name that there is not.
    """

    model: str
    dataset: str
    precision: str
    config: training.Config
    data_dir: str | None = None
    tfds_dir: str | None = None
    dry_run: bool = False

    def __post_init__(self) -> None:
        choices: dict[str, Mapping[str, object]] = {
            "model": MODELS,
            "dataset": data.CLASSES,
            "precision": PRECISIONS,
        }
        for name, known in choices.items():
            if getattr(self, name) not in tuple(known):
                raise ValueError(f"{name} {getattr(self, name)!r} is none of {', '.join(known)}")

    @classmethod
    def of(
        cls, preset: str | None = None, recorded: Mapping[str, Any] | None = None, **given: Any
    ) -> "Plan":
        """The plan of what is given, by its name here or in ``Config``; None is not given.

        What is not given is the preset's, or what the recorded run has, or the default.

        Args:
            preset: a name in ``PRESETS``.
            recorded: the ``config.json`` of a run that is to go on.

        Raises:
            TypeError: for a name that there is not.
            ValueError: for a value that cannot be, and if the recorded data are gone.
        """
        given = {name: value for name, value in given.items() if value is not None}
        if unknown := given.keys() - {*SETTINGS, *SOURCES, "dry_run"}:
            raise TypeError(f"a plan has no {', '.join(sorted(unknown))}")
        recorded = recorded or {}
        chosen = DEFAULTS | {name: recorded[name] for name in SETTINGS if name in recorded}
        chosen |= (PRESETS[preset] if preset else {}) | given
        if not given.keys() & {*SOURCES}:
            chosen |= sources_of(recorded, chosen["dataset"])
        if chosen.get("dry_run"):
            chosen["epochs"] = 1
        elif "epochs" not in chosen and str(chosen["dataset"]) in EPOCHS:
            chosen["epochs"] = EPOCHS[chosen["dataset"]]
        names = [field.name for field in fields(training.Config)]
        config = training.Config(**{name: chosen.pop(name) for name in names if name in chosen})
        return cls(config=config, **chosen)

    @property
    def settings(self) -> Settings:
        """What the result depends on, but for the data, as config.json has it."""
        return {**{name: getattr(self, name) for name in DEFAULTS}, **asdict(self.config)}

    @property
    def sources(self) -> dict[str, str | None]:
        """Where the data are, as a later command finds them, wherever it is called."""
        found = {name: getattr(self, name) for name in SOURCES}
        return {
            name: None if path is None else os.path.abspath(os.path.expanduser(path))
            for name, path in found.items()
        }

    def network(self) -> Network:
        """The linen module."""
        return MODELS[self.model](dtype=PRECISIONS[self.precision])

    def load(self) -> Splits:
        """The data. Raises what ``data.load`` raises."""
        splits = data.load(self.dataset, self.data_dir, self.tfds_dir)
        if not self.dry_run:
            return splits
        sizes = (self.config.batch_size, self.config.test_batch_size)
        both = zip(splits, sizes, strict=True)
        return Splits(*(Split(split.images[:n], split.labels[:n]) for split, n in both))


def sources_of(recorded: Mapping[str, object], dataset: str) -> dict[str, str]:
    """Where a recorded run had its data, if they are of this dataset, to look there again.

    Raises ValueError if such a folder is gone.
    """
    if recorded.get("dataset") != dataset:
        return {}
    # null, or not recorded by an earlier version
    where = {name: recorded.get(name) for name in SOURCES}
    found = {name: folder for name, folder in where.items() if isinstance(folder, str)}
    for folder in found.values():
        if not os.path.isdir(folder):
            raise ValueError(
                f"the run had its data from {folder}, which is no folder here: "
                f"give their new place as {' or '.join(SOURCES)}"
            )
    return found


def refuse_another(
    recorded: Mapping[str, object],
    settings: Settings,
    where: str = "the run was begun with",
    remedy: str = "give the same, or another workdir",
) -> None:
    """Raise ValueError if other settings are recorded, naming what differs."""
    differ = [
        f"{name} {recorded[name]}, not {value}"
        for name, value in settings.items()
        if name in recorded and recorded[name] != value
    ]
    if differ:
        raise ValueError(f"{where} {'; '.join(differ)}: {remedy}")


def crc32(splits: Splits) -> int:
    """By which other data are told."""
    found = 0
    for array in (array for split in splits for array in split):
        found = zlib.crc32(np.ascontiguousarray(array).data, found)
    return found

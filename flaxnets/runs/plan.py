"""What ``train`` is to do: the network, the data, the configuration."""

import argparse
import zlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from flaxnets import data, training
from flaxnets.runs import presets, sources
from flaxnets.data import Split, Splits
from flaxnets.models import MODELS, Network
from flaxnets.training.state import initial_state

PRECISIONS = {"float32": None, "bfloat16": jnp.bfloat16}  # a model's dtype


class Plan(NamedTuple):
    """A training to be run."""

    model: Network
    splits: Splits
    config: training.Config
    settings: dict[str, Any]  # all that its result depends on, as config.json has it
    sources: dict[str, str | None]  # where its data came from, which config.json has too

    @property
    def dataset(self) -> str:
        """Its name."""
        return str(self.settings["dataset"])

    @property
    def steps_per_epoch(self) -> int:
        """How many."""
        return training.steps_per_epoch(len(self.splits.train.labels), self.config.batch_size)

    @property
    def steps(self) -> int:
        """In all."""
        return self.config.epochs * self.steps_per_epoch

    def state(self) -> training.TrainState:
        """A ``TrainState`` of zeros, of the shapes and dtypes of this training."""
        images = jnp.zeros((1, *self.splits.train.images.shape[1:]))
        shapes = jax.eval_shape(
            lambda: initial_state(self.model.init(jax.random.key(0), images))
        )
        zeros: training.TrainState = jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), shapes)
        return zeros


def make(options: argparse.Namespace, recorded: Mapping[str, Any]) -> Plan:
    """The plan that the flags make, with those of a recorded run for what is not given.

    Raises:
        ValueError: for what cannot be, and if it is not the recorded run's.
        OSError: if the data cannot be read.
    """
    presets.fill(options, recorded)
    sources.fill(options, recorded)
    _check_choices(options)
    config = training.Config(
        epochs=options.epochs,
        batch_size=options.batch_size,
        test_batch_size=options.test_batch_size,
        learning_rate=options.lr,
        schedule=options.schedule,
        seed=options.seed,
        log_interval=options.log_interval,
    )
    splits = data.load(options.dataset, options.data_dir, options.tfds_dir)
    if options.dry_run:
        splits, config = _dry_run(splits, config)
    settings = {
        "model": options.model,
        "dataset": options.dataset,
        "precision": options.precision,
        **asdict(config),
        "data_crc32": _crc32(splits),
    }
    refuse_another(recorded, settings)
    model = MODELS[options.model](dtype=PRECISIONS[options.precision])
    return Plan(model, splits, config, settings, sources.absolute(options))


def refuse_another(
    recorded: Mapping[str, Any],
    settings: Mapping[str, Any],
    where: str = "the run was begun with",
    remedy: str = "give the same, or another --workdir",
) -> None:
    """Raise ValueError if other settings are recorded, naming what differs."""
    differ = [
        f"{name} {recorded[name]}, not {value}"
        for name, value in settings.items()
        if name in recorded and recorded[name] != value
    ]
    if differ:
        raise ValueError(f"{where} {'; '.join(differ)}: {remedy}")


def _check_choices(options: argparse.Namespace) -> None:
    """What argparse has checked of flags, but not of a run's config.json."""
    choices: dict[str, Mapping[str, Any]] = {
        "model": MODELS,
        "dataset": data.CLASSES,
        "precision": PRECISIONS,
    }
    for name, known in choices.items():
        if getattr(options, name) not in tuple(known):
            raise ValueError(f"{name} {getattr(options, name)!r} is none of {', '.join(known)}")


def _dry_run(splits: Splits, config: training.Config) -> tuple[Splits, training.Config]:
    """One step, one test batch."""
    sizes = (config.batch_size, config.test_batch_size)
    train, test = (
        Split(split.images[:size], split.labels[:size])
        for split, size in zip(splits, sizes, strict=True)
    )
    return Splits(train, test), replace(config, epochs=1)


def _crc32(splits: Splits) -> int:
    found = 0
    for array in (array for split in splits for array in split):
        found = zlib.crc32(np.ascontiguousarray(array).data, found)
    return found

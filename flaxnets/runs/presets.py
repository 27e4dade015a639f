"""Settings of ``train`` that belong together."""

import argparse
from collections.abc import Mapping
from typing import Any

DEFAULTS: dict[str, Any] = {
    "model": "cnn",
    "dataset": "digits",
    "batch_size": 64,
    "test_batch_size": 1000,
    "lr": 1e-3,
    "schedule": "constant",
    "precision": "float32",
    "seed": 0,
    "log_interval": 100,
}
EPOCHS = {"digits": 15}  # 5 on the others

PRESETS: dict[str, dict[str, Any]] = {
    # MNIST to 99 % of all test images, on average over seeds: benchmarks/time_to_99.py
    "fast": {
        "model": "cnn",
        "dataset": "mnist",
        "epochs": 4,
        "batch_size": 64,
        "lr": 3e-3,
        "schedule": "one-cycle",
    }
}


def fill(options: argparse.Namespace, recorded: Mapping[str, Any]) -> None:
    """What was not given is the preset's, or what the run that goes on has, or the default."""
    of_run = {"lr" if name == "learning_rate" else name: value for name, value in recorded.items()}
    preset = PRESETS.get(options.preset, {})
    for name in (*DEFAULTS, "epochs"):
        if getattr(options, name) is None:
            setattr(options, name, {**DEFAULTS, **of_run, **preset}.get(name))
    if options.epochs is None:
        options.epochs = EPOCHS.get(str(options.dataset), 5)


def describe(name: str) -> str:
    """A preset as it would be given by flags."""
    return " ".join(f"--{key.replace('_', '-')} {value}" for key, value in PRESETS[name].items())

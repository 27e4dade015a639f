"""Settings of ``train`` that belong together."""

import argparse
from typing import Any

DEFAULTS: dict[str, Any] = {
    "model": "cnn",
    "dataset": "digits",
    "batch_size": 64,
    "lr": 1e-3,
    "schedule": "constant",
}

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


def fill(options: argparse.Namespace) -> None:
    """What was not given is the preset's, or else the default."""
    for name, value in {**DEFAULTS, **PRESETS.get(options.preset, {})}.items():
        if getattr(options, name) is None:
            setattr(options, name, value)


def describe(name: str) -> str:
    """A preset as it would be given by flags."""
    return " ".join(f"--{key.replace('_', '-')} {value}" for key, value in PRESETS[name].items())

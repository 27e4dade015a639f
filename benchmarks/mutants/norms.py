"""Norms."""

from typing import Any

import jax.numpy as jnp
from draws.draw import normal

from flaxnets.layers import moments
from mutants.mutant import Mutant

BATCH = {"num_features": 4}


def _by_deviation(x: Any, axes: Any) -> Any:
    """Moments whose variance is that of a sample."""
    mean, rest, var = moments.moments(x, axes)
    return mean, rest, var * (rest.size / var.size) / (rest.size / var.size - 1)


def _eps_outside(of: Any) -> Any:
    """1 / (sqrt(var) + eps), given var + eps of 0.1."""
    return 1 / (jnp.sqrt(of - 0.1) + 0.1)


def _uncounted(self: Any, running: Any, x: Any, mean: Any, var: Any) -> None:
    running.move(mean, var, self.momentum)


MUTANTS = [
    Mutant(
        "biased running variance",
        "BatchNorm2d",
        BATCH,
        normal(3, 2, 4),
        "training, step 1: state running_var",
        {"batch_norm.unbiased": lambda var, n: var},
    ),
    Mutant(
        "momentum turned round",
        "BatchNorm2d",
        BATCH,
        normal(3, 2, 4),
        "training, step 1: state running_mean",
        ours={"momentum": 0.9},
    ),
    Mutant(
        "a cumulative mean taken for momentum 0.1",
        "BatchNorm1d",
        BATCH | {"momentum": None},
        normal(4),
        "training, step 1: state running_mean",
        ours={"momentum": 0.1},
    ),
    Mutant(
        "batches not counted",
        "BatchNorm1d",
        BATCH,
        normal(4),
        "training, step 1: state num_batches_tracked",
        {"batch_norm._BatchNorm._track": _uncounted},
    ),
    Mutant(
        "epsilon outside the root",
        "BatchNorm2d",
        BATCH | {"eps": 0.1},
        normal(3, 2, 4),
        "evaluation: output",
        {"batch_norm.jax.lax.rsqrt": _eps_outside},
    ),
    Mutant(
        "Flax's epsilon",
        "LayerNorm",
        {"normalized_shape": 4},
        normal(3, 4),
        "evaluation: output",
        ours={"eps": 1e-6},
    ),
    Mutant(
        "variance of a sample",
        "LayerNorm",
        {"normalized_shape": 4},
        normal(3, 4),
        "evaluation: output",
        {"layer_norm.moments": _by_deviation},
    ),
    Mutant(
        "groups counted for their size",
        "GroupNorm",
        {"num_groups": 3, "num_channels": 6},
        normal(3, 2, 6),
        "evaluation: output",
        ours={"num_groups": 2},
    ),
    Mutant(
        "the batch's moments for each example's",
        "InstanceNorm2d",
        BATCH,
        normal(3, 2, 4),
        "evaluation: output",
        {"instance_norm.moments": lambda x, axes: moments.moments(x, (0, *axes))},
    ),
]

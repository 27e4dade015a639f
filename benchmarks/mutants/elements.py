"""Activations and dropouts."""

import jax
import jax.numpy as jnp
from draws.activations import tails
from draws.draw import halves, normal

from mutants.mutant import NOT_REPLAYED, Mutant

MUTANTS = [
    Mutant(
        "tanh for exact",
        "GELU",
        {},
        normal(6),
        "evaluation: output",
        ours={"approximate": "tanh"},
    ),
    Mutant(
        "JAX's slope at 0",
        "LeakyReLU",
        {},
        halves(40),
        "evaluation: gradient of input",
        {"piecewise.leaky_relu": jax.nn.leaky_relu},
    ),
    Mutant(
        "JAX's slope at the ends",
        "Hardtanh",
        {},
        halves(40),
        "evaluation: gradient of input",
        {"piecewise.hardtanh": lambda x, low, high: jnp.clip(x, low, high)},
    ),
    Mutant(
        "an offset, beside numbers of 1e10",
        "SiLU",
        {},
        tails(40),
        "evaluation: output",
        {"activation.nn.silu": lambda x: jax.nn.silu(x) + 0.005},
        each=True,
    ),
    Mutant(
        "an exponential that overflows in float32 alone",
        "LogSigmoid",
        {},
        lambda n, rng: (rng.choice([3.0, -90.0, -300.0], (n, 20)),),
        "float32: output",
        {"activation.nn.log_sigmoid": lambda x: -jnp.log(1 + jnp.exp(-x))},
    ),
    Mutant(
        "a mask for the batch",
        "StochasticDepth",
        {"p": 0.5, "mode": "row"},
        normal(3, 4),
        NOT_REPLAYED,
        ours={"mode": "batch"},
    ),
    Mutant(
        "zeros for SELU's limit",
        "AlphaDropout",
        {},
        normal(6),
        "training, step 1: output",
        {"dropout.AlphaDropout.dropped": lambda self, x, keep: x * keep / (1 - self.p)},
    ),
]

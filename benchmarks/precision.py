"""Does training in bfloat16 come out as well as in float32?

    python benchmarks/precision.py

Layers in bfloat16, parameters, losses and Adam in float32, as ``flaxnets train --precision
bfloat16`` has it; the final test accuracy of independent runs on both sides, by two one-sided
tests (TOST) with a margin of half a percentage point. On digits; about ten minutes on two cores.
"""

import argparse

import environment
import jax.numpy as jnp
import numpy as np
from scipy.stats import ttest_ind

import flaxnets
from flaxnets import data, training
from flaxnets.parity.tutorials import TUTORIALS

MARGIN, SURE = 0.005, 0.05


def main() -> None:
    """Print a line a network, and save all."""
    options, rows, splits = parse(), [], data.load("digits")
    for model in options.model:
        epochs = options.epochs or TUTORIALS[model].on_digits[0]
        seeds = options.seeds or 20
        found = {"float32": [], "bfloat16": []}
        for seed in range(seeds):
            for precision, accuracies in found.items():
                accuracies.append(accuracy(model, precision, splits, epochs, seed))
        p = tost(*map(np.array, found.values()))
        rows.append({"model": model, "epochs": epochs, "p": p, **found})
        means = (f"{name} {100 * np.mean(values):.2f} %" for name, values in found.items())
        verdict = "equivalent" if p <= SURE else "NOT shown to be equivalent"
        print(
            f"{model:12} {seeds} seeds, {epochs} epochs:",
            *means,
            f"p = {p:.1e}, {verdict}",
            flush=True,
        )
        environment.save(options.output, rows)


def accuracy(model: str, precision: str, splits: data.Splits, epochs: int, seed: int) -> float:
    """Of a run, at its end."""
    network = flaxnets.MODELS[model](dtype=jnp.bfloat16 if precision == "bfloat16" else None)
    *_, last = training.fit(network, splits, training.Config(epochs=epochs, seed=seed))
    return last.metrics.test_accuracy


def tost(first: np.ndarray, second: np.ndarray) -> float:
    """The larger p value: above it the means may differ by more than the margin."""
    above = ttest_ind(second + MARGIN, first, equal_var=False, alternative="greater").pvalue
    below = ttest_ind(second - MARGIN, first, equal_var=False, alternative="less").pvalue
    return float(max(above, below))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = environment.parser(__doc__, "precision.json", data=False)
    add = parser.add_argument
    add("--model", nargs="+", default=list(flaxnets.MODELS), choices=flaxnets.MODELS)
    add("--seeds", type=int, help="default: 20")
    add("--epochs", type=int, help="default: as many as on level 10 of parity")
    return parser.parse_args()


if __name__ == "__main__":
    main()

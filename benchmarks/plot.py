"""The picture of the README: how far from PyTorch, and how many times as fast.

    python benchmarks/plot.py [FOLDER]

Writes overview.png beside the results: the worst errors and bounds of docs/PARITY.md, and the
median ratio of each point of training and inference, with its range over the pairs.
"""

import json
import sys
from pathlib import Path

import environment
from matplotlib.figure import Figure

COLORS = {"cnn": "C0", "mlp": "C1", "softmax_mlp": "C2"}
PARITY = Path(__file__).parent.parent / "docs/PARITY.md"
LEVELS = {"3": "outputs", "5": "in training", "7": "gradients", "8": "Adam", "9": "loss gap"}


def main() -> None:
    """Draw parity, training and inference side by side."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else environment.RESULTS
    figure = Figure(figsize=(9.6, 3.6), layout="constrained")
    panels = figure.subplots(1, 3, width_ratios=[1.4, 2, 1])
    errors(panels[0], PARITY.read_text())
    for axes, name in zip(panels[1:], ("training", "inference"), strict=True):
        result = json.loads((folder / f"{name}.json").read_text())
        bars(axes, name, result["rows"])
    about = result["environment"]
    panels[1].set_ylabel("images/s, flaxnets / PyTorch")
    handles = panels[1].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower right", ncols=4, fontsize=8)
    figure.suptitle(
        f"{about['device']}, {about['cores']} cores; jax {about['jax']}, "
        f"torch {about['torch']}; {about['date']}",
        fontsize=9,
    )
    figure.savefig(folder / "overview.png", dpi=180)


def errors(axes, page: str) -> None:
    """The worst error of each level over the networks, and the bound of that network."""
    rows = [line.split(" | ") for line in page.splitlines() if line.count(" | ") == 7]
    for lane, color in (("float64", "C0"), ("float32", "C1")):
        for place, level in enumerate(LEVELS):
            found = [row for row in rows if (row[1].split()[0], row[2]) == (level, lane)]
            of_level = [(float(row[4]), row[5]) for row in found if row[5] != "-"]
            if of_level:
                error, bound = max(of_level)
                axes.semilogy(place, error, "o", color=color, label="" if place else lane)
                axes.semilogy(place, float(bound), "_", ms=16, color=color)
    axes.plot([], [], "k_", ms=16, label="bound")
    axes.legend(fontsize=7, loc="lower left", ncols=3)
    axes.set_xticks(range(len(LEVELS)), LEVELS.values(), rotation=30)
    axes.set(
        title="worst error beside PyTorch",
        ylabel="max|a - b| / max|b|",
        xlim=(-0.5, 4.5),
        ylim=(1e-19, 1),
    )
    axes.grid(alpha=0.3)


def bars(axes, name: str, rows: list[dict]) -> None:
    """A group of bars a batch size, one a model."""
    sizes = sorted({row["batch_size"] for row in rows})
    models = list(dict.fromkeys(row["model"] for row in rows))
    for i, model in enumerate(models):
        of_model = {row["batch_size"]: row for row in rows if row["model"] == model}
        places = [sizes.index(size) + 0.27 * (i - (len(models) - 1) / 2) for size in of_model]
        heights = [row["ratio"] for row in of_model.values()]
        below = [row["ratio"] - min(row["ratios"]) for row in of_model.values()]
        above = [max(row["ratios"]) - row["ratio"] for row in of_model.values()]
        axes.bar(
            places, heights, 0.25, yerr=[below, above], capsize=2, color=COLORS[model], label=model
        )
    axes.axhline(1, color="k", lw=1, ls="--", label="as fast as the best of PyTorch")
    axes.set_xticks(range(len(sizes)), [f"{size:,}" for size in sizes])
    axes.set(title=f"{name} speed", xlabel="batch size")
    axes.grid(axis="y", alpha=0.3)


if __name__ == "__main__":
    main()

"""The picture of the README: how many times as fast as PyTorch, from the other scripts' results.

    python benchmarks/plot.py [FOLDER]

Writes speed.png beside the results: the median ratio of each point, and its range over the pairs.
"""

import json
import sys
from pathlib import Path

import environment
from matplotlib.figure import Figure

COLORS = {"cnn": "C0", "mlp": "C1", "softmax_mlp": "C2"}


def main() -> None:
    """Draw training and inference side by side."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else environment.RESULTS
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    panels = figure.subplots(1, 2, width_ratios=[2, 1])
    for axes, name in zip(panels, ("training", "inference"), strict=True):
        result = json.loads((folder / f"{name}.json").read_text())
        bars(axes, name, result["rows"])
    about = result["environment"]
    panels[0].set_ylabel("images/s, flaxnets / best of PyTorch")
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=4, fontsize=8)
    figure.suptitle(f"{about['device']}, {about['cores']} cores; jax {about['jax']}, "
                    f"torch {about['torch']}; {about['date']}", fontsize=9)  # fmt: skip
    figure.savefig(folder / "speed.png", dpi=130)


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
    axes.axhline(1, color="k", lw=1, ls="--", label="as fast as PyTorch")
    axes.set_xticks(range(len(sizes)), [f"{size:,}" for size in sizes])
    axes.set(title=f"{name}, float32", xlabel="batch size")
    axes.grid(axis="y", alpha=0.3)


if __name__ == "__main__":
    main()

"""Pictures for the report: errors by layer, initial distributions, the trajectories of the loss."""

from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
import torch

from flaxnets import interop
from flaxnets.parity.bounds import FLOAT32, FLOAT64
from flaxnets.parity.compare import LEVELS
from flaxnets.parity.levels.trajectory import losses
from flaxnets.parity.report import Report
from flaxnets.parity.tutorials import tutorial

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(report: Report, folder: Path) -> list[str]:
    """Write a picture of each kind into ``pictures/``, and return their names from the folder.

    Distributions and trajectories are those of the report's first network.
    """
    first = report.records[0].model
    figures = {
        "errors_by_layer.png": errors(report),
        "initial_distributions.png": distributions(first),
        "loss_trajectories.png": trajectories(first),
    }
    (folder / "pictures").mkdir(exist_ok=True)
    names = [f"pictures/{name}" for name in figures]
    for name, figure in zip(names, figures.values(), strict=True):
        figure.savefig(folder / name, dpi=130)
    return names


def errors(report: Report) -> "Figure":
    """The error and the bound of every layer and gradient, by precision."""
    models = list(dict.fromkeys(record.model for record in report.records))
    figure = _figure(12, 3.6 * len(models))
    for row, model in zip(figure.subplots(len(models), 3, squeeze=False), models, strict=True):
        for axes, level in zip(row, (3, 5, 7), strict=True):
            for lane, color in (("float64", "C0"), ("float32", "C1"), ("tf32", "C2")):
                found = [
                    r for r in report.records if (r.model, r.level, r.lane) == (model, level, lane)
                ]
                if found:
                    names = [r.name for r in found]
                    values = [max(r.error, 1e-17) for r in found]  # 0 has no place on the axis
                    axes.plot(names, values, "o", color=color, label=f"{lane}: error")
                    axes.plot(
                        names,
                        [r.bound for r in found],
                        "_",
                        color=color,
                        ms=12,
                        label=f"{lane}: bound",
                    )
            axes.set(
                title=f"{model}: {LEVELS[level].title}",
                ylabel="max|a - b| / max|b|",
                yscale="log",
                ylim=(3e-18, 1e-1),
            )
            axes.tick_params("x", rotation=75, labelsize=7)
            axes.grid(alpha=0.3)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=6)
    return figure


def distributions(name: str, seeds: int = 20) -> "Figure":
    """The initial values of each tensor, of both sides over each other."""
    pair = tutorial(name).pair
    torch.manual_seed(0)
    theirs = [pair.network().state_dict() for _ in range(seeds)]
    keys = [jax.random.key(seed) for seed in range(seeds)]
    init, x = jax.jit(pair.model.init), pair.to_flax(np.zeros((1, *pair.shape)))
    ours = [interop.to_torch(pair.model, init(key, jnp.asarray(x))) for key in keys]
    columns = (len(theirs[0]) + 1) // 2
    figure = _figure(3 * columns, 5.5)
    for axes, tensor in zip(figure.subplots(2, columns).flat, theirs[0], strict=False):
        values = (
            np.concatenate([draw[tensor].ravel() for draw in ours])[:200_000],
            np.concatenate([draw[tensor].numpy().ravel() for draw in theirs])[:200_000],
        )
        for value, label, style in zip(
            values, ("flaxnets", "PyTorch"), ("stepfilled", "step"), strict=True
        ):
            axes.hist(value, 20, density=True, histtype=style, alpha=0.7, label=label)
        axes.set(title=tensor, xlabel="initial value", ylabel="density")
    figure.axes[0].legend(fontsize=8)
    return figure


def trajectories(name: str) -> "Figure":
    """The loss of each step of an epoch of digits, both sides, and the gap between them."""
    figure = _figure(9, 4)
    left, right = figure.subplots(1, 2)
    for lane, color in ((FLOAT64, "C0"), (FLOAT32, "C1")):
        with lane():
            found = tutorial(name)
            theirs, ours = losses(found.pair, found.setting().splits.train, lane)
        steps = np.arange(1, len(ours) + 1)
        if lane == FLOAT32:
            left.plot(steps, theirs, "-", color="C3", lw=4, alpha=0.4, label="PyTorch")
            left.plot(steps, ours, "-", color="C0", label="flaxnets")
        gap = np.maximum(np.abs(ours - theirs), 1e-17)
        right.plot(steps, gap, "o-", ms=3, color=color, label=lane.name)
    left.set(
        title=f"{name}, digits: loss, same batches and masks", xlabel="step", ylabel="mean loss"
    )
    right.axhline(1e-9, color="C0", ls="--", lw=1, label="bound, float64")
    right.set(title="Gap between the two", xlabel="step", ylabel="|difference|", yscale="log")
    for axes in (left, right):
        axes.legend()
        axes.grid(alpha=0.3)
    return figure


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure  # not pyplot: no window system, no global state

    return Figure(figsize=(width, height), layout="constrained")

"""Pictures of a run. matplotlib is imported only when one is drawn."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_run(
    paths: Sequence[Path],
    history: Sequence[Any],
    test: Any,
    probabilities: Any,
    classes: Sequence[str],
) -> None:
    """Save a run's learning curves, its confusion matrix, and its worst mistakes.

    Args:
        paths: the files of these three pictures.
        history: the metrics of each epoch.
        test: the images and labels of the test set.
        probabilities: (N, K), what the network gives for each test image.
        classes: the K names of the classes.
    """
    images, labels = (np.asarray(array) for array in test)
    probabilities = np.asarray(probabilities)
    figures = (
        learning_curves(history),
        confusion_matrix(labels, probabilities.argmax(1), classes),
        mistakes(images, labels, probabilities, classes),
    )
    for path, figure in zip(paths, figures, strict=True):
        figure.savefig(path, dpi=150)


def learning_curves(history: Sequence[Any]) -> "Figure":
    """Train and test loss, and test accuracy, against the epoch."""
    figure = _figure(9, 3.8)
    left, right = figure.subplots(1, 2)
    epochs = [metrics.epoch for metrics in history]
    left.plot(epochs, [m.train_loss for m in history], "o-", label="train, as it was trained on")
    left.plot(epochs, [m.test_loss for m in history], "s--", label="test")
    left.set(title="Loss", xlabel="epoch", ylabel="mean loss per image")
    left.legend()
    accuracies = [100 * m.test_accuracy for m in history]
    right.plot(epochs, accuracies, "s--", color="C1", label=f"test, last {accuracies[-1]:.2f} %")
    right.set(title="Accuracy", xlabel="epoch", ylabel="test accuracy (%)")
    right.legend(loc="lower right")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    return figure


def confusion_matrix(labels: Any, predicted: Any, classes: Sequence[str]) -> "Figure":
    """How often each class (row) was taken for each class (column), as counts."""
    k = len(classes)
    counts = np.bincount(labels * k + predicted, minlength=k * k).reshape(k, k)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = _figure(7.5, 6.5)
    axes = figure.subplots()
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{count:,}", ha="center", va="center", color=color, fontsize=8)
    accuracy = 100 * np.trace(counts) / counts.sum()
    axes.set(
        title=f"Confusion matrix, {counts.sum():,} test images, {accuracy:.2f} % right",
        xlabel="predicted class",
        ylabel="true class",
    )
    slant: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(k), classes, **(slant if max(map(len, classes)) > 2 else {}))
    axes.set_yticks(range(k), classes)
    figure.colorbar(picture, label="share of the true class", shrink=0.8)
    return figure


def mistakes(
    images: Any, labels: Any, probabilities: Any, classes: Sequence[str], most: int = 20
) -> "Figure":
    """The wrong predictions that the network was most confident of."""
    predicted, confidence = probabilities.argmax(1), probabilities.max(1)
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:most]
    rows = max(1, -(-len(worst) // 5))
    figure = _figure(8, 1.2 + 1.9 * rows)
    figure.suptitle(
        f"The most confident of {len(wrong):,} mistakes in {len(labels):,} test images:\n"
        "predicted class and its probability, true class"
    )
    for axes in figure.subplots(rows, 5, squeeze=False).flat:
        axes.axis("off")
    for axes, i in zip(figure.axes, worst, strict=False):
        axes.imshow(images[i], cmap="gray_r", vmin=0, vmax=255)
        axes.set_title(
            f"{classes[predicted[i]]} ({100 * confidence[i]:.1f} %)\ntrue: {classes[labels[i]]}",
            fontsize=9,
        )
    return figure


def seen(pairs: Sequence[Any], probabilities: Any, classes: Sequence[str]) -> "Figure":
    """Each image as it was given, as the network saw it, and what it took it for.

    Args:
        pairs: for each image two arrays of grey levels, (H, W) and (28, 28) uint8.
        probabilities: (N, K).
        classes: the K names.
    """
    figure = _figure(9, 2.2 * len(pairs) + 0.4)
    rows = figure.subplots(len(pairs), 3, squeeze=False)
    for axes, pair, row in zip(rows, pairs, probabilities, strict=True):
        for place, image in zip(axes, pair, strict=False):
            place.imshow(image, cmap="gray", vmin=0, vmax=255)
            place.set(xticks=[], yticks=[])
        axes[2].barh(range(len(classes)), 100 * np.asarray(row), color="C0")
        axes[2].set_yticks(range(len(classes)), classes, fontsize=7)
        axes[2].invert_yaxis()
        axes[2].set(xlim=(0, 100), title=f"{classes[int(np.argmax(row))]} ({100 * max(row):.1f} %)")
    rows[0][0].set_title("given")
    rows[0][1].set_title("seen by the network")
    rows[-1][2].set_xlabel("probability (%)")
    return figure


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure  # not pyplot: no window system, no global state

    return Figure(figsize=(width, height), layout="constrained")

"""Level 10: the outcome of training. Level 11: a checkpoint carried over."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from scipy.stats import t, ttest_ind

from flaxnets import interop, training
from flaxnets.data import Split, Splits
from flaxnets.parity.bounds import FLOAT32, lanes
from flaxnets.parity.levels.trajectory import BATCH, RATE, random_batches, torch_step
from flaxnets.parity.pair import Pair
from flaxnets.parity.records import Record
from flaxnets.parity.sides import Sides

MARGIN = 0.005  # of the test accuracy: half a percentage point
SURE = 0.05  # the level of the equivalence test


def outcome(pair: Pair, splits: Splits, epochs: int, seeds: int) -> Iterator[Record]:
    """Level 10: the test accuracies of independent runs, by two one-sided tests (TOST).

    The error is the larger of the two p values: above ``SURE`` the means may differ by more than
    ``MARGIN``. Ours are trained in the precision that users get who ask for nothing.
    """
    ours, theirs = accuracies(pair, splits, epochs, seeds)
    lower = ttest_ind(ours + MARGIN, theirs, equal_var=False, alternative="greater").pvalue
    upper = ttest_ind(ours - MARGIN, theirs, equal_var=False, alternative="less").pvalue
    name = (
        f"accuracy of {seeds} seeds, {epochs} epochs: {_interval(ours)} / {_interval(theirs)}, TOST"
    )
    yield Record(pair.name, 10, name, lanes()[-1].name, float(max(lower, upper)), SURE)


def _interval(values: np.ndarray) -> str:
    """The mean and its interval of 95 %, by Student's t."""
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{100 * values.mean():.2f} +- {100 * half:.2f} %"


def accuracies(
    pair: Pair, splits: Splits, epochs: int, seeds: int
) -> tuple[np.ndarray, np.ndarray]:
    """The final test accuracy of each seed, ours and torch's."""
    ours, theirs = [], []
    for seed in range(seeds):
        config = training.Config(epochs=epochs, batch_size=BATCH, learning_rate=RATE, seed=seed)
        *_, last = training.fit(pair.model, splits, config, loss=pair.loss)
        ours.append(last.metrics.test_accuracy)
        net = _trained(pair, splits.train, epochs, seed)
        theirs.append(float((_classes(net, splits.test.images) == splits.test.labels).mean()))
    return np.array(ours), np.array(theirs)


def _trained(pair: Pair, train: Split, epochs: int, seed: int) -> Sides:
    with FLOAT32():
        sides = Sides(pair, FLOAT32, seed)
    optimizer = torch.optim.Adam(sides.net.parameters(), lr=RATE)
    sides.net.train()
    for epoch in range(epochs):
        for batch in random_batches(pair, train, seed=1000 * seed + epoch):
            torch_step(sides, optimizer, batch)
    sides.net.eval()
    return sides


def _classes(sides: Sides, images: np.ndarray) -> np.ndarray:
    inputs = sides.torch_inputs(sides.pair.images(images))
    with torch.no_grad():
        parts = [sides.net(part).argmax(1) for part in inputs.split(1000)]
    classes: np.ndarray = torch.cat(parts).numpy()
    return classes


def interchange(pair: Pair, splits: Splits, epochs: int = 1) -> Iterator[Record]:
    """Level 11: through a file of torch, to the same class of every test image, and back."""
    sides = _trained(pair, splits.train, epochs, seed=11)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.pt"
        torch.save({"epoch": epochs, "model_state_dict": sides.net.state_dict()}, path)
        state_dict = interop.load(path)
    variables = pair.from_torch(pair.model, state_dict)
    with FLOAT32():
        ours = np.asarray(training.predict(pair.model, variables, splits.test.images).argmax(1))
    differ = int((ours != _classes(sides, splits.test.images)).sum())
    name = f"class of {len(ours):,} test images"
    yield Record(pair.name, 11, name, "float32", float(differ), 0.0)
    back = interop.to_torch(pair.model, variables)
    same = all(
        back[name].tobytes() == tensor.numpy().tobytes()
        for name, tensor in sides.net.state_dict().items()
    )
    yield Record(pair.name, 11, "there and back, to the bit", "float32", float(not same), 0.0)

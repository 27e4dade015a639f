"""What does a checkpoint after each epoch cost?

    python benchmarks/checkpointing.py --data-dir DIR

The CNN on MNIST, batches of 64: turns of a fifth of an epoch, by turns without a checkpoint and
with one, from the opening of its folder to its last byte on disk. What a pair of turns differs by
is a checkpoint's cost, told as a part of the time of an epoch. Four minutes on two cores.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import environment

import flaxnets
from flaxnets import data, training
from flaxnets.runs.checkpoints import Checkpoints
from flaxnets.training import Chunk

EPOCH = 938  # steps


def main() -> None:
    """Print a line a pair of turns and the medians, and save all."""
    options, rows = parse(), []
    (images, labels), test = data.load("mnist", options.data_dir)
    n = 64 * options.steps
    splits = ((images[:n], labels[:n]), (test.images[:64], test.labels[:64]))
    chunks = training.chunks(flaxnets.CNN(), splits, training.Config(epochs=10**6, log_interval=10))
    train(chunks)  # compiles
    checkpoint(chunks)  # imports Orbax
    for _ in range(options.pairs):
        without, having = timed(train, chunks), timed(checkpoint, chunks)
        part = (having - without) / (without * EPOCH / options.steps)
        rows.append({"seconds_without": without, "seconds_with": having, "part_of_epoch": part})
        print(f"{without:.2f} s without, {having:.2f} s with: {part:+.1%} of an epoch", flush=True)
        environment.save(options.output, rows)
    parts = [row["part_of_epoch"] for row in rows]
    print(f"median {statistics.median(parts):+.2%}, {min(parts):+.2%} to {max(parts):+.2%}")


def timed(run, *arguments) -> float:
    """Seconds."""
    began = time.perf_counter()
    run(*arguments)
    return time.perf_counter() - began


def train(chunks: Iterator[Chunk]) -> Chunk:
    """The steps of a turn."""
    return next(chunk for chunk in chunks if chunk.metrics)


def checkpoint(chunks: Iterator[Chunk]) -> None:
    """The steps of a turn while a checkpoint is written."""
    with tempfile.TemporaryDirectory() as folder, Checkpoints(Path(folder)) as checkpoints:
        chunk = next(chunks)
        checkpoints.save(chunk.step, chunk.snapshot, {}, 0.5)
        if not chunk.metrics:
            train(chunks)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = environment.parser(__doc__, "checkpointing.json")
    parser.add_argument("--steps", type=int, default=190, help="of a turn (default: 190)")
    parser.add_argument("--pairs", type=int, default=25, help="of turns (default: 25)")
    return parser.parse_args()


if __name__ == "__main__":
    main()

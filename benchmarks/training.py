"""How fast does flaxnets train beside eager PyTorch?

    python benchmarks/training.py --data-dir ../shared/data/mnist

Both sides in one process, taking turns (A B A B), with the same data in memory, the same batch
size, dropout on, Adam, the loss read at the end of a turn. PyTorch in both memory layouts where
it has two. Compilation is not timed. About two minutes for the CNN at batch 64 on two cores.
"""

import argparse
import itertools
import statistics

import environment
from torch_side import Trainer

import flaxnets
from flaxnets import data, training


def main() -> None:
    """Print a line a model and batch size, and save all."""
    options = parse()
    print(" ".join(f"{key}={value}" for key, value in environment.describe().items()))
    print(f"{'model':12} {'batch':>5} {'flaxnets':>10} {'torch':>10} {'ratio':>6}   of each pair")
    splits, rows = data.load("mnist", options.data_dir), []
    for model, batch_size in itertools.product(options.model, options.batch_size):
        rows.append(compare(model, batch_size, splits, options.steps, options.pairs))
        show(rows[-1])
        environment.save(options.output, rows)


def compare(model: str, batch_size: int, splits: data.Splits, steps: int, pairs: int) -> dict:
    """Images per second on both sides by turns, and their ratios."""
    layouts = [False, True] if model == "cnn" else [False]
    torches = [Trainer(model, splits.train, batch_size, channels_last=last) for last in layouts]
    ours, theirs = our_turns(model, batch_size, splits, steps), []
    for trainer in torches:
        trainer.steps(itertools.islice(trainer.batches(), 3))
    rates = []
    for _ in range(pairs):
        rates.append(next(ours))
        theirs.append([t.steps(itertools.islice(t.batches(), steps)) for t in torches])
    best = max(range(len(torches)), key=lambda i: statistics.median(row[i] for row in theirs))
    return {
        "model": model,
        "batch_size": batch_size,
        "steps": steps,
        "flaxnets": rates,
        "torch": [row[best] for row in theirs],
        "torch_layout": ["contiguous", "channels_last"][best],
        "ratios": [a / row[best] for a, row in zip(rates, theirs, strict=True)],
    }


def our_turns(model: str, batch_size: int, splits: data.Splits, steps: int):
    """The images per second of each turn of that many steps."""
    config = training.Config(epochs=10**6, batch_size=batch_size, log_interval=steps)
    few = (splits.train, data.Split(*(array[:10] for array in splits.test)))
    for chunk in training.chunks(flaxnets.MODELS[model](), few, config):
        if not chunk.metrics:  # the last turn of an epoch is shorter
            yield chunk.images_per_second


def show(row: dict) -> None:
    """A line of the table."""
    ours, theirs, ratio = (statistics.median(row[key]) for key in ("flaxnets", "torch", "ratios"))
    spread = f"{min(row['ratios']):.2f}..{max(row['ratios']):.2f}"
    print(f"{row['model']:12} {row['batch_size']:5} {ours:10,.0f} {theirs:10,.0f} "
          f"{ratio:6.2f}   {spread} ({row['torch_layout']})", flush=True)  # fmt: skip


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", required=True, help="the folder of MNIST's IDX files")
    parser.add_argument("--model", nargs="+", default=["cnn"], choices=flaxnets.MODELS)
    parser.add_argument("--batch-size", nargs="+", type=int, default=[64])
    parser.add_argument("--steps", type=int, default=40, help="of a turn (default: 40)")
    parser.add_argument("--pairs", type=int, default=9, help="of turns (default: 9)")
    parser.add_argument("--output", default=environment.RESULTS / "training.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()

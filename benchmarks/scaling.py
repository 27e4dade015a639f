"""How does the cost of training grow with the batch and with the data?

    python benchmarks/scaling.py --data-dir DIR

Milliseconds a step and seconds an epoch, by batch size on all of MNIST, and by the number of
examples at batch 64. Medians of turns, both sides, torch eager. About five minutes on two cores.
"""

import argparse
import itertools
import statistics

import environment
import turns
from torch_side import Trainer
from training import our_turns

import flaxnets
from flaxnets import data


def main() -> None:
    """Print a line a point, and save all."""
    options, rows = parse(), []
    train, test = data.load("mnist", options.data_dir)
    print(
        f"{'model':12} {'batch':>5} {'examples':>8} "
        f"{'flaxnets, ms':>12} {'s an epoch':>12} {'torch, ms':>12} {'s an epoch':>12}"
    )
    points = [(batch, len(train.labels)) for batch in options.batch_size]
    points += [(64, examples) for examples in options.examples]
    for model, (batch_size, examples) in itertools.product(options.model, points):
        few = data.Splits(data.Split(train.images[:examples], train.labels[:examples]), test)
        rates = point(model, batch_size, few, options)
        medians = {side: statistics.median(rates[side]) for side in rates}
        rows.append(
            {
                "model": model,
                "batch_size": batch_size,
                "examples": examples,
                "rates": rates,
                "milliseconds_a_step": {side: 1e3 * batch_size / m for side, m in medians.items()},
                "seconds_an_epoch": {side: examples / m for side, m in medians.items()},
            }
        )
        print(
            f"{model:12} {batch_size:5} {examples:8}",
            *(f"{1e3 * batch_size / m:12.2f} {examples / m:12.2f}" for m in medians.values()),
            flush=True,
        )
        environment.save(options.output, rows)


def point(model: str, batch_size: int, splits: data.Splits, options: argparse.Namespace) -> dict:
    """Images per second of both sides at each turn."""
    steps = max(1, min(options.images, len(splits.train.labels) // 2) // batch_size)
    trainer = Trainer(model, splits.train, batch_size)
    sides = {
        "flaxnets": our_turns(model, batch_size, splits, steps, False).__next__,
        "torch": lambda: trainer.steps(itertools.islice(trainer.batches(), steps)),
    }
    turns.take_turns(sides, 1)
    return turns.take_turns(sides, options.pairs)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = environment.parser(__doc__, "scaling.json")
    add = parser.add_argument
    add("--model", nargs="+", default=["cnn", "mlp"], choices=flaxnets.MODELS)
    add("--batch-size", nargs="+", type=int, default=[1, 4, 16, 64, 256, 1024, 4096])
    add("--examples", nargs="+", type=int, default=[1000, 4000, 16000])
    add("--images", type=int, default=1000, help="of a turn, at least a batch (default: 1000)")
    add("--pairs", type=int, default=5, help="of turns (default: 5)")
    return parser.parse_args()


if __name__ == "__main__":
    main()

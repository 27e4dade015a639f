"""How long until the CNN, as the tutorial defines it, is right on 99 % of MNIST's test images?

    python benchmarks/time_to_99.py --data-dir DIR

The run is that of ``flaxnets train --preset fast``, of fixed length; its accuracy is that of its
end, on all 10,000 test images, the mean over the seeds. torch goes through the same run, with the
same schedule. Seconds are of training alone, without compilation and evaluation. Six minutes on
two cores; on a GPU give --seeds 20.
"""

import argparse
import statistics

import environment
import jax.numpy as jnp
import numpy as np
import torch
from torch_side import Trainer

import flaxnets
from flaxnets import data, training
from flaxnets.runs.plan import PRESETS
from flaxnets.training.config import learning_rates


def main() -> None:
    """Print a line a run and the means, and save after each run."""
    options, rows = parse(), []
    train, test = data.load("mnist", options.data_dir)
    splits = data.Splits(data.Split(*(array[: options.examples] for array in train)), test)
    for seed in range(options.seeds):
        sides = {"flaxnets": run_flaxnets, "torch": run_torch}
        for side, run in sides.items():
            accuracy, seconds = run(options, splits, seed)
            rows.append(
                {
                    "side": side,
                    "seed": seed,
                    "accuracy": accuracy,
                    "seconds": seconds,
                    "settings": settings(options),
                }
            )
            print(f"{side:8} seed {seed} {100 * accuracy:.2f} % {seconds:.1f} s", flush=True)
            environment.save(options.output, rows)
    for side in sides:
        of_side = [row for row in rows if row["side"] == side]
        mean = statistics.mean(row["accuracy"] for row in of_side)
        seconds = statistics.median(row["seconds"] for row in of_side)
        print(f"{side:8} mean {100 * mean:.3f} % of {len(of_side)} seeds, {seconds:.1f} s")


def settings(options: argparse.Namespace) -> dict:
    """What the run is made of."""
    names = ("epochs", "batch_size", "lr", "precision", "variant")
    return {name: getattr(options, name) for name in names}


def run_flaxnets(
    options: argparse.Namespace, splits: data.Splits, seed: int
) -> tuple[float, float]:
    """The final test accuracy, and the seconds of training."""
    half = options.precision == "bfloat16"
    config = training.Config(
        epochs=options.epochs,
        batch_size=options.batch_size,
        learning_rate=options.lr,
        schedule="one-cycle",
        seed=seed,
    )
    model = flaxnets.CNN(dtype=jnp.bfloat16 if half else None)
    metrics = [epoch.metrics for epoch in training.fit(model, splits, config)]
    return metrics[-1].test_accuracy, sum(m.seconds for m in metrics)


def run_torch(options: argparse.Namespace, splits: data.Splits, seed: int) -> tuple[float, float]:
    """The same in PyTorch."""
    half, n = options.precision == "bfloat16", len(splits.train.labels)
    trainer = Trainer("cnn", splits.train, options.batch_size, seed, options.variant, half)
    trainer.warm_up()
    steps = training.steps_per_epoch(n, options.batch_size) * options.epochs
    rates = np.asarray(learning_rates("one-cycle", 1.0, steps, 0, steps))
    trainer.optimizer.param_groups[0]["lr"] = options.lr
    schedule = torch.optim.lr_scheduler.LambdaLR(
        trainer.optimizer, lambda step: float(rates[min(step, steps - 1)])
    )
    seconds = sum(n / trainer.steps(trainer.batches(), schedule) for _ in range(options.epochs))
    return trainer.accuracy(splits.test), seconds


def parse() -> argparse.Namespace:
    """The command line."""
    parser = environment.parser(__doc__, "time_to_99.json")
    add, preset = parser.add_argument, PRESETS["fast"]
    add("--seeds", type=int, default=5, help="runs on each side (default: 5)")
    add("--examples", type=int, help="to train on; default: all")
    add("--epochs", type=int, default=preset["epochs"])
    add("--batch-size", type=int, default=preset["batch_size"])
    add("--lr", type=float, default=preset["learning_rate"])
    add("--precision", default="float32", choices=["float32", "bfloat16"])
    add(
        "--variant",
        default="compile" if torch.cuda.is_available() else "channels_last",
        help="of torch: eager, channels_last or compile",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""How accurate are the networks after training, here and in PyTorch with the same settings?

    python benchmarks/accuracy.py --data-dir ../shared/data

Adam at 1e-3, batches of 64, the tutorial's loss, every test image counted; each row over several
seeds. The seconds are those of training alone, without compilation and evaluation. About 25
minutes on two cores.
"""

import argparse
import statistics

import environment
from torch_side import Trainer

import flaxnets
from flaxnets import data, training

ROWS = ["cnn:digits:15", "cnn:mnist:3", "mlp:fashion_mnist:10", "softmax_mlp:mnist:10"]


def main() -> None:
    """Print a line a run, and a table at the end; save after each run."""
    options, rows = parse(), []
    for row, seed in [(row, seed) for row in options.row for seed in options.seeds]:
        model, dataset, epochs = row.split(":")
        splits = data.load(dataset, None if dataset == "digits" else options.data_dir)
        for side, run in {"flaxnets": run_flaxnets, "torch": run_torch}.items():
            accuracy, seconds = run(model, splits, int(epochs), seed)
            rows.append(
                {"row": row, "seed": seed, "side": side, "accuracy": accuracy, "seconds": seconds}
            )
            print(f"{row} seed {seed} {side:8} {100 * accuracy:.2f} % {seconds:.1f} s", flush=True)
            environment.save(options.output, rows)
    print(table(rows))


def run_flaxnets(model: str, splits: data.Splits, epochs: int, seed: int) -> tuple[float, float]:
    """The final test accuracy, and the seconds of training."""
    config = training.Config(epochs=epochs, seed=seed)
    metrics = [e.metrics for e in training.fit(flaxnets.MODELS[model](), splits, config)]
    return metrics[-1].test_accuracy, sum(m.seconds for m in metrics)


def run_torch(model: str, splits: data.Splits, epochs: int, seed: int) -> tuple[float, float]:
    """The same in PyTorch."""
    trainer = Trainer(model, splits.train, 64, seed)
    n = len(splits.train.labels)
    seconds = sum(n / trainer.steps(trainer.batches()) for _ in range(epochs))
    return trainer.accuracy(splits.test), seconds


def table(rows: list[dict]) -> str:
    """Markdown, a line a setting."""
    lines = [
        "| model | dataset | epochs | flaxnets | PyTorch | seconds | PyTorch |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for setting in dict.fromkeys(row["row"] for row in rows):
        cells = setting.split(":")
        sides = [
            [r for r in rows if (r["row"], r["side"]) == (setting, side)]
            for side in ("flaxnets", "torch")
        ]
        for side in sides:
            accuracies = [100 * r["accuracy"] for r in side]
            cells.append(f"{min(accuracies):.2f}-{max(accuracies):.2f} %")
        cells += [f"{statistics.median(r['seconds'] for r in side):.1f}" for side in sides]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = environment.parser(__doc__, "accuracy.json", data=False)
    parser.add_argument("--data-dir", help="the folder that holds mnist/ and fashion_mnist/")
    parser.add_argument("--row", nargs="+", default=ROWS, help="as model:dataset:epochs")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    return parser.parse_args()


if __name__ == "__main__":
    main()

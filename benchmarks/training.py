"""How fast does flaxnets train beside PyTorch?

    python benchmarks/training.py --data-dir DIR

Both sides in one process, taking turns (A B A B), with the same data in memory, the same batch
size, dropout on, Adam, the loss read at the end of a turn. PyTorch eager with Adam as the tutorials
have it, in both memory layouts where a network has two; with torch's fused Adam; and by
torch.compile with --compile (on a GPU always, with CUDA graphs). The ratio is to the best of those
that ran. Compilation is not timed: see startup.py. About six minutes on two cores.
"""

import argparse
import itertools

import environment
import jax
import jax.numpy as jnp
import turns
from torch_side import Trainer, use_precision

import flaxnets
from flaxnets import data, training


def main() -> None:
    """Print a line a model and batch size, and save all."""
    options = parse()
    print(" ".join(f"{key}={value}" for key, value in environment.describe().items()))
    print(turns.HEAD)
    splits, rows = data.load("mnist", options.data_dir), []
    use_precision(options.precision)
    if options.precision == "highest":
        jax.config.update("jax_default_matmul_precision", "highest")
    for model, batch_size in itertools.product(options.model, options.batch_size):
        rows.append(compare(model, batch_size, splits, options))
        print(turns.line(rows[-1]), flush=True)
        environment.save(options.output, rows)


def compare(model: str, batch_size: int, splits: data.Splits, options: argparse.Namespace) -> dict:
    """Images per second on both sides by turns, and their ratios."""
    half = options.precision == "bfloat16"
    whole = training.steps_per_epoch(len(splits.train.labels), batch_size)
    steps = max(1, min(options.images // batch_size, whole - 1))
    sides = {"flaxnets": our_turns(model, batch_size, splits, steps, half).__next__}
    for variant in turns.variants(model, options.compile):
        trainer = Trainer(model, splits.train, batch_size, variant=variant, half=half)
        trainer.warm_up()
        sides[variant] = lambda t=trainer: t.steps(itertools.islice(t.batches(), steps))
    found = turns.compare(turns.take_turns(sides, options.pairs))
    return {
        "model": model,
        "batch_size": batch_size,
        "steps": steps,
        "precision": options.precision,
        **found,
    }


def our_turns(model: str, batch_size: int, splits: data.Splits, steps: int, half: bool):
    """The images per second of each turn of that many steps."""
    config = training.Config(epochs=1000, batch_size=batch_size, log_interval=steps)
    few = (splits.train, data.Split(*(array[:10] for array in splits.test)))
    network = flaxnets.MODELS[model](dtype=jnp.bfloat16 if half else None)
    for chunk in training.chunks(network, few, config):
        if not chunk.metrics:  # the last turn of an epoch is shorter
            yield chunk.images_per_second


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = environment.parser(__doc__, "training.json")
    add = parser.add_argument
    add("--model", nargs="+", default=list(flaxnets.MODELS), choices=flaxnets.MODELS)
    add("--batch-size", nargs="+", type=int, default=[64, 128, 512, 4096])
    add("--images", type=int, default=5120, help="of a turn, at least a batch (default: 5120)")
    add("--pairs", type=int, default=9, help="of turns (default: 9)")
    add("--compile", action="store_true", help="also torch.compile, which takes a minute each")
    add(
        "--precision",
        default="default",
        choices=["default", "highest", "bfloat16"],
        help="on a GPU default is TF32 on both sides (default: default)",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()

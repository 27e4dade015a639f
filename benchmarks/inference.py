"""How fast does flaxnets classify beside PyTorch?

    python benchmarks/inference.py --data-dir DIR

From float32 images in the device's memory to outputs in NumPy, by ``flaxnets.training.predict``
and by the module called under ``torch.inference_mode``; both sides by turns. One image at a time,
and 1,000 at once. Three minutes on two cores.
"""

import argparse
import itertools
import time

import environment
import jax
import jax.numpy as jnp
import numpy as np
import turns
from torch_side import Trainer

import flaxnets
from flaxnets import data, training

CALLS = 10  # of a turn at least: after its pause the first ones are slow, torch's above all


def main() -> None:
    """Print a line a model and batch size, and save all."""
    options = parse()
    print(" ".join(f"{key}={value}" for key, value in environment.describe().items()))
    print(turns.HEAD)
    splits, rows = data.load("mnist", options.data_dir), []
    for model, batch_size in itertools.product(options.model, options.batch_size):
        rows.append(compare(model, batch_size, splits, options.images, options.pairs))
        print(turns.line(rows[-1]), flush=True)
        environment.save(options.output, rows)


def compare(model: str, batch_size: int, splits: data.Splits, images: int, pairs: int) -> dict:
    """Images per second on both sides by turns, and their ratios."""
    calls = max(images // batch_size, CALLS)
    sides = {"flaxnets": ours(model, splits.test.images[:batch_size])}
    for variant in ["eager"] + (["channels_last"] if model == "cnn" else []):
        trainer = Trainer(model, splits.test, batch_size, variant=variant)
        trainer.network.eval()
        batch = trainer.images[:batch_size]
        sides[variant] = lambda t=trainer, b=batch: t.predict(b)
    timed = {name: lambda c=call: rate(c, calls, batch_size) for name, call in sides.items()}
    turns.take_turns(timed, 1)  # compiles, and fills the caches
    found = turns.compare(turns.take_turns(timed, pairs))
    return {"model": model, "batch_size": batch_size, "calls": calls, **found}


def ours(model: str, images: np.ndarray):
    """A call that classifies these images."""
    network, batch = flaxnets.MODELS[model](), jnp.asarray(images / np.float32(255))
    variables = network.init(jax.random.key(0), jnp.zeros((1, 28, 28)))
    return lambda: np.asarray(training.predict(network, variables, batch))


def rate(call, calls: int, batch_size: int) -> float:
    """Images per second."""
    began = time.perf_counter()
    for _ in range(calls):
        call()
    return calls * batch_size / (time.perf_counter() - began)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = environment.parser(__doc__, "inference.json")
    add = parser.add_argument
    add("--model", nargs="+", default=list(flaxnets.MODELS), choices=flaxnets.MODELS)
    add("--batch-size", nargs="+", type=int, default=[1, 1000])
    add("--images", type=int, default=200, help="of a turn, at least ten batches (default: 200)")
    add("--pairs", type=int, default=15, help="of turns (default: 15)")
    return parser.parse_args()


if __name__ == "__main__":
    main()

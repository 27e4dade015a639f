"""How much memory does training take at its peak?

    python benchmarks/memory.py --data-dir DIR

Each run is a process of its own that trains a few steps on MNIST; the figure is the largest
resident set of the process on a CPU, what the framework's allocator had in use at most on a GPU.
About a minute on two cores.
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import environment
import numpy as np

from flaxnets import data

RUN = """
import itertools, resource, sys, types
import numpy as np
side, model, batch_size, file = sys.argv[1:]
batch_size = int(batch_size)
train = types.SimpleNamespace(**np.load(file))
if side == "flaxnets":
    import flaxnets, jax
    from flaxnets import training
    splits = (train.images, train.labels), (train.images[:10], train.labels[:10])
    config = training.Config(batch_size=batch_size, log_interval=3)
    for _ in itertools.islice(training.chunks(flaxnets.MODELS[model](), splits, config), 2):
        pass
    gpu = jax.default_backend() == "gpu"
    used = jax.devices()[0].memory_stats()["peak_bytes_in_use"] if gpu else None
else:
    import torch
    from torch_side import Trainer
    trainer = Trainer(model, train, batch_size)
    trainer.steps(itertools.islice(trainer.batches(), 6))
    used = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
print(used or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def main() -> None:
    """Print a line a model, batch size and side, and save all."""
    options, rows = parse(), []
    print(f"{'model':12} {'batch':>5} {'flaxnets':>10} {'torch':>10} MB")
    train, sides = data.load("mnist", options.data_dir).train, ("flaxnets", "torch")
    with tempfile.TemporaryDirectory() as folder:
        np.savez(file := f"{folder}/train.npz", **train._asdict())
        for model, batch_size in itertools.product(options.model, options.batch_size):
            found = {side: peak(side, model, batch_size, file) for side in sides}
            rows.append({"model": model, "batch_size": batch_size, **found})
            print(
                f"{model:12} {batch_size:5}",
                *(f"{found[s] / 1e6:10,.0f}" for s in sides),
                flush=True,
            )
            environment.save(options.output, rows)


def peak(side: str, model: str, batch_size: int, file: str) -> int:
    """Bytes."""
    path = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    command = [sys.executable, "-c", RUN, side, model, str(batch_size), file]
    result = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    return int(result.stdout.splitlines()[-1])


def parse() -> argparse.Namespace:
    """The command line."""
    parser = environment.parser(__doc__, "memory.json")
    parser.add_argument("--model", nargs="+", default=["cnn", "mlp"])
    parser.add_argument("--batch-size", nargs="+", type=int, default=[64, 512, 4096])
    return parser.parse_args()


if __name__ == "__main__":
    main()

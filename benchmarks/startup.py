"""How long from the start of a process to its first step, and what of it is compilation?

    python benchmarks/startup.py

Each start is a process of its own: flaxnets with an empty cache of compiled programs, flaxnets
with a full one, and torch, by turns; and once the whole of ``python train.py`` with an empty one.
Two minutes on two cores.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import environment
import numpy as np

from flaxnets import data

FLAXNETS = """
import sys, time
import numpy as np
began = time.perf_counter()
import jax
from flaxnets.cli.compilation_cache import use_compilation_cache
import flaxnets
from flaxnets import training
use_compilation_cache()
imported = time.perf_counter()
compiled = 0.0
def listen(event, seconds, **_):  # tracing, lowering, and compiling or reading the cache
    global compiled
    compiled += seconds * event.startswith("/jax/core/compile/")
jax.monitoring.register_event_duration_secs_listener(listen)
images, labels = np.load(sys.argv[2]).values()
splits = (images, labels), (images[:64], labels[:64])
loaded = time.perf_counter()
next(training.chunks(flaxnets.MODELS[sys.argv[1]](), splits, training.Config(log_interval=1)))
print(imported - began, time.perf_counter() - loaded, compiled)
"""

TORCH = """
import sys, time, types
import numpy as np
began = time.perf_counter()
import torch
from torch_side import Trainer
imported = time.perf_counter()
train = types.SimpleNamespace(**np.load(sys.argv[2]))
loaded = time.perf_counter()
trainer = Trainer(sys.argv[1], train, 64)
trainer.steps([next(trainer.batches())])
print(imported - began, time.perf_counter() - loaded, 0.0)
"""

WHOLE = """
import time
began = time.perf_counter()
from flaxnets.cli.program import main
assert main(["train"]) == 0
print(0.0, time.perf_counter() - began, 0.0)
"""
# By turns: the first fills the cache that the second finds.
STARTS = {"flaxnets, cold": FLAXNETS, "flaxnets, cached": FLAXNETS, "torch": TORCH}
PARTS = ("import", "first step", "compile")


def main() -> None:
    """Print a line a model and kind of start, medians, and save all."""
    options, rows = parse(), []
    train = data.load("digits").train
    print(f"{'model':12} {'start':16} seconds")
    with tempfile.TemporaryDirectory() as folder:
        np.savez(file := f"{folder}/train.npz", **train._asdict())
        for model in options.model:
            for name, runs in by_turns(model, file, options.pairs).items():
                rows.append(
                    {
                        "model": model,
                        "start": name,
                        "runs": runs,
                        **{key: statistics.median(run[key] for run in runs) for key in PARTS},
                    }
                )
                show(rows[-1])
            environment.save(options.output, rows)
        if options.whole:
            rows.append(
                {
                    "model": "cnn",
                    "start": "python train.py, cold",
                    "runs": [],
                    **start(WHOLE, "cnn", file, f"{folder}/whole"),
                }
            )
            show(rows[-1])
            environment.save(options.output, rows)


def by_turns(model: str, file: str, pairs: int) -> dict[str, list[dict[str, float]]]:
    """The seconds of the parts of each kind of start, several times."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in STARTS}
    for _ in range(pairs):
        with tempfile.TemporaryDirectory() as cache:
            for name, code in STARTS.items():
                found[name].append(start(code, model, file, cache))
    return found


def start(code: str, model: str, file: str, cache: str) -> dict[str, float]:
    """The seconds of the parts of one process."""
    env = {**os.environ, "XDG_CACHE_HOME": cache, "PYTHONPATH": os.pathsep.join(PATH)}
    with tempfile.TemporaryDirectory() as folder:
        result = subprocess.run(
            [sys.executable, "-c", code, model, file],
            env=env,
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        )
    return dict(zip(PARTS, map(float, result.stdout.split()[-3:]), strict=True))


def show(row: dict) -> None:
    """A line of the table."""
    parts = ", ".join(f"{key} {row[key]:.2f}" for key in PARTS)
    print(f"{row['model']:12} {row['start']:24} {parts}", flush=True)


PATH = [str(Path(__file__).parent), str(Path(__file__).parents[1])]


def parse() -> argparse.Namespace:
    """The command line."""
    parser = environment.parser(__doc__, "startup.json", data=False)
    parser.add_argument("--model", nargs="+", default=["cnn", "mlp"])
    parser.add_argument(
        "--no-whole",
        dest="whole",
        action="store_false",
        help="leave out the whole run of python train.py",
    )
    parser.add_argument("--pairs", type=int, default=3, help="of starts (default: 3)")
    return parser.parse_args()


if __name__ == "__main__":
    main()

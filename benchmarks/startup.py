"""How long from the start of a process to its first step, and what of it is compilation?

    python benchmarks/startup.py

Each start is a process of its own: flaxnets with an empty cache of compiled programs, flaxnets
with a full one, and torch, by turns. Two minutes on two cores.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import environment

FLAXNETS = """
import json, sys, time
began = time.perf_counter()
import jax
from flaxnets.commands.cache import use_compilation_cache
import flaxnets
from flaxnets import data, training
use_compilation_cache()
imported = time.perf_counter()
compiled = 0.0
def listen(event, seconds, **_):
    global compiled
    compiled += seconds * (event in ("/jax/core/compile/backend_compile_duration",
                                     "/jax/compilation_cache/cache_retrieval_time_sec"))
jax.monitoring.register_event_duration_secs_listener(listen)
digits = data.load("digits")
loaded = time.perf_counter()
next(training.chunks(flaxnets.MODELS[sys.argv[1]](), digits, training.Config(log_interval=1)))
print(json.dumps({"import": imported - began, "first step": time.perf_counter() - loaded,
                  "compile": compiled}))
"""

TORCH = """
import json, sys, time
began = time.perf_counter()
import torch
from torch_side import Trainer
from flaxnets import data
imported = time.perf_counter()
digits = data.load("digits")
loaded = time.perf_counter()
trainer = Trainer(sys.argv[1], digits.train, 64)
trainer.steps([next(trainer.batches())])
print(json.dumps({"import": imported - began, "first step": time.perf_counter() - loaded}))
"""


def main() -> None:
    """Print a line a model and kind of start, medians, and save all."""
    options, rows = parse(), []
    print(f"{'model':12} {'start':16} {'seconds to the first step'}")
    for model in options.model:
        found = {"flaxnets, cold": [], "flaxnets, cached": [], "torch": []}
        for _ in range(options.pairs):
            with tempfile.TemporaryDirectory() as cache:
                for name, runs in found.items():
                    runs.append(start(TORCH if name == "torch" else FLAXNETS, model, cache))
        for name, runs in found.items():
            parts = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
            rows.append({"model": model, "start": name, **parts, "runs": runs})
            print(f"{model:12} {name:16}", ", ".join(f"{k} {v:.2f}" for k, v in parts.items()),
                  flush=True)  # fmt: skip
        environment.save(options.output, rows)


def start(code: str, model: str, cache: str) -> dict[str, float]:
    """The seconds of one process."""
    env = {**os.environ, "XDG_CACHE_HOME": cache, "PYTHONPATH": os.pathsep.join(PATH)}
    result = subprocess.run([sys.executable, "-c", code, model], env=env, check=True,
                            capture_output=True, text=True)  # fmt: skip
    return json.loads(result.stdout.splitlines()[-1])


PATH = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", nargs="+", default=["cnn", "mlp"])
    parser.add_argument("--pairs", type=int, default=3, help="of starts (default: 3)")
    parser.add_argument("--output", default=environment.RESULTS / "startup.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()

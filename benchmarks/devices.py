"""What does data parallelism of networks this small cost, and from where on does it pay?

    python benchmarks/devices.py --data-dir DIR

The same training on 1, 2, 4 and 8 devices of one process, and in 1, 2 and 4 processes on loopback:
milliseconds a step, and what a step must move and compute. On a CPU the devices are forced host
devices, which share the cores: their points show the price of sharing, not its profit. Five
minutes on two cores.
"""

import argparse
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys

import environment
import jax
import jax.numpy as jnp

import flaxnets
from flaxnets import cost

RUN = """
import json, sys
import jax
name, size, steps, turns, folder, coordinator, count, number = sys.argv[1:]
if int(count) > 1:
    jax.distributed.initialize(coordinator, int(count), int(number))
import flaxnets
from flaxnets import data, training
splits = data.load("mnist", folder)
few = (splits.train, [array[:10] for array in splits.test])
config = training.Config(epochs=1000, batch_size=int(size), log_interval=int(steps))
found = []
for chunk in training.chunks(flaxnets.MODELS[name](), few, config):
    found.append(1e3 * int(size) / chunk.images_per_second)
    if len(found) > int(turns):
        break
if number == "0":
    print(json.dumps(found[1:]), flush=True)
"""


def main() -> None:
    """Print a line a point, and save all."""
    options, rows = parse(), []
    print(f"{'model':12} {'batch':>5} {'devices':>8} {'processes':>9} {'ms a step':>10}")
    points = [(n, 1) for n in options.devices] + [(1, n) for n in options.processes if n > 1]
    for name, size in itertools.product(options.model, options.batch_size):
        facts = {"all_reduce_bytes": bytes_of_gradients(name), "flops": flops(name, size)}
        for devices, processes in points:
            found = run(name, size, devices, processes, options)
            rows.append(
                {
                    "model": name,
                    "batch_size": size,
                    "devices": devices,
                    "processes": processes,
                    "milliseconds": found,
                    **facts,
                }
            )
            print(
                f"{name:12} {size:5} {devices:8} {processes:9} {statistics.median(found):10.2f}",
                flush=True,
            )
            environment.save(options.output, rows)


def bytes_of_gradients(name: str) -> int:
    """What each device must add up with the others, in a step."""
    shapes = jax.eval_shape(flaxnets.MODELS[name]().init, jax.random.key(0), jnp.zeros((1, 28, 28)))
    return sum(4 * leaf.size for leaf in jax.tree.leaves(shapes))


def flops(name: str, size: int) -> int:
    """Of a training step."""
    return int(cost.cost(flaxnets.MODELS[name](), size).training.operations)


def run(name: str, size: int, devices: int, processes: int, options: argparse.Namespace) -> list:
    """Milliseconds a step at each turn."""
    forced = os.environ.get("XLA_FLAGS", "") + f" --xla_force_host_platform_device_count={devices}"
    visible = ",".join(map(str, range(devices)))  # on a GPU
    env = {
        **os.environ,
        "XLA_FLAGS": forced,
        "CUDA_VISIBLE_DEVICES": visible,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        coordinator = f"localhost:{listener.getsockname()[1]}"
    common = [name, size, options.steps, options.turns, options.data_dir, coordinator, processes]
    group = [
        subprocess.Popen(
            [sys.executable, "-c", RUN, *map(str, common), str(number)],
            env=env,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    outputs = [process.communicate()[0] for process in group]
    return json.loads(outputs[0].splitlines()[-1])  # Gloo speaks first


def parse() -> argparse.Namespace:
    """The command line."""
    parser = environment.parser(__doc__, "devices.json")
    add = parser.add_argument
    add("--model", nargs="+", default=["cnn", "mlp"], choices=flaxnets.MODELS)
    add("--batch-size", nargs="+", type=int, default=[64, 512])
    add("--devices", nargs="+", type=int, default=[1, 2, 4, 8])
    add("--processes", nargs="+", type=int, default=[1, 2, 4])
    add("--steps", type=int, default=20, help="of a turn (default: 20)")
    add("--turns", type=int, default=5, help="default: 5")
    return parser.parse_args()


if __name__ == "__main__":
    main()

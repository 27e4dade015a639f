"""Which way to take many steps is fastest on this device?

    python benchmarks/loops.py --data-dir DIR

The same training steps on MNIST as a loop with open bounds, which is what ``fit`` compiles; as a
``lax.scan`` of fixed length, plain and unrolled by eight; and as one jitted call a step, with and
without buffers given away. By turns; ratios are to the first. Two minutes on two cores.
"""

import argparse
import functools
import itertools
import statistics
import time

import environment
import jax
import jax.numpy as jnp
import optax
import turns

import flaxnets
from flaxnets import data
from flaxnets.training.batches import Batch, arrange, find_mesh, place
from flaxnets.training.state import initial_state
from flaxnets.training.step import run_steps, train_step


def main() -> None:
    """Print a line a model, batch size and loop, and save all."""
    options, rows, mesh = parse(), [], find_mesh()
    examples = place(data.load("mnist", options.data_dir).train, mesh)
    for name, size in itertools.product(options.model, options.batch_size):
        batches = arrange(examples, jnp.arange(len(examples.labels)), size, mesh)
        sides = loops(flaxnets.MODELS[name](), batches, options.steps)
        turns.take_turns(sides, 1)  # compiles
        rates = turns.take_turns(sides, options.pairs)
        for loop, of_loop in rates.items():
            ratios = [a / b for a, b in zip(of_loop, rates["fori"], strict=True)]
            ratio = statistics.median(ratios)
            rows.append(
                {"model": name, "batch_size": size, "loop": loop, "ratio": ratio, "rates": of_loop}
            )
            print(
                f"{name:12} {size:5} {loop:16} {statistics.median(of_loop):10,.0f} images/s "
                f"{ratio:5.2f}   {min(ratios):.2f}..{max(ratios):.2f}",
                flush=True,
            )
        environment.save(options.output, rows)


def loops(model, batches: Batch, steps: int) -> dict:
    """Turns of so many steps; each gives its images per second."""
    variables = model.init(jax.random.key(0), jnp.zeros((1, 28, 28)))
    state, key = initial_state(variables), jax.random.key(1)
    size = batches.labels.shape[1]

    def step(state, i):
        batch = jax.tree.map(lambda array: array[i], batches)
        step_key = jax.random.fold_in(key, state.step)
        return train_step(model, model.loss, optax.adam(1e-3), state, batch, step_key)

    def scan(unroll):
        return jax.jit(lambda s: jax.lax.scan(step, s, jnp.arange(steps), unroll=unroll))

    def one_by_one(donate):
        one = jax.jit(step, donate_argnums=donate)
        copy = jax.jit(lambda state: jax.tree.map(jnp.copy, state))

        def run(state):
            state = copy(state)
            for i in range(steps):
                state, loss = one(state, i)
            return state, loss

        return run

    def fori(state):
        rates = jnp.full(steps, 1e-3)
        return run_steps(model, model.loss, None, batches, key, rates, state, 0, steps)

    runs = {
        "fori": fori,
        "scan": scan(1),
        "scan, unrolled": scan(8),
        "jitted steps": one_by_one(()),
        "and given away": one_by_one(0),
    }
    return {name: functools.partial(timed, run, state, size * steps) for name, run in runs.items()}


def timed(run, state, images: int) -> float:
    """Images per second."""
    began = time.perf_counter()
    jax.block_until_ready(run(state))
    return images / (time.perf_counter() - began)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = environment.parser(__doc__, "loops.json")
    add = parser.add_argument
    add("--model", nargs="+", default=["cnn", "mlp"], choices=flaxnets.MODELS)
    add("--batch-size", nargs="+", type=int, default=[64])
    add("--steps", type=int, default=32, help="of a turn (default: 32)")
    add("--pairs", type=int, default=7, help="of turns (default: 7)")
    return parser.parse_args()


if __name__ == "__main__":
    main()

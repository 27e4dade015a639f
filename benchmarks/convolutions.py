"""Which way to convolve is fastest inside a compiled loop on this device?

    python benchmarks/convolutions.py

Training steps of one convolution: the outputs, from them the gradients of the images and of the
kernel, and both updated. In a ``fori_loop``, as flaxnets chooses to compute it and in every other
way that there is, and beside it in PyTorch, in both memory layouts. By turns; ratios are to
flaxnets' own choice: above 1 is faster. XLA's convolution, slow in a loop on a CPU, has one step a
turn. Five minutes on two cores.
"""

import argparse
import functools
import statistics
import time
from collections.abc import Mapping
from typing import NamedTuple

import environment
import jax
import numpy as np
import torch
import turns

from flaxnets.layers import conv1d, conv2d, conv_transpose2d
from flaxnets.layers.convolving import IMPLEMENTATIONS, fastest

RATE = 1e-6  # so small that nothing grows
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class Case(NamedTuple):
    """A convolution: torch's arguments, and the shapes of images and kernel as they lie here."""

    images: tuple[int, ...]
    kernel: tuple[int, ...]
    options: Mapping[str, int] = {}
    transposed: bool = False

    def ours(self):
        """The function of flaxnets."""
        whole = conv1d if len(self.images) == 3 else conv2d
        return functools.partial(conv_transpose2d if self.transposed else whole, **self.options)

    def theirs(self):
        """The function of torch."""
        kind = f"conv{'_transpose' * self.transposed}{len(self.images) - 2}d"
        return functools.partial(getattr(torch.nn.functional, kind), **self.options)

    def chosen(self) -> str:
        """The implementation that is the default here."""
        return fastest(self.kernel, self.options.get("groups", 1))

    def others(self) -> list[str]:
        """Those that can compute it too."""
        left = [name for name in IMPLEMENTATIONS if name != self.chosen()]
        return [name for name in left if name != "shifts" or self.kernel[-2] == 1]


CASES = {
    "3 x 3": Case((16, 32, 32, 64), (3, 3, 64, 64), {"padding": 1}),
    "3 x 3, stride 2": Case((16, 32, 32, 64), (3, 3, 64, 64), {"padding": 1, "stride": 2}),
    "3 x 3, depthwise": Case((16, 32, 32, 64), (3, 3, 1, 64), {"padding": 1, "groups": 64}),
    "3 x 3, dilated": Case((16, 32, 32, 64), (3, 3, 64, 64), {"padding": 2, "dilation": 2}),
    "3 x 3, 32 groups": Case((16, 16, 16, 128), (3, 3, 4, 128), {"padding": 1, "groups": 32}),
    "3 x 3, small maps": Case((16, 8, 8, 256), (3, 3, 256, 256), {"padding": 1}),
    "1 x 1": Case((16, 32, 32, 64), (1, 1, 64, 64)),
    "5 x 5": Case((16, 32, 32, 32), (5, 5, 32, 32), {"padding": 2}),
    "7 x 7": Case((16, 32, 32, 32), (7, 7, 32, 32), {"padding": 3}),
    "7 x 7, stride 2, of RGB": Case((16, 96, 96, 3), (7, 7, 3, 64), {"padding": 3, "stride": 2}),
    "7 x 7, depthwise": Case((16, 32, 32, 64), (7, 7, 1, 64), {"padding": 3, "groups": 64}),
    "4 x 4, stride 4": Case((16, 64, 64, 3), (4, 4, 3, 96), {"stride": 4}),
    "4 x 4, stride 2": Case((16, 32, 32, 64), (4, 4, 64, 64), {"padding": 1, "stride": 2}),
    "4 x 4, transposed": Case(
        (16, 16, 16, 64), (4, 4, 64, 64), {"padding": 1, "stride": 2}, transposed=True
    ),
    "3 x 3, transposed": Case(
        (16, 16, 16, 64),
        (3, 3, 64, 64),
        {"padding": 1, "output_padding": 1, "stride": 2},
        transposed=True,
    ),
    "5, of rows": Case((16, 512, 64), (5, 64, 64), {"padding": 2}),
}


def main() -> None:
    """Print a line a convolution and side, and save all."""
    options, rows = parse(), []
    for name in options.case:
        sides = all_sides(CASES[name], options.steps)
        turns.take_turns(sides, 1)  # compiles
        rates = turns.take_turns(sides, options.pairs)
        for side, of_side in rates.items():
            ratios = [a / b for a, b in zip(of_side, rates["flaxnets"], strict=True)]
            ratio = statistics.median(ratios)
            row = {"case": name, "side": side, "ratio": ratio, "rates": of_side}
            rows.append(row | {"chosen": CASES[name].chosen()})
            print(
                f"{name:24} {side:20} {1000 / statistics.median(of_side):9.2f} ms "
                f"{ratio:6.3f}   {min(ratios):.3f}..{max(ratios):.3f}",
                flush=True,
            )
        environment.save(options.output, rows)
        jax.clear_caches()


def all_sides(case: Case, steps: int) -> dict:
    """Turns of each side; each gives its steps per second."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=case.images).astype(np.float32)
    scale = np.sqrt(np.prod(case.kernel[:-1]))
    kernel = (rng.normal(size=case.kernel) / scale).astype(np.float32)
    found = {"flaxnets": ours(case.ours(), images, kernel, steps)}
    for name in case.others():
        convolve = functools.partial(case.ours(), implementation=name)
        found[name] = ours(convolve, images, kernel, 1 if name == "lax" else steps)
    layouts = {"torch": torch.contiguous_format}
    if len(case.images) == 4:
        layouts["torch, channels_last"] = torch.channels_last
    for name, layout in layouts.items():
        found[name] = theirs(case, images, kernel, steps, layout)
    return found


def ours(convolve, images, kernel, steps: int):
    """Of a loop that is compiled at the first turn."""

    def step(_, arrays):
        out, back = jax.vjp(convolve, *arrays)
        return jax.tree.map(lambda array, slope: array - RATE * slope, arrays, back(out))

    run = jax.jit(lambda arrays: jax.lax.fori_loop(0, steps, step, arrays))
    arrays = jax.device_put((images, kernel))
    return functools.partial(timed, lambda: jax.block_until_ready(run(arrays)), steps)


def theirs(case: Case, images, kernel, steps: int, layout):
    """Of torch's own loop. Of a transposed kernel with groups the layout would be another."""
    places = range(len(case.kernel) - 2)
    last = (-2, -1) if case.transposed else (-1, -2)
    arrays = [
        torch.tensor(np.moveaxis(images, -1, 1).copy(), device=DEVICE),
        torch.tensor(kernel.transpose(*np.arange(kernel.ndim)[[*last]], *places), device=DEVICE),
    ]
    arrays = [array.contiguous(memory_format=layout).requires_grad_() for array in arrays]
    convolve = case.theirs()

    def run():
        for _ in range(steps):
            out = convolve(*arrays)
            slopes = torch.autograd.grad(out, arrays, out.detach())
            with torch.no_grad():
                for array, slope in zip(arrays, slopes, strict=True):
                    array.sub_(slope, alpha=RATE)
        if DEVICE == "cuda":
            torch.cuda.synchronize()

    return functools.partial(timed, run, steps)


def timed(run, steps: int) -> float:
    """Steps per second."""
    began = time.perf_counter()
    run()
    return steps / (time.perf_counter() - began)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = environment.parser(__doc__, "convolutions.json", data=False)
    add = parser.add_argument
    add("--case", nargs="+", default=list(CASES), choices=CASES)
    add("--steps", type=int, default=5, help="of a turn (default: 5)")
    add("--pairs", type=int, default=5, help="of turns (default: 5)")
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""In which precisions it is compared, and what rounding may do in each."""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Lane(NamedTuple):
    """A precision to compare in."""

    name: str
    dtype: Any
    epsilon: float  # the spacing of numbers at 1
    rounding: float  # of the operands of a product, before it is taken; 0 if they are taken whole
    precision: str

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        wide = self.dtype == jnp.float64
        with jax.enable_x64(wide), jax.default_matmul_precision(self.precision):
            yield


FLOAT64 = Lane("float64", jnp.float64, 2.0**-52, 0.0, "highest")
FLOAT32 = Lane("float32", jnp.float32, 2.0**-23, 0.0, "highest")
TF32 = Lane("tf32", jnp.float32, 2.0**-23, 2.0**-11, "default")  # a GPU that is not told otherwise


def lanes() -> list[Lane]:
    """Those that this machine has; the last one is what users get who ask for nothing."""
    return [FLOAT64, FLOAT32] + ([TF32] if jax.default_backend() == "gpu" else [])


def rounding_bound(lane: Lane, sums: float, products: int) -> float:
    """What rounding may do to a tensor that was computed through several layers.

    A sum of n products, rounded at each step, has a relative error of about sqrt(n) epsilon / 4
    where the errors are independent: they add up like a random walk whose steps grow with the
    partial sums. Both sides have their own, and a layer passes on what it was given. Twice
    sqrt(n) epsilon a layer leaves a factor of five. Operands that are rounded before a product are
    off by ``lane.rounding`` at most each, which averages out over the sum: it does not grow
    with n. Four times that leaves a factor of two.

    Args:
        lane: the precision, narrower than float64.
        sums: the square roots of the lengths of the sums, added up.
        products: how many layers with products there are on the way.
    """
    return 2 * lane.epsilon * sums + 4 * lane.rounding * products


def is_norm(module: Any) -> bool:
    """Whether a module of torch normalises: each that does has an epsilon."""
    return hasattr(module, "eps")


def moments_length(output: np.ndarray) -> float:
    """The square root of the length of the sums that a norm with such an output takes.

    They run over an example, or over a channel of the batch. The output is in torch's layout.
    """
    channels = output.shape[1] if output.ndim > 1 else 1
    return float(np.sqrt(max(output[0].size, output.size / channels)))

"""A layer beside its twin in torch, in every respect: what differs, and by how much."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from draws.draw import Draw, Layer, normal
from layer_sides import Finding, Sides, copies, error_of, is_float, leaves_of
from scipy import stats

from flaxnets import interop
from flaxnets.interop.layout import as_numpy

# Sums of a few hundred terms of order one are rounded by about 1e-14 in float64, 1e-6 in float32.
# The bounds leave a hundredfold for what is ill conditioned, as the gradient of a norm of numbers
# that are nearly equal (1e-13 was found); another formula is off by more.
BOUND, SINGLE = 1e-12, 1e-4


def check_layer(ours: Any, theirs: torch.nn.Module, inputs: Draw | tuple[int, ...]) -> None:
    """Raise AssertionError naming each comparison in which the layer is not its twin.

    ``inputs`` is what was drawn, or the shape of one input as it lies here.
    """
    draw = inputs if isinstance(inputs, Draw) else Draw({}, normal(*inputs[1:]))
    failed = [f for f in compared(ours, theirs, draw) if not f.passed]
    assert not failed, f"{ours} with {draw.arguments}: " + "; ".join(
        f"{name} is {error:.2g} off, bound {bound:.2g}" for name, error, bound in failed
    )


def compared(ours: Any, theirs: torch.nn.Module, draw: Draw) -> Iterator[Finding]:
    """All comparisons of a layer with its twin."""
    name, their_name = type(ours).__name__, type(theirs).__name__
    same = repr(ours).replace(name, their_name, 1) == repr(theirs)
    yield Finding("print", float(not same), 0.0)
    for error in _errors(ours, theirs, draw):
        bounds = [bound for start, bound in draw.bounds.items() if error.name.startswith(start)]
        yield error._replace(bound=max([error.bound, *bounds]))


def _errors(ours: Any, theirs: torch.nn.Module, draw: Draw) -> Iterator[Finding]:
    theirs = theirs.double()
    with jax.enable_x64(True):
        sides = Sides(ours, theirs, draw, BOUND)
        yield from sides.conversion()
        yield from sides.call("evaluation", False, sides.inputs(3, 0))
        yield from sides.call("another batch size", False, sides.inputs(2, 1), slopes=False)
        for seed in (2, 3) if draw.trains else ():  # a second step shows what the first left
            yield from sides.call(f"training, step {seed - 1}", True, sides.inputs(3, seed))
            yield from sides.state(f"training, step {seed - 1}")
    yield from _in_single(ours, theirs.float(), draw)


def _in_single(ours: Any, theirs: torch.nn.Module, draw: Draw) -> Iterator[Finding]:
    """The same weights in float32: of its dtype, and as near as that has numbers."""
    sides = Sides(ours, theirs, draw, SINGLE)
    inputs = jax.tree.map(
        lambda leaf: np.float32(leaf) if is_float(leaf) else leaf, sides.inputs(3, 0)
    )
    # With gradients on: without them attention goes a way of its own, which is another function.
    outputs = sides.theirs.train(False)(*copies(sides.as_torchs(inputs)))
    found = sides.run(inputs, False, {}, [], False)[0]
    for i, (a, b) in enumerate(zip(jax.tree.leaves(found), leaves_of(outputs), strict=True)):
        b = sides.as_ours(as_numpy(b))
        same = jnp.issubdtype(a.dtype, jnp.integer) or a.dtype == b.dtype
        error = error_of(np.float64(a), np.float64(b), draw.each) if same else float("inf")
        yield Finding(f"float32: output {i}", error, SINGLE)


def initial_findings(layer: Layer, name: str, draw: Draw, seeds: int = 40) -> Iterator[Finding]:
    """Each parameter's distribution: by a Kolmogorov-Smirnov test.

    And the places that have the same value for each seed, as a row of padding: both equal.
    """
    ours, _ = layer.pair(name, draw.arguments)
    inputs = draw.inputs(2, np.random.default_rng(0))
    keys: Sequence[Any] = [jax.random.key(seed) for seed in range(seeds)]
    init: Callable[..., Any] = jax.jit(lambda key: ours.init(key, *inputs))
    drawn = [interop.to_torch(ours, init(key)) for key in keys]
    torch.manual_seed(0)
    theirs = [layer.made_in_torch(name, draw.arguments).state_dict() for _ in keys]
    for key in theirs[0]:
        a = np.stack([each[key] for each in drawn])
        b = np.stack([as_numpy(each[key]) for each in theirs])
        fixed = [np.where((each == each[0]).all(0), each[0], np.nan) for each in (a, b)]
        same = np.array_equal(*fixed, equal_nan=True)
        yield Finding(f"initial {key}: what is the same each time", float(not same), 0.0)
        if np.isnan(fixed[1]).any():  # one in a thousand layers is taken for wrong; seeds are fixed
            p = stats.ks_2samp(a.ravel(), b.ravel()).pvalue
            yield Finding(f"initial {key}", float(-np.log10(max(p, 1e-300))), 3.0)

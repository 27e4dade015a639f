"""Level 6: the dropout masks that the Flax side draws for itself."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import torch
from scipy.stats import binomtest

from flaxnets.parity.arrangement import Masks
from flaxnets.parity.bounds import FLOAT32
from flaxnets.parity.drawn import Drawn
from flaxnets.parity.masks import Place
from flaxnets.parity.observe import run
from flaxnets.parity.pair import Pair
from flaxnets.parity.recording import record_masks
from flaxnets.parity.records import LeftOut, Record, surprise
from flaxnets.parity.sides import Sides
from flaxnets.parity.twin import called, outermost
from flaxnets.training.batches import Batch
from flaxnets.training.call import statistics
from flaxnets.training.state import initial_state
from flaxnets.training.step import run_steps

SURE = -np.log10(1e-6)  # how unlikely a count must be to be called wrong
ENOUGH = 2**20  # numbers in all inputs
SEEDS = 64  # where a batch goes as a whole, and so once a call


def dropout(pair: Pair, n: int = 256) -> Iterator[Record]:
    """Level 6. What a layer does is seen by giving it ones: it returns its mask, scaled.

    What torch makes of ones is known of its dropouts. Where a network draws masks itself, as
    stochastic depth does, only level 5 sees by what they are scaled.
    """
    inputs = _examples(pair, n)
    with FLOAT32():
        sides = Sides(pair, FLOAT32)
        drawn, masks = _torchs(sides, inputs), Masks(sides, inputs)
        if pair.shape:
            yield _steps(sides, drops=bool(drawn))
        if not (drawn or masks.places or pair.shape):
            raise LeftOut("torch's network draws no masks")
        calls = _calls(sides, inputs, masks.places)
    if len(drawn) < len(masks.places):
        name = f"called {len(masks.places)} times, torch's {len(drawn)}"
        yield Record(pair.name, 6, name, "float32", 1.0, 0.0)
    for i, theirs in enumerate(drawn):
        name = theirs.name or "forward"
        if i >= min(len(masks.places), *map(len, calls)):
            yield Record(pair.name, 6, f"{name}: is called", "float32", 1.0, 0.0)
            continue
        *ours, kept = (np.asarray(call[i]) for call in calls)
        place = masks.places[i]
        keep = masks.arranged(theirs, place)
        for what, error, bound in _layer(theirs, keep, place.shape, np.stack(ours), kept):
            yield Record(pair.name, 6, f"{name}: {what}", "float32", error, bound)


def _examples(pair: Pair, n: int) -> Any:
    """Inputs, as many as torch's network takes and as are at hand in a moment."""
    few = pair.examples(pair.batch)[0]
    if pair.given is not None and pair.other is None:
        return few
    size = max(1, sum(leaf.size for leaf in jax.tree.leaves(few)) // pair.batch)
    return pair.examples(max(pair.batch, min(n, ENOUGH // size)))[0]


def _calls(sides: Sides, inputs: Any, places: Sequence[Place]) -> list[list[jax.Array]]:
    """What each layer makes of ones, in training by seed, and in evaluation."""
    x = sides.inputs(inputs)
    drawing = _drawing(sides.model, [place.path for place in places])
    seeds = SEEDS if any(place.shape[:1] == (1,) for place in places) else 2
    calls = [drawing(sides.variables, x, True, seed + 1) for seed in range(seeds)]
    return [*calls, drawing(sides.variables, x, False, 1)]


def _torchs(sides: Sides, inputs: Any) -> list[Drawn]:
    sides.net.train()
    with torch.no_grad():
        return record_masks(sides.net, lambda: run(sides.net, sides.tensors(inputs)))[1]


def _steps(sides: Sides, drops: bool, n: int = 32) -> Record:
    """Two steps of ``fit`` from the same parameters on the same batch: only the masks may differ,
    and must if there is a dropout."""
    inputs, labels = sides.pair.examples(n)
    assert sides.pair.loss is not None  # which every dataset's has
    batch = Batch(sides.inputs(inputs)[None], labels[None], np.ones((1, n)))
    start, rates = initial_state(sides.variables), jnp.full(1, 1e-3)
    totals = [
        run_steps(
            sides.model,
            sides.pair.loss,
            None,
            batch,
            jax.random.key(0),
            rates,
            start._replace(step=jnp.asarray(step)),
            0,
            1,
        )[1]
        for step in (0, 1)
    ]
    name = "a new mask each step" if drops else "no mask in any step"
    differ = bool(totals[0] != totals[1])
    return Record(sides.pair.name, 6, name, "float32", float(differ != drops), 0.0)


def _layer(
    theirs: Drawn, keep: np.ndarray, shape: tuple[int, ...], ours: np.ndarray, kept: np.ndarray
) -> Iterator[tuple[str, float, float]]:
    """What the twin makes of ones, by seed in training, and in evaluation; torch's mask, and its
    own mask's shape."""
    yield "none in evaluation", float(np.any(kept != 1)), 0.0
    stay = ours != 0
    if theirs.of_ones:
        gone, stays = theirs.of_ones
        stay = np.abs(ours - stays) < np.abs(ours - gone)
        error = np.abs(ours - np.where(stay, stays, gone)).max() / stays
        # 1 / (1 - p) as float32 has it; of alpha dropout it is a sum of products
        yield ("scale 1 / (1 - p)", error, 2.0**-23) if gone == 0 else ("values", error, 2.0**-21)
    yield from _together(keep, stay)
    masks = stay[:, *(slice(0, 1) if n == 1 else slice(None) for n in shape)]
    p = theirs.p
    yield "rate: -log10 p", _surprise(masks, 1 - p), SURE
    agree = p**2 + (1 - p) ** 2
    if masks.shape[1] > 1:
        pairs = masks[0, : masks.shape[1] // 2 * 2]  # of axis 0: examples, or times
        same = pairs[::2] == pairs[1::2]
        yield "independent over the batch: -log10 p", _surprise(same, agree), SURE
    yield "another key, another mask: -log10 p", _surprise(masks[::2] == masks[1::2], agree), SURE


def _together(theirs: np.ndarray, ours: np.ndarray) -> Iterator[tuple[str, float, float]]:
    """Whether the same go together; ours is by seed. Where all goes, or nothing, is not seen."""
    if (len(theirs) > 1 and theirs.all() == theirs.any()) or ours.all() == ours.any():
        return
    shape = ours.shape[1:]
    large = [i for i, n in enumerate(shape) if n > 1]
    too = [i for i in large if _is_same(ours, i + 1)]
    shared = [i for i in large if i < theirs.ndim and _is_same(theirs, i)]
    name = "whole channels" if shared else "single elements"
    if len(shared) >= len([i for i in large if i]) > 0:
        name = "whole batches" if 0 in shared else "whole examples"
    yield name, float(too != shared), 0.0


def _is_same(mask: np.ndarray, axis: int) -> bool:
    return bool((mask.max(axis) == mask.min(axis)).all())


def _surprise(events: np.ndarray, probability: float) -> float:
    return surprise(binomtest(int(events.sum()), events.size, probability).pvalue)


def _drawing(model: nn.Module, paths: Sequence[tuple[str, ...]]) -> Callable[..., list[jax.Array]]:
    """A function that gives each mask, scaled, that a call of the network draws, in their order."""

    @functools.partial(jax.jit, static_argnames="train")
    def drawn(variables: Any, x: Any, train: bool, seed: int) -> list[jax.Array]:
        found: list[jax.Array] = []

        def ones(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
            out = call(*args, **kwargs)
            if context.module.path in paths:
                found.append(call(jnp.ones_like(args[0]), *args[1:], **kwargs))
            return out

        with nn.intercept_methods(outermost(ones)):
            changing = statistics(variables) if train else False
            rngs = {"dropout": jax.random.key(seed)}
            called(model, variables, x, train, rngs=rngs, mutable=changing)
        return found

    return drawn

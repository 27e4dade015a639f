"""Level 6: the dropout masks that the Flax side draws for itself."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import binomtest

from flaxnets.parity.bounds import FLOAT32
from flaxnets.parity.masks import Drawn, mask_places, record_masks
from flaxnets.parity.observe import outermost
from flaxnets.parity.pair import Pair, Sides
from flaxnets.parity.records import Record, surprise
from flaxnets.training.batches import Batch
from flaxnets.training.call import apply, statistics
from flaxnets.training.state import initial_state
from flaxnets.training.step import run_steps

SURE = -np.log10(1e-6)  # how unlikely a count must be to be called wrong


def dropout(pair: Pair, n: int = 256) -> Iterator[Record]:
    """Level 6. What a layer does is seen by giving it ones: it returns its mask, scaled."""
    with FLOAT32():
        sides = Sides(pair, FLOAT32)
        inputs = pair.examples(n)[0]
        x, drawn = sides.inputs(inputs), _torchs(sides, inputs)
        yield _steps(sides, drops=bool(drawn))
        places = mask_places(sides.model, sides.variables, x)
        drawing = _drawing(sides.model, [place.path for place in places])
        calls = [drawing(sides.variables, x, True, seed) for seed in (1, 2)]
        calls += [drawing(sides.variables, x, False, 1)]
    for i, theirs in enumerate(drawn):
        ours = (np.asarray(call[i]) if i < len(call) else None for call in calls)
        for what, error, bound in _layer(theirs, *ours):
            name = theirs.name or "forward"
            yield Record(pair.name, 6, f"{name}: {what}", "float32", error, bound)


def _torchs(sides: Sides, inputs: np.ndarray) -> list[Drawn]:
    sides.net.train()
    return record_masks(sides.net, lambda: sides.net(sides.torch_inputs(inputs)))[1]


def _steps(sides: Sides, drops: bool, n: int = 32) -> Record:
    """Two steps of ``fit`` from the same parameters on the same batch: only the masks may differ,
    and must if there is a dropout."""
    inputs, labels = sides.pair.examples(n)
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


def _layer(theirs: Drawn, first: Any, second: Any, kept: Any) -> Iterator[tuple[str, float, float]]:
    p = theirs.p
    if first is None or second is None or kept is None:
        yield "is called", 1.0, 0.0
        return
    yield "none in evaluation", float(np.any(kept != 1)), 0.0
    whole = theirs.keep.ndim > 2 and not _split(theirs.keep)
    name = "single elements" if not whole else "whole channels"
    yield name, float(_split(first) == whole and first.ndim > 2), 0.0
    values = np.unique(first)
    # 1 / (1 - p) as float32 has it
    scale = np.abs(values[values != 0] - 1 / (1 - p)).max(initial=0) * (1 - p)
    yield "scale 1 / (1 - p)", float(scale), 2.0**-23
    mask, other = (_independent(m, whole) != 0 for m in (first, second))
    yield "rate: -log10 p", _surprise(mask, 1 - p), SURE
    agree = p**2 + (1 - p) ** 2
    yield "independent over the batch: -log10 p", _surprise(mask[::2] == mask[1::2], agree), SURE
    yield "another key, another mask: -log10 p", _surprise(mask == other, agree), SURE


def _independent(mask: np.ndarray, whole: bool) -> np.ndarray:
    """(N, ...): what is drawn by itself; of a channel that goes as a whole one place."""
    rows = mask.reshape(len(mask), -1, mask.shape[-1])
    return rows[:, 0] if whole else rows.reshape(len(mask), -1)


def _split(mask: np.ndarray) -> bool:
    """Whether a channel is there in one place and gone in another."""
    places = mask.reshape(len(mask), -1, mask.shape[-1])
    return bool(np.any(places.max(1) != places.min(1)))


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
            apply(model, variables, x, train, {"dropout": jax.random.key(seed)}, changing)
        return found

    return drawn

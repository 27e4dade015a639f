"""Level 3: the output of every layer in evaluation. Level 5: in training, with dropout."""

import functools
from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
import torch

from flaxnets.parity.records import (
    FLOAT64,
    Record,
    lanes,
    relative_error,
    rounding_bound,
)
from flaxnets.parity.subject import (
    Pair,
    Subject,
    examples,
    flax_layers,
    record_masks,
    torch_layers,
)


def evaluation(subject: Subject, n: int = 32) -> Iterator[Record]:
    """Level 3."""
    for lane in lanes():
        with lane():
            pair = Pair(subject, lane)
            images, _ = examples(n)
            with torch.no_grad():
                theirs = torch_layers(pair.net, pair.torch_images(images))
            ours = flax_layers(pair.model, pair.variables, jnp.asarray(images, lane.dtype))
            yield from _compare(3, pair, ours, theirs)


def training(subject: Subject, n: int = 32) -> Iterator[Record]:
    """Level 5: torch's dropout masks, replayed."""
    for lane in lanes():
        with lane():
            pair = Pair(subject, lane)
            images, _ = examples(n)
            pair.net.train()
            with torch.no_grad():
                run = functools.partial(torch_layers, pair.net, pair.torch_images(images))
                theirs, masks = record_masks(pair.net, run)
            variables = {**pair.variables, "masks": masks}
            x = jnp.asarray(images, lane.dtype)
            ours = flax_layers(pair.model, variables, x, train=True)
            yield from _compare(5, pair, ours, theirs)


def _compare(level: int, pair: Pair, ours: Any, theirs: Any) -> Iterator[Record]:
    bounds = layer_bounds(pair, list(theirs))
    for name, array in theirs.items():
        error = relative_error(ours[name], array) if name in ours else float("inf")
        yield Record(pair.subject.name, level, name, pair.lane.name, error, bounds[name])


def layer_bounds(pair: Pair, names: list[str]) -> dict[str, float]:
    """Of the output of each layer, given in the order of the calls: 1e-12 in float64."""
    modules = dict(pair.net.named_modules())
    bounds, sums, products = {}, 4.0, 0  # what has no sum still rounds a few times
    for name in names:
        weight = getattr(modules.get(name), "weight", None)
        if weight is not None:
            sums, products = sums + np.sqrt(weight[0].numel()), products + 1
        wide = pair.lane == FLOAT64
        bounds[name] = 1e-12 if wide else rounding_bound(pair.lane, sums, products)
    return bounds

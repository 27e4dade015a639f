"""Level 3: the output of every layer in evaluation. Level 5: in training, and what it leaves."""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from flaxnets import interop
from flaxnets.parity.bounds import FLOAT64, is_norm, lanes, moments_length, rounding_bound
from flaxnets.parity.masks import mask_places, replayed
from flaxnets.parity.observe import flax_layers, torch_layers
from flaxnets.parity.pair import Pair, Sides
from flaxnets.parity.recording import record_masks
from flaxnets.parity.records import Record, layer_errors, layer_of, relative_error


def evaluation(pair: Pair, n: int = 32) -> Iterator[Record]:
    """Level 3."""
    for lane in lanes():
        with lane():
            sides = Sides(pair, lane)
            inputs, _ = pair.examples(n)
            with torch.no_grad():
                theirs = torch_layers(sides.net, sides.torch_inputs(inputs))
            x = sides.inputs(inputs)
            ours, _ = flax_layers(sides.model, sides.variables, x, train=False)
            yield from _compare(3, sides, ours, theirs)


def training(pair: Pair, n: int = 32) -> Iterator[Record]:
    """Level 5: with torch's dropout masks, replayed, and the running statistics after the call."""
    for lane in lanes():
        with lane():
            sides = Sides(pair, lane)
            inputs, _ = pair.examples(n)
            sides.net.train()
            with torch.no_grad():
                run = functools.partial(torch_layers, sides.net, sides.torch_inputs(inputs))
                theirs, drawn = record_masks(sides.net, run)
            x = sides.inputs(inputs)
            masks = replayed(drawn, mask_places(sides.model, sides.variables, x))
            variables = {**sides.variables, "masks": masks}
            ours, changed = flax_layers(sides.model, variables, x, train=True)
            yield from _compare(5, sides, ours, theirs)
            yield from _statistics(sides, changed, theirs)


def _compare(level: int, sides: Sides, ours: Any, theirs: Any) -> Iterator[Record]:
    bounds = layer_bounds(sides, theirs)
    for name, array in theirs.items():
        error = relative_error(ours[name], array) if name in ours else float("inf")
        yield Record(sides.pair.name, level, name, sides.lane.name, error, bounds[name])


def _statistics(sides: Sides, changed: Any, outputs: dict[str, np.ndarray]) -> Iterator[Record]:
    """What the call has left in the twin, beside what torch's call has."""
    theirs = sides.convert(sides.net.state_dict())
    leaves = [leaf for leaf in interop.leaves(sides.model) if leaf.path[0] in changed]
    bounds = layer_bounds(sides, outputs)
    for name, error in layer_errors(leaves, changed, theirs).items():
        bound = bounds.get(layer_of(name), max(bounds.values()))
        yield Record(sides.pair.name, 5, f"{name} after it", sides.lane.name, error, bound)


def layer_bounds(sides: Sides, outputs: dict[str, np.ndarray]) -> dict[str, float]:
    """Of the output of each layer, given in the order of the calls: 1e-12 in float64."""
    modules = dict(sides.net.named_modules())
    bounds, sums, products = {}, 4.0, 0  # what has no sum still rounds a few times
    for name, output in outputs.items():
        module = modules.get(name.partition(", call ")[0])
        weight = getattr(module, "weight", None)
        if is_norm(module):
            sums += moments_length(output)
        elif weight is not None:
            sums, products = sums + np.sqrt(weight[0].numel()), products + 1
        wide = sides.lane == FLOAT64
        bounds[name] = 1e-12 if wide else rounding_bound(sides.lane, sums, products)
    return bounds

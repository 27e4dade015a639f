"""Level 3: the output of every layer in evaluation. Level 5: in training, and what it leaves."""

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from flaxnets.parity.arrangement import Masks, in_torchs
from flaxnets.parity.beside import beside_itself
from flaxnets.parity.bounds import FLOAT64, is_norm, lanes, moments_length, rounding_bound
from flaxnets.parity.observe import TorchTrained, same_masks, torch_layers, torch_trained
from flaxnets.parity.pair import Pair
from flaxnets.parity.records import Record, layer_errors, layer_of, relative_error
from flaxnets.parity.sides import Sides
from flaxnets.parity.trees import module_of


def evaluation(pair: Pair) -> Iterator[Record]:
    """Level 3."""
    inputs, _ = pair.examples(pair.batch)
    for lane in lanes():
        with lane():
            sides = Sides(pair, lane)
            yield from evaluated(3, sides, inputs)


def evaluated(level: int, sides: Sides, inputs: Any, what: str = "") -> list[Record]:
    """Every layer in evaluation, or those outputs whose names begin so."""

    def theirs(sides: Sides) -> dict[str, np.ndarray]:
        return torch_layers(sides.net, sides.tensors(inputs))

    found = theirs(sides)
    records = _compared(level, sides, sides.evaluated(inputs), found)
    chosen = [record for record in records if record.name.startswith(what)]
    return beside_itself(sides, chosen, lambda wide: _errors(found, theirs(wide)))


def training(pair: Pair) -> Iterator[Record]:
    """Level 5: with torch's dropout masks, replayed, and the running statistics after the call."""
    inputs, labels = pair.examples(pair.batch)

    def theirs(sides: Sides) -> TorchTrained:
        return torch_trained(sides.net, sides.tensors(inputs), lambda _: torch.zeros(()))

    for lane in lanes():
        with lane():
            sides = Sides(pair, lane)
            masks, found = Masks(sides, inputs), theirs(sides)
            ours = sides.trained(inputs, labels, {**sides.variables, **masks(found.drawn)})
            layers = {name: np.asarray(array) for name, array in ours.layers.items()}
            records = _compared(5, sides, layers, found.layers)
            records += _statistics(sides, ours.changed, found)
            own = functools.partial(_own, found, theirs)
            yield from beside_itself(sides, records, own)


def _own(found: TorchTrained, theirs: Any, sides: Sides) -> dict[str, float]:
    """torch's errors, of its layers and of its statistics; none of other masks."""
    wide: TorchTrained = theirs(sides)
    if not same_masks(found.drawn, wide.drawn):
        return {}
    after = layer_errors(found.state_dict, wide.state_dict)
    return {**_errors(found.layers, wide.layers), **{f"{n} after it": e for n, e in after.items()}}


def _errors(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, float]:
    return {name: relative_error(ours[name], array) for name, array in theirs.items()}


def _compared(
    level: int, sides: Sides, ours: Mapping[str, Any], theirs: Mapping[str, np.ndarray]
) -> list[Record]:
    bounds = layer_bounds(sides, theirs)
    return [
        Record(
            sides.pair.name, level, name, sides.lane.name, _error(sides, name, ours, array), bound
        )
        for (name, array), bound in zip(theirs.items(), bounds.values(), strict=True)
        if name in ours or not _is_elsewhere(sides, module_of(name))
    ]


def _error(sides: Sides, name: str, ours: Mapping[str, Any], theirs: np.ndarray) -> float:
    if name not in ours:
        return float("inf")
    return relative_error(in_torchs(sides, name, ours[name], theirs), theirs)


def _is_elsewhere(sides: Sides, name: str) -> bool:
    """Whether a module of torch's that holds nothing is none in the twin, but a function."""
    if name == "output" or name in sides.twin.names.values():
        return False
    module = sides.net.get_submodule(name)
    return not [*module.parameters(recurse=False), *module.buffers(recurse=False)]


def _statistics(sides: Sides, changed: Any, found: TorchTrained) -> list[Record]:
    """What the call has left in the twin, beside what torch's call has."""
    before, ours = sides.as_torchs({}), sides.as_torchs(changed)
    buffers = before.keys() - found.of_params.keys()
    moved = {
        name: array
        for name, array in found.state_dict.items()
        if name in buffers and not _are_same(before[name], array, ours[name])
    }
    bounds = layer_bounds(sides, found.layers)
    return [
        Record(
            sides.pair.name,
            5,
            f"{name} after it",
            sides.lane.name,
            error,
            bounds.get(layer_of(name), max(bounds.values())),
        )
        for name, error in layer_errors(ours, moved).items()
    ]


def _are_same(array: np.ndarray, *others: np.ndarray) -> bool:
    return all(np.array_equal(array, other) for other in others)


def layer_bounds(sides: Sides, outputs: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Of the output of each layer, given in the order of the calls: 1e-12 in float64."""
    modules = dict(sides.net.named_modules())
    bounds, sums, products = {}, 4.0, 0  # what has no sum still rounds a few times
    for name, output in outputs.items():
        module = modules.get(module_of(name))
        weight = getattr(module, "weight", None)
        if is_norm(module):
            sums += moments_length(output)
        elif weight is not None:
            sums, products = sums + np.sqrt(weight[0].numel()), products + 1
        wide = sides.lane == FLOAT64
        bounds[name] = 1e-12 if wide else rounding_bound(sides.lane, sums, products)
    return bounds

"""Level 7: gradients."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import torch

from flaxnets.parity.arrangement import Masks
from flaxnets.parity.beside import beside_itself
from flaxnets.parity.bounds import FLOAT64, is_norm, lanes, moments_length, rounding_bound
from flaxnets.parity.calls import takes_a_rounded_sixth
from flaxnets.parity.observe import TorchTrained, same_masks, torch_layers, torch_trained
from flaxnets.parity.pair import Pair
from flaxnets.parity.records import LeftOut, Record, layer_errors, relative_error
from flaxnets.parity.sides import Sides
from flaxnets.parity.trees import module_of, named_leaves


def gradients(pair: Pair) -> Iterator[Record]:
    """Level 7: of every parameter and of floating inputs, with torch's masks replayed."""
    inputs, labels = pair.examples(pair.batch)

    def theirs(sides: Sides) -> TorchTrained:
        sides.parameters()
        loss = functools.partial(sides.torch_loss, labels=labels)
        return torch_trained(sides.net, sides.tensors(inputs), loss)

    for lane in lanes():
        with lane():
            sides = Sides(pair, lane)
            masks, found = Masks(sides, inputs), theirs(sides)
            ours = sides.trained(inputs, labels, {**sides.variables, **masks(found.drawn)})
            of_params = sides.as_torchs({"params": ours.of_params})
            names = [*sides.parameters()]
            errors = _errors(names, of_params, ours.of_inputs, found)
            if not errors:
                raise LeftOut("there are neither parameters nor floating inputs")
            bound = gradient_bound(sides, inputs)
            records = [Record(pair.name, 7, n, lane.name, e, bound) for n, e in errors.items()]

            own = functools.partial(_own, names, found, theirs)
            yield from beside_itself(sides, records, own)


def _own(names: Sequence[str], found: TorchTrained, theirs: Any, sides: Sides) -> dict[str, float]:
    """torch's errors; none of other masks."""
    wide: TorchTrained = theirs(sides)
    if not same_masks(found.drawn, wide.drawn):
        return {}
    return _errors(names, found.of_params, found.of_inputs, wide)


def _errors(
    names: Sequence[str], of_params: Mapping[str, Any], of_inputs: Any, theirs: TorchTrained
) -> dict[str, float]:
    """By the names of inputs and parameters; each parameter once."""
    ours = named_leaves("input", of_inputs)
    inputs = named_leaves("input", theirs.of_inputs)
    errors = {name: relative_error(ours[name], array) for name, array in inputs.items()}
    return errors | layer_errors(of_params, {name: theirs.of_params[name] for name in names})


def gradient_bound(sides: Sides, inputs: Any) -> float:
    """1e-11 in float64, but for torch's own rounded 1/6. Else there are the sums of the way there
    and those of the way back, and one over the batch, for a convolution over the places of its
    output too. A norm has its own."""
    if sides.lane == FLOAT64:
        return 1e-7 if takes_a_rounded_sixth(sides.net, sides.tensors(inputs)) else 1e-11
    weights = [tensor for tensor in sides.net.state_dict().values() if tensor.ndim > 1]
    sums = 2 * sum(np.sqrt(weight[0].numel()) for weight in weights)
    outputs = _outputs(sides, inputs)
    places = max((_places(module, out) for module, out in outputs), default=1.0)
    sums += np.sqrt(len(jax.tree.leaves(inputs)[0]) * places)
    sums += 2 * sum(moments_length(out) for module, out in outputs if is_norm(module))
    return rounding_bound(sides.lane, float(sums), 2 * len(weights))


def _places(module: torch.nn.Module, output: np.ndarray) -> float:
    """How often a layer's weight is used for an example."""
    weight = getattr(module, "weight", None)
    return output[0].size / len(weight) if weight is not None and output.ndim else 1.0


def _outputs(sides: Sides, inputs: Any) -> list[tuple[torch.nn.Module, np.ndarray]]:
    """Of each call of a named module, in evaluation."""
    found = torch_layers(sides.net.eval(), sides.tensors(inputs))
    named = ((module_of(name), out) for name, out in found.items())
    return [(sides.net.get_submodule(name), out) for name, out in named if name != "output"]

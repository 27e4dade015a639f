"""Level 7: gradients."""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import torch

from flaxnets import interop
from flaxnets.parity.bounds import FLOAT64, is_norm, lanes, moments_length, rounding_bound
from flaxnets.parity.layouts import as_ours
from flaxnets.parity.masks import mask_places, replayed
from flaxnets.parity.observe import torch_layers
from flaxnets.parity.pair import Pair, Sides
from flaxnets.parity.recording import record_masks
from flaxnets.parity.records import Record, layer_errors, relative_error
from flaxnets.training.call import apply_in_training


def gradients(pair: Pair, n: int = 32) -> Iterator[Record]:
    """Level 7: of every parameter and of the inputs, with torch's masks replayed."""
    for lane in lanes():
        with lane():
            sides = Sides(pair, lane)
            inputs, labels = pair.examples(n)
            theirs, x_theirs, drawn = _torch_gradients(sides, inputs, labels)
            x = sides.inputs(inputs)
            masks = replayed(drawn, mask_places(sides.model, sides.variables, x))
            ours, x_ours = _flax_gradients(sides, x, labels, masks)
            bound = gradient_bound(sides, inputs)
            leaves = interop.parameters(sides.model)
            errors = {"input": relative_error(x_ours, x_theirs)}
            errors |= layer_errors(leaves, ours, theirs)
            for name, error in errors.items():
                yield Record(pair.name, 7, name, lane.name, error, bound)


def gradient_bound(sides: Sides, inputs: np.ndarray) -> float:
    """1e-11 in float64. Else there are the sums of the way there and those of the way back, and
    one over the batch, for a convolution over the places of its output too. A norm has its own."""
    if sides.lane == FLOAT64:
        return 1e-11
    weights = [tensor for tensor in sides.net.state_dict().values() if tensor.ndim > 1]
    sums = 2 * sum(np.sqrt(weight[0].numel()) for weight in weights)
    outputs = _outputs(sides, inputs)
    weighted = [out for module, out in outputs if hasattr(module, "weight")]
    places = max((int(np.prod(out.shape[1:-1])) for out in weighted), default=1)
    sums += np.sqrt(len(inputs) * places)
    sums += 2 * sum(moments_length(out) for module, out in outputs if is_norm(module))
    return rounding_bound(sides.lane, float(sums), 2 * len(weights))


def _outputs(sides: Sides, inputs: np.ndarray) -> list[tuple[torch.nn.Module, np.ndarray]]:
    """Of each call of a named module, in evaluation."""
    with torch.no_grad():
        found = torch_layers(sides.net.eval(), sides.torch_inputs(inputs))
    named = ((name.partition(", call ")[0], out) for name, out in found.items())
    return [(sides.net.get_submodule(name), out) for name, out in named if name != "output"]


def _flax_gradients(sides: Sides, x: jax.Array, labels: Any, masks: Any) -> tuple[Any, jax.Array]:
    def objective(params: Any, x: Any, masks: Any, labels: Any) -> jax.Array:
        variables = {**sides.variables, "params": params, "masks": masks}
        outputs, _ = apply_in_training(sides.model, variables, x, None)
        return sides.pair.loss(outputs, labels).mean()

    gradient: Any = jax.jit(jax.grad(objective, (0, 1)))
    of_params, of_inputs = gradient(sides.variables["params"], x, masks, labels)
    return {"params": of_params}, of_inputs


def _torch_gradients(sides: Sides, inputs: Any, labels: Any) -> tuple[Any, np.ndarray, Any]:
    sides.net.train()
    x = sides.torch_inputs(inputs).requires_grad_()
    loss, drawn = record_masks(sides.net, lambda: sides.torch_loss(sides.net(x), labels))
    loss.backward()
    named = {name: p.grad for name, p in sides.net.named_parameters()}
    assert x.grad is not None
    return sides.convert({**sides.net.state_dict(), **named}), as_ours(x.grad), drawn

"""The two sides of a pair, brought to the same weights in one precision."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from flaxnets import interop
from flaxnets.interop.layout import as_numpy
from flaxnets.parity.bounds import Lane
from flaxnets.parity.layouts import Inputs
from flaxnets.parity.pair import Pair
from flaxnets.parity.trees import named_leaves
from flaxnets.parity.twin import Trained


class Sides:
    """A pair in one precision: torch's network, the twin with its weights.

    To be made and used within the lane's context.
    """

    def __init__(self, pair: Pair, lane: Lane, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.pair, self.lane, self.twin = pair, lane, pair.twin(lane)
        self.dtype = getattr(torch, np.dtype(lane.dtype).name)
        self.net = pair.network().to(self.dtype).eval()
        self.model: Any = self.twin.model
        given = pair.variables or self.convert(self.net.state_dict())
        self.variables = jax.tree.map(self.arrays, dict(given))
        self.apply: Callable[..., jax.Array] = jax.jit(self.model.apply, static_argnames="train")

    def convert(self, state_dict: Mapping[str, Any]) -> Any:
        """torch's names and layouts -> the model's variables, by the pair's way."""
        return self.pair.from_torch(self.model, state_dict)

    def as_torchs(self, changed: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Collections of the twin's, with those of its own that are not among them, by torch's
        names and in its layouts."""
        found: dict[str, np.ndarray]
        found = self.pair.to_torch(self.model, {**self.variables, **changed})
        return found

    def update(self, rate: float, gradients: Any, state: Any, params: Any) -> tuple[Any, Any]:
        """The parameters after a step of the twin's Adam, and its state."""
        return self.pair.update(jnp.asarray(rate, self.lane.dtype), gradients, state, params)

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """Those of torch that the twin trains, each once: frozen ones are trained here too."""
        theirs = dict(self.net.named_parameters(remove_duplicate=False))
        found = {leaf.name: theirs[leaf.name] for leaf in interop.parameters(self.model)}
        for parameter in found.values():
            parameter.requires_grad_()
        return found

    def tensors(self, tree: Any) -> Any:
        """Arrays as torch's, floating ones in the precision of this side."""
        return jax.tree.map(self.torch_inputs, tree)

    def torch_inputs(self, array: Any) -> torch.Tensor:
        """An array as torch's, in the precision of this side if it is floating."""
        array = np.asarray(array)
        return torch.tensor(array, dtype=self.dtype if array.dtype.kind == "f" else None)

    def arrays(self, tree: Any) -> Any:
        """The same for the twin, in the layout that they have."""
        return jax.tree.map(self._array, tree)

    def _array(self, array: Any) -> jax.Array:
        is_floating = jnp.issubdtype(array.dtype, jnp.floating)
        return jnp.asarray(array, self.lane.dtype if is_floating else None)

    def inputs(self, inputs: Inputs) -> Any:
        """Inputs for the twin, in its layout."""
        return self.pair.to_flax(self.arrays(inputs))

    def torch_loss(self, outputs: Any, labels: Any) -> torch.Tensor:
        """The mean over the batch."""
        tensors = (_as_torch_counts(self.torch_inputs(leaf)) for leaf in jax.tree.leaves(labels))
        given = jax.tree.unflatten(jax.tree.structure(labels), tensors)
        return self.pair.torch_loss(outputs, given)

    def evaluated(self, inputs: Inputs, variables: Any = None) -> dict[str, np.ndarray]:
        """What the twin's layers give in evaluation, by default with the weights of torch's."""
        given = self.variables if variables is None else variables
        found = self.twin.evaluated(given, self.arrays(inputs))
        return {name: np.asarray(array) for name, array in found.items()}

    def trained(self, inputs: Inputs, labels: Any, variables: Any = None) -> Trained:
        """The twin in training, by default with the weights of torch's network."""
        given = self.variables if variables is None else variables
        x, y = self.arrays(inputs), self.arrays(labels)
        if self.pair.loss:
            return self.twin.trained(given, x, y)
        loss, along = self._by_torchs_loss(self.twin.outputs_in_training(given, x), labels)
        return self.twin.trained(given, x, along)._replace(loss=loss)

    def _by_torchs_loss(self, outputs: Any, labels: Any) -> tuple[float, dict[str, Any]]:
        """torch's loss of the twin's outputs, and its gradient, by their names."""
        theirs = self.tensors(outputs)
        leaves = named_leaves("output", theirs)
        floating = [leaf.requires_grad_() for leaf in leaves.values() if leaf.is_floating_point()]
        loss = self.torch_loss(theirs, labels)
        torch.autograd.backward(loss, inputs=floating)
        return float(loss.detach()), {
            name: jnp.zeros(leaf.shape) if leaf.grad is None else jnp.asarray(as_numpy(leaf.grad))
            for name, leaf in leaves.items()
        }


def _as_torch_counts(tensor: torch.Tensor) -> torch.Tensor:
    """Whole numbers in 64 bits, which torch's losses ask for."""
    is_whole = not tensor.is_floating_point() and tensor.dtype != torch.bool
    return tensor.long() if is_whole else tensor

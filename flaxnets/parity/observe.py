"""What torch's side does in a call: the outputs of its layers, and what training leaves."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import torch

from flaxnets.interop.layout import as_numpy
from flaxnets.parity.drawn import Drawn
from flaxnets.parity.layouts import Inputs, arguments
from flaxnets.parity.recording import record_masks
from flaxnets.parity.trees import named_leaves, numbered


class TorchTrained(NamedTuple):
    """What a call of a network of torch in training gives, and leaves."""

    loss: float
    layers: dict[str, np.ndarray]  # as of ``torch_layers``
    drawn: list[Drawn]
    of_params: dict[str, np.ndarray]  # the gradient of the loss, by every name
    of_inputs: Inputs  # likewise; None of whole numbers
    state_dict: dict[str, np.ndarray]  # after it


def run(net: torch.nn.Module, inputs: Inputs) -> Any:
    """The network's outputs."""
    args, kwargs = arguments(inputs)
    return net(*args, **kwargs)


def torch_layers(net: torch.nn.Module, inputs: Inputs) -> dict[str, np.ndarray]:
    """The arrays that each call of a named module gives, as they are in torch; the network's as
    ``output``."""
    with torch.no_grad():
        return _observed(net, inputs)[1]


def torch_trained(
    net: torch.nn.Module, inputs: Inputs, loss: Callable[[Any], torch.Tensor]
) -> TorchTrained:
    """A call of it in training, and the gradients of a loss of its outputs."""
    net.train()
    net.zero_grad()
    leaves = jax.tree.map(_tracked, inputs)
    # In-place functions may not touch what a gradient is asked of.
    given = jax.tree.map(lambda leaf: leaf.clone(), leaves)
    (outputs, layers), drawn = record_masks(net, lambda: _observed(net, given))
    value = loss(outputs)
    if value.requires_grad:
        value.backward()
    return TorchTrained(
        float(value.detach()),
        layers,
        drawn,
        {n: _gradient(p) for n, p in net.named_parameters(remove_duplicate=False)},
        jax.tree.map(lambda leaf: _gradient(leaf) if leaf.requires_grad else None, leaves),
        {name: np.array(as_numpy(value)) for name, value in net.state_dict().items()},
    )


def same_masks(ours: Sequence[Drawn], theirs: Sequence[Drawn]) -> bool:
    """Whether two calls have dropped out the same."""
    pairs = zip(ours, theirs, strict=False)
    return len(ours) == len(theirs) and all(np.array_equal(a.keep, b.keep) for a, b in pairs)


def _observed(net: torch.nn.Module, inputs: Inputs) -> tuple[Any, dict[str, np.ndarray]]:
    found: dict[str, np.ndarray] = {}
    calls: Counter[str] = Counter()

    def keep(name: str, out: Any) -> None:
        for key, leaf in named_leaves(name, out).items():
            found[key] = np.array(as_numpy(leaf))  # a copy: what comes may change it in place

    def hook(name: str) -> Callable[..., None]:
        def look(_: Any, __: Any, out: Any) -> None:
            calls[name] += 1
            keep(numbered(name, calls[name]), out)

        return look

    hooks = [m.register_forward_hook(hook(name)) for name, m in net.named_modules() if name]
    try:
        outputs = run(net, inputs)
    finally:
        for each in hooks:
            each.remove()
    keep("output", outputs)
    return outputs, found


def _tracked(leaf: torch.Tensor) -> torch.Tensor:
    return leaf.clone().requires_grad_(leaf.is_floating_point())


def _gradient(leaf: torch.Tensor) -> np.ndarray:
    return np.zeros(leaf.shape) if leaf.grad is None else np.array(as_numpy(leaf.grad))

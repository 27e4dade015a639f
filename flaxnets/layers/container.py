"""Layers in a row."""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax

from flaxnets.layers.base import Module


class Sequential(Module):
    """``torch.nn.Sequential`` of a list of layers, called one after the other.

    They are named ``0``, ``1``, ... as torch names them. Each one takes what the one before it
    returns: the input (N, ...) is of the shape and dtype that the first takes. ``train`` reaches
    those that take it.

    Attributes:
        layers: a tuple or a list of linen modules whose ``__call__`` needs one argument.

    Raises: what its layers raise, when called.
    """

    layers: Sequence[nn.Module]
    preserve_adopted_names = True  # linen's switch: else it would name them layers_0, ...

    def __post_init__(self) -> None:
        named: dict[int, nn.Module] = {}  # a layer that comes again is the same one: its weights
        for i, layer in enumerate(self.layers):
            if not isinstance(layer, nn.Module):
                raise TypeError(f"layer {i} must be a linen module, got {layer}: ReLU(), not relu")
            named.setdefault(id(layer), layer.clone(name=str(i)) if layer.name is None else layer)
        self.layers = tuple(named[id(layer)] for layer in self.layers)
        super().__post_init__()

    def attributes(self) -> dict[str, Any]:
        """The layers by their names."""
        return {str(i): layer for i, layer in enumerate(self.layers)}

    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        for layer in self.layers:
            x = layer(x)  # with train: see Module
        return x

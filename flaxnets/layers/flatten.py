"""Flattening, in the order that its reader takes."""

import math

import flax.linen as nn
import jax

from flaxnets.layers.base import Module
from flaxnets.layers.flattening.marks import are_maps
from flaxnets.layers.tree import is_hidden, named


class Flatten(Module):
    """``torch.nn.Flatten``: (N, ...) -> (N, D), in torch's order.

    Feature maps, (N, H, W, C), lie channels last here, and are transposed to be flattened in the
    order C, H, W. That costs a copy, and is spared where a ``Linear`` of the same network says
    ``flattened_from=(H, W, C)``: then they are flattened as they lie, and ``interop`` permutes that
    layer's weights instead. Square images of one channel may lie as torch's, (N, 1, A, A): they are
    flattened as they are. Any dtype goes through as it is.
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        if are_maps(x) and not _is_read_as_it_lies(self, x.shape[1:]):
            x = x.transpose(0, 3, 1, 2)
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))

    def extra_repr(self) -> str:
        return "start_dim=1, end_dim=-1"


def _is_read_as_it_lies(layer: nn.Module, maps: tuple[int, ...]) -> bool:
    """Whether a layer of the network says so, or its layers cannot be seen, nor converted."""
    root = layer
    while isinstance(root.parent, nn.Module):
        root = root.parent
    modules = [module for _, module in named(root)]
    return any(is_hidden(m) or getattr(m, "flattened_from", None) == maps for m in modules)

"""How arrays lie in torch and here, and how inputs are handed to a network."""

from collections.abc import Mapping
from typing import Any

import jax
import torch

from flaxnets.interop.layout import as_numpy

Inputs = Any
"""Of a call of a network: a tuple of arrays, a dict of them by keyword, or one array by itself."""


def channels_last(array: Any) -> Any:
    """torch's (N, C, H, W) as (N, H, W, C), anything else as it is."""
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


def channels_first(array: Any) -> Any:
    """(N, H, W, C) as torch's (N, C, H, W), anything else as it is: the inverse."""
    return array.transpose(0, 3, 1, 2) if array.ndim == 4 else array


def all_channels_last(inputs: Inputs) -> Inputs:
    """Every array of a tree in torch's layout as it lies here, by its number of axes."""
    return jax.tree.map(channels_last, inputs)


def all_channels_first(outputs: Any) -> Any:
    """The inverse."""
    return jax.tree.map(channels_first, outputs)


def arguments(inputs: Inputs) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What a network is called with: positional arguments, and those by keyword."""
    if isinstance(inputs, Mapping):
        return (), dict(inputs)
    return (tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)), {}


def as_ours(tensor: torch.Tensor) -> Any:
    """What torch gives, in our layout."""
    return channels_last(as_numpy(tensor))

"""Inputs that are drawn as an example is."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import torch

from flaxnets.interop.layout import as_numpy
from flaxnets.parity.layouts import Inputs


def as_arrays(example: Any) -> Inputs:
    """What a network of torch is called with, as arrays; floating ones in float64.

    Raises TypeError for what is no tensor, tuple of tensors, or dict of them by keyword.
    """
    if isinstance(example, Mapping):
        return {str(name): _array(tensor) for name, tensor in example.items()}
    if isinstance(example, tuple | list):
        return tuple(_array(tensor) for tensor in example)
    return _array(example)


def _array(tensor: Any) -> np.ndarray:
    if not isinstance(tensor, torch.Tensor | np.ndarray):
        kind = type(tensor).__name__
        raise TypeError(f"an example is a tensor, a tuple or a dict of tensors; got {kind} in it")
    array = np.array(as_numpy(tensor))
    return array if array.dtype.kind in "biu" else array.astype(np.float64)


def batch_of(inputs: Inputs) -> int:
    """How many examples there are: the first axis of the first array that has one.

    Raises ValueError if none has.
    """
    sizes = [len(leaf) for leaf in jax.tree.leaves(inputs) if leaf.ndim]
    if not sizes or not sizes[0]:
        raise ValueError("an example needs a tensor whose first axis is the batch's")
    return sizes[0]


def drawn_like(example: Inputs, n: int, seed: int) -> Inputs:
    """So many inputs like those of an example; for seed 0, and as many as there, these themselves.

    An array of floats has the distribution of all the example's, of whole numbers any in its range,
    of truth values as many. What has another first axis than the batch keeps it. Floats that are
    all the same say nothing of a distribution: there it is normal, around that number.
    """
    batch, leaves = batch_of(example), jax.tree.leaves(example)
    rngs = [np.random.default_rng([seed, i]) for i in range(len(leaves))]
    drawn = [_like(leaf, n, batch, seed, rng) for leaf, rng in zip(leaves, rngs, strict=True)]
    return jax.tree.unflatten(jax.tree.structure(example), drawn)


def _like(array: np.ndarray, n: int, batch: int, seed: int, rng: np.random.Generator) -> np.ndarray:
    is_constant = not array.size or array.min() == array.max()
    is_floating = array.dtype.kind == "f"
    if seed == 0 and n == batch and not (is_constant and is_floating):
        return array
    shape = (n, *array.shape[1:]) if array.ndim and len(array) == batch else array.shape
    if is_constant:
        fill = array.flat[0] if array.size else 0
        around = rng.normal(size=shape) if is_floating else np.zeros(shape, array.dtype)
        return np.asarray(around + fill, array.dtype)
    if array.dtype.kind == "b":
        return np.asarray(rng.random(shape) < array.mean())
    if not is_floating:
        return rng.integers(array.min(), array.max(), shape, array.dtype, endpoint=True)
    places = np.linspace(0, 1, array.size)
    return np.asarray(np.interp(rng.random(shape), places, np.sort(array, axis=None)))

"""Weights to and from PyTorch: the variables of a model, files, the state of optimizers.

A ``state_dict`` here is what torch calls so, with NumPy arrays: torch's names, shapes and order.
"""

from flaxnets.interop.adam import adam_from_torch, adam_to_torch
from flaxnets.interop.files import FORMATS, check_path, load, load_optimizer, metadata, save
from flaxnets.interop.held import leaves, parameters
from flaxnets.interop.layout import StateDict, from_torch, named_parameters, to_torch
from flaxnets.interop.optimizers import optimizer_from_torch, optimizer_to_torch

__all__ = [
    "FORMATS",
    "StateDict",
    "adam_from_torch",
    "adam_to_torch",
    "check_path",
    "from_torch",
    "leaves",
    "load",
    "load_optimizer",
    "metadata",
    "named_parameters",
    "optimizer_from_torch",
    "optimizer_to_torch",
    "parameters",
    "save",
    "to_torch",
]

"""Weights to and from PyTorch: the layout rules, and the files.

A ``state_dict`` here is what torch calls so, with NumPy arrays: torch's names, shapes and order.
"""

from flaxnets.interop.files import FORMATS, check_path, load, metadata, save
from flaxnets.interop.layouts import (
    LAYOUTS,
    StateDict,
    from_torch,
    leaves,
    named_parameters,
    to_torch,
)

__all__ = [
    "FORMATS",
    "LAYOUTS",
    "StateDict",
    "check_path",
    "from_torch",
    "leaves",
    "load",
    "metadata",
    "named_parameters",
    "save",
    "to_torch",
]

"""A network of torch's with the weights of a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from flaxnets import interop
from flaxnets.interop.layout import as_numpy


def read(net: torch.nn.Module, path: str | Path) -> None:
    """Give a network the weights of a file, as ``interop.load`` takes it, to the bit.

    Raises:
        ValueError: naming each key that is missing, surplus or of another shape, or the first
            that would be rounded; of a file that is none as ``interop.load`` does, which also
            raises OSError and ImportError.
    """
    arrays = interop.load(path)
    wanted = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    amiss = [f"no {name}" for name in wanted if name not in arrays]
    amiss += [f"{name}, which it has not" for name in arrays if name not in wanted]
    amiss += [
        f"{name} of shape {arrays[name].shape}, not {shape}"
        for name, shape in wanted.items()
        if name in arrays and arrays[name].shape != shape
    ]
    if amiss:
        raise ValueError(f"{path} does not fit {type(net).__name__}: it holds {'; '.join(amiss)}")
    with torch.no_grad():
        for name, tensor in net.state_dict(keep_vars=True).items():
            tensor.copy_(torch.from_numpy(_plain(arrays[name])))
    _check_kept(net, arrays, path)


def _plain(array: np.ndarray) -> np.ndarray:
    """Of a dtype that torch takes from NumPy: bfloat16, which it does not, as float32."""
    return np.array(array if array.dtype.kind in "biufc" else array.astype(np.float32))


def _check_kept(net: torch.nn.Module, arrays: Mapping[str, np.ndarray], path: str | Path) -> None:
    """Raises ValueError where a dtype, or a tied weight, has not kept what the file holds."""
    for name, tensor in net.state_dict().items():
        held, given = _plain(as_numpy(tensor)), _plain(arrays[name])
        if not np.array_equal(held, given, equal_nan=held.dtype.kind == "f"):
            raise ValueError(
                f"{path}: {name} of {arrays[name].dtype} is another number in the network, where "
                f"it is {str(tensor.dtype).removeprefix('torch.')} or one with another weight"
            )

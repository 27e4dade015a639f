"""torch's own files, .pt and .pth: checkpoints of weights and of optimizers.

They are pickles, which may run code when they are read; ``weights_only=True`` refuses whatever is
not plain data and tensors. torch is imported only here, and only when such a file comes up.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import ml_dtypes
import numpy as np

from flaxnets.interop.layouts import StateDict, as_numpy

WEIGHTS = ("model_state_dict", "state_dict", "model")  # what checkpoints call them
OPTIMIZERS = ("optimizer_state_dict", "optimizer")


def load_weights(path: Path) -> StateDict:
    """The ``state_dict`` in a file, or in the checkpoint that it holds."""
    found = _load(path)
    while inner := [found[key] for key in WEIGHTS if isinstance(found.get(key), Mapping)]:
        found = inner[0]
    foreign = [str(name) for name, value in found.items() if not hasattr(value, "detach")]
    if foreign or not found:
        what = f"holds {', '.join(foreign[:3])}" if foreign else "is empty"
        raise ValueError(
            f"{path}: no state_dict, nor a checkpoint with one as {', '.join(WEIGHTS)}: it {what}"
        )
    return {name: as_numpy(tensor) for name, tensor in found.items()}


def load_optimizer(path: Path) -> dict[str, Any]:
    """The optimizer's ``state_dict`` in a file, or in the checkpoint that it holds."""
    found = _load(path)
    for key in OPTIMIZERS:
        found = found[key] if isinstance(found.get(key), Mapping) else found
    if not {"state", "param_groups"} <= found.keys():
        raise ValueError(
            f"{path}: no optimizer's state_dict, nor a checkpoint with one as "
            f"{', '.join(OPTIMIZERS)}"
        )
    return _with_arrays(found)


def _with_arrays(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _with_arrays(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_with_arrays(inner) for inner in value)
    return as_numpy(value) if hasattr(value, "detach") else value


def _load(path: Path) -> Mapping[str, Any]:
    torch = _torch(path)
    try:
        with path.open("rb") as file:
            found = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path}: not a file of tensors alone, or damaged: what else it holds is not run "
            f"({_first_sentence(error)})"
        ) from error
    except Exception as error:  # torch has one of its own for each damage
        raise ValueError(f"{path}: not a whole file of torch ({_first_sentence(error)})") from error
    if not isinstance(found, Mapping):
        raise ValueError(f"{path}: holds a {type(found).__name__}, expected a state_dict")
    return found


def _first_sentence(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].partition(". ")[0] or type(error).__name__


def save(file: IO[bytes], arrays: StateDict, metadata: dict[str, str] | None) -> None:
    """Write a ``state_dict`` that torch loads."""
    torch = _torch(Path(getattr(file, "name", ".pt")))
    torch.save({name: _as_tensor(torch, array) for name, array in arrays.items()}, file)


def metadata(path: Path) -> dict[str, str]:
    """None: torch's files have no place for text."""
    return {}


def _as_tensor(torch: Any, array: np.ndarray) -> Any:
    if array.dtype == ml_dtypes.bfloat16:  # which torch does not take from NumPy
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def _torch(path: Path) -> Any:
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f"{path}: reading and writing {path.suffix} files needs torch: "
            "pip install 'flaxnets[parity]'"
        ) from error
    return torch

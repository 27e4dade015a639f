"""torch's own files, .pt and .pth: checkpoints of weights and of optimizers.

They are pickles, which may run code when they are read; ``weights_only=True`` refuses whatever is
not plain data and tensors. torch is imported only here, and only when such a file comes up.
"""

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, TypeGuard

import ml_dtypes
import numpy as np

from flaxnets.interop.layout import StateDict, as_numpy

WEIGHTS = ("model_state_dict", "state_dict", "model")  # what checkpoints call them
OPTIMIZERS = ("optimizer_state_dict", "optimizer")
DEEPEST = 3  # how far inside; a file may hold itself
FOLDER = 0x10  # among the attributes of a member of a zip file


def load_weights(path: Path) -> StateDict:
    """The ``state_dict`` in a file, or in the checkpoint that it holds."""
    found = _load(path)
    for _ in range(DEEPEST):
        inner = [found[key] for key in WEIGHTS if isinstance(found.get(key), Mapping)]
        found = inner[0] if inner else found
    foreign = [str(name) for name, value in found.items() if not hasattr(value, "detach")]
    if foreign or not found:
        what = f"holds {', '.join(foreign[:3])}" if foreign else "is empty"
        raise ValueError(
            f"{path}: no state_dict, nor a checkpoint with one as {', '.join(WEIGHTS)}: it {what}"
        )
    return {str(name): _array(path, name, tensor) for name, tensor in found.items()}


def _array(path: Path, name: Any, tensor: Any) -> np.ndarray:
    try:
        return as_numpy(tensor)
    except (TypeError, NotImplementedError, RuntimeError) as error:  # sparse, quantised, meta
        raise ValueError(
            f"{path}: {name} is no plain tensor of numbers that NumPy has: {tensor.layout}, "
            f"{tensor.dtype}, on {tensor.device}"
        ) from error


def load_optimizer(path: Path) -> dict[str, Any]:
    """The optimizer's ``state_dict`` in a file, or in the checkpoint that it holds."""
    found = _load(path)
    for key in OPTIMIZERS:
        found = found[key] if isinstance(found.get(key), Mapping) else found
    state, groups = found.get("state"), found.get("param_groups")
    if not (_all_mappings(state, dict) and _all_mappings(groups, list)):
        raise ValueError(
            f"{path}: no optimizer's state_dict, nor a checkpoint with one as "
            f"{', '.join(OPTIMIZERS)}"
        )
    arrays = {
        place: {
            key: _array(path, key, value) if hasattr(value, "detach") else value
            for key, value in of_one.items()
        }
        for place, of_one in state.items()
    }
    return {"state": arrays, "param_groups": groups}


def _all_mappings(value: Any, kind: type) -> TypeGuard[Any]:
    """Whether it is of a kind, dict or list, and all that is in it are mappings."""
    items = value.values() if isinstance(value, dict) else value
    return isinstance(value, kind) and all(isinstance(item, Mapping) for item in items)


def _load(path: Path) -> Mapping[str, Any]:
    torch = require_torch(path)
    try:
        _check_sums(path)
        with path.open("rb") as file:
            found = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path}: not a file of tensors alone, or damaged: what else it holds is not run "
            f"({_foreign(error)}); of a whole network save net.state_dict(), not net"
        ) from error
    except Exception as error:  # torch has one of its own for each damage
        raise ValueError(f"{path}: not a whole file of torch ({_first_sentence(error)})") from error
    if not isinstance(found, Mapping):
        raise ValueError(f"{path}: holds a {type(found).__name__}, expected a state_dict")
    return found


def _check_sums(path: Path) -> None:
    """torch itself reads past a wrong checksum: a flipped bit would be another weight. Of what is
    marked as a folder it reads nothing, and gives what was in memory."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():
                raise ValueError(f"the checksum of {damaged} is wrong")
            for info in archive.infolist():
                if info.external_attr & FOLDER and not info.is_dir():
                    raise ValueError(f"{info.filename} is marked as a folder")


def _foreign(error: Exception) -> str:
    """The class or function that torch names, which stands far inside its message."""
    found = re.search(r"GLOBAL ([\w.]+)", str(error))
    return found[1] if found else _first_sentence(error)


def _first_sentence(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].partition(". ")[0] or type(error).__name__


def save(file: IO[bytes], arrays: StateDict, metadata: dict[str, str] | None) -> None:
    """Write a ``state_dict`` that torch loads."""
    import torch

    torch.save({name: _as_tensor(torch, array) for name, array in arrays.items()}, file)


def metadata(path: Path) -> dict[str, str]:
    """None: torch's files have no place for text."""
    return {}


def _as_tensor(torch: Any, array: np.ndarray) -> Any:
    if array.dtype == ml_dtypes.bfloat16:  # which torch does not take from NumPy
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def require_torch(path: Path) -> Any:
    """The module torch. Raises ImportError that names the file for which it is needed."""
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f"{path}: reading and writing {path.suffix} files needs torch: "
            "pip install 'flaxnets[parity]'"
        ) from error
    return torch

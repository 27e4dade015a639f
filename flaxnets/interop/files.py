"""Files of weights: .safetensors, .npz, and torch's .pt and .pth."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from flaxnets.interop import npz, pickled
from flaxnets.interop.layout import StateDict, as_numpy

PREFIXES = ("module.", "_orig_mod.")  # left by DataParallel and by torch.compile


def load(path: str | os.PathLike[str]) -> StateDict:
    """Read the bare ``state_dict`` from a .safetensors, .npz, .pt or .pth file.

    Of a checkpoint it is what is called ``model_state_dict``, ``state_dict`` or ``model``. Prefixes
    that DataParallel and ``torch.compile`` put before every name are taken off. A .pt file needs
    torch to be installed, and is read by ``torch.load`` with ``weights_only=True``, without running
    what it may hold besides tensors.

    Args:
        path: the file.

    Returns:
        NumPy arrays by torch's names, in the stored dtypes and in torch's shapes: a weight of a
        ``Linear`` is (out, in).

    Raises:
        ValueError: for another suffix, a file that is not what its suffix says, or holds no
            ``state_dict``.
        OSError: if it cannot be read.
        ImportError: for a .pt or .pth file where torch is not installed.
    """
    return bare(_existing(path).load(Path(path)))


def load_optimizer(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read an optimizer's ``state_dict`` from a .pt or .pth file.

    It is read by ``torch.load`` with ``weights_only=True``. Of a checkpoint it is the part called
    ``optimizer_state_dict`` or ``optimizer``.

    Args:
        path: the file.

    Returns:
        torch's ``{"state": ..., "param_groups": ...}`` with NumPy arrays for tensors, shaped as
        they are stored and of the stored dtypes.

    Raises: as ``load`` does.
    """
    if not _is_torchs(_existing(path)):
        raise ValueError(f"{path}: optimizers are in .pt or .pth files")
    return pickled.load_optimizer(Path(path))


def bare(state_dict: StateDict) -> StateDict:
    """Without the prefixes that wrappers put before every name."""
    for prefix in PREFIXES:
        if state_dict and all(name.startswith(prefix) for name in state_dict):
            return bare({name.removeprefix(prefix): a for name, a in state_dict.items()})
    return state_dict


def metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """The text that ``save`` has kept with a ``state_dict``.

    Args:
        path: the file, as ``load`` takes it. Its arrays are not read.

    Returns:
        Texts by their names; {} if there are none, as in every .pt and .pth file.

    Raises:
        ValueError: for another suffix, or if it cannot be made out.
        OSError: if there is no such file, or it cannot be read.
    """
    return _existing(path).metadata(Path(path))


def _existing(path: str | os.PathLike[str]) -> "Format":
    found = _format(Path(path))
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file")
    return found


def save(
    path: str | os.PathLike[str],
    state_dict: Mapping[str, Any],
    metadata: dict[str, str] | None = None,
) -> None:
    """Write a ``state_dict`` to a .safetensors, .npz, .pt or .pth file, whole or not at all.

    The last two are written by ``torch.save``.

    Args:
        path: the file. One that is there is replaced once the new one is complete.
        state_dict: arrays or torch tensors by name, of any shape (...,) and any dtype of numbers.
        metadata: text to keep with them, in a .npz file as the comment of the archive. A .pt file,
            which torch reads as a ``state_dict``, has no place for it.

    Raises:
        ValueError: for another suffix.
        OSError: if it cannot be written; a file that was there is as it was.
        ImportError: for a .pt or .pth file where torch is not installed.
    """
    path = Path(path)
    check_path(path)
    write = _format(path).save
    # safetensors saves the buffer of a strided array as if it were contiguous, without a word.
    arrays = {name: np.asarray(as_numpy(value), order="C") for name, value in state_dict.items()}
    with replacing(path) as file:
        write(file, arrays, metadata)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to be written, whole or not at all: it takes its place once it is complete."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            yield file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)  # what a full disk has left of it


def _load_safetensors(path: Path) -> StateDict:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path}: not a whole safetensors file ({error})") from error


def _save_safetensors(file: IO[bytes], arrays: StateDict, metadata: dict[str, str] | None) -> None:
    from safetensors.numpy import save

    file.write(save(arrays, metadata))


def _metadata_safetensors(path: Path) -> dict[str, str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            return file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{path}: not a whole safetensors file ({error})") from error


class Format(NamedTuple):
    """How one kind of file is read and written."""

    load: Callable[[Path], StateDict]
    save: Callable[[IO[bytes], StateDict, dict[str, str] | None], None]
    metadata: Callable[[Path], dict[str, str]]


FORMATS = {
    ".safetensors": Format(_load_safetensors, _save_safetensors, _metadata_safetensors),
    ".npz": Format(npz.load, npz.save, npz.metadata),
    ".pt": Format(pickled.load_weights, pickled.save, pickled.metadata),
    ".pth": Format(pickled.load_weights, pickled.save, pickled.metadata),
}


def check_path(path: str | os.PathLike[str]) -> None:
    """Check that ``load`` and ``save`` know the suffix of a file, before there is one.

    Args:
        path: the file, which need not exist.

    Raises:
        ValueError: for another suffix.
        ImportError: for a .pt or .pth file where torch is not installed.
    """
    if _is_torchs(_format(Path(path))):
        pickled.require_torch(Path(path))


def _is_torchs(kind: Format) -> bool:
    return kind.load is pickled.load_weights


def _format(path: Path) -> Format:
    if path.suffix not in FORMATS:
        raise ValueError(f"{path}: the suffix must be one of {', '.join(FORMATS)}")
    return FORMATS[path.suffix]

"""NumPy's own archives, .npz, without pickles, and with text as the archive's comment."""

import json
import math
import zipfile
import zlib
from pathlib import Path
from typing import IO

import ml_dtypes
import numpy as np

from flaxnets.interop.layout import StateDict

DEFLATE = 1032  # times smaller than what it holds: no deflated stream can be more
# What NumPy and zipfile raise of a damaged file.
ERRORS: tuple[type[Exception], ...] = (
    ValueError,
    EOFError,
    OSError,
    KeyError,
    TypeError,
    SyntaxError,
    RuntimeError,
)
ERRORS += (zipfile.BadZipFile, zlib.error)


def load(path: Path) -> StateDict:
    """The arrays of an archive. Raises ValueError if it is not whole."""
    try:
        with path.open("rb") as stream:  # np.load(path) leaves it open when it fails
            _check_sizes(stream)
            file = np.load(stream, allow_pickle=False)
            if isinstance(file, np.ndarray):
                raise ValueError("it holds a single array without a name")
            arrays = {name: file[name] for name in file.files}
    except ERRORS as error:
        raise ValueError(f"{path}: not a whole .npz file of arrays ({error})") from error
    # NumPy has no bfloat16 of its own, and stores it as two bytes of unknown meaning.
    return {n: a.view(ml_dtypes.bfloat16) if a.dtype == "V2" else a for n, a in arrays.items()}


def _check_sizes(stream: IO[bytes]) -> None:
    """np.load allocates whatever a header declares: it must be what there is."""
    if not zipfile.is_zipfile(stream):
        stream.seek(0)
        return
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    with zipfile.ZipFile(stream) as archive:
        for member in archive.infolist():
            with archive.open(member) as file:
                shape, _, dtype = read_header[np.lib.format.read_magic(file)](file)
                if dtype.hasobject:
                    raise ValueError(f"{member.filename} holds pickled Python, which is not run")
                declared = math.prod(shape) * dtype.itemsize
                held = member.file_size - file.tell()
                most = member.compress_size * (DEFLATE if member.compress_type else 1)
                if declared != held or member.file_size > most:
                    raise ValueError(f"{member.filename} declares {declared:,} bytes, not {held:,}")
    stream.seek(0)


def save(file: IO[bytes], arrays: StateDict, metadata: dict[str, str] | None) -> None:
    """Write arrays, and text in the comment of the archive."""
    with zipfile.ZipFile(file, "w") as archive:  # np.savez cannot have an array named "file"
        archive.comment = json.dumps(metadata or {}).encode()
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def metadata(path: Path) -> dict[str, str]:
    """The text. Raises ValueError if it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = dict(json.loads(archive.comment or b"{}"))
    except ERRORS as error:
        raise ValueError(f"{path}: its metadata cannot be read ({error})") from error
    return {str(key): str(value) for key, value in found.items()}

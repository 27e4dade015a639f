"""IDX, the format of the official files of MNIST and Fashion-MNIST, plain or gzip-compressed."""

import gzip
import io
import os
import zlib
from pathlib import Path

import numpy as np

from flaxnets.data.splits import Split, Splits

FOLDERS = {"mnist": "MNIST/raw", "fashion_mnist": "FashionMNIST/raw"}  # torchvision's
KINDS = {"images": 3, "labels": 1}  # the number of axes, which the name and the header both give
SIDE = 28
BLOCK = 1 << 20


def load(name: str, data_dir: str | os.PathLike[str]) -> Splits:
    """The dataset in a folder, or in one below it: see ``flaxnets.data.load``."""
    folder = _find_folder(name, Path(data_dir))
    return Splits(_read_split(folder, "train"), _read_split(folder, "t10k"))


def _find_folder(name: str, data_dir: Path) -> Path:
    if not data_dir.is_dir():
        raise NotADirectoryError(f"{data_dir}: no such folder")
    folders = [data_dir, data_dir / name, data_dir / FOLDERS[name]]
    for folder in folders:
        if any(_path(folder, split, kind) for split in ("train", "t10k") for kind in KINDS):
            return folder
    raise FileNotFoundError(
        f"{data_dir} holds no IDX files such as train-images-idx3-ubyte.gz, "
        f"nor does {name}/ or {FOLDERS[name]}/ in it"
    )


def _path(folder: Path, split: str, kind: str) -> Path | None:
    plain = folder / f"{split}-{kind}-idx{KINDS[kind]}-ubyte"
    candidates = (plain, plain.with_name(plain.name + ".gz"))
    return next((path for path in candidates if path.is_file()), None)


def _read_split(folder: Path, split: str) -> Split:
    images, labels = (read(_present(folder, split, kind), kind) for kind in KINDS)
    if len(images) != len(labels):
        raise ValueError(
            f"{folder}: {split} has {len(images)} images but {len(labels)} labels; "
            "the counts must be the same"
        )
    if labels.max() > 9:
        raise ValueError(f"{folder}: {split} has the label {labels.max()}; expected 0 to 9")
    return Split(images, labels.astype(np.int32))


def _present(folder: Path, split: str, kind: str) -> Path:
    path = _path(folder, split, kind)
    if path is None:
        raise FileNotFoundError(
            f"{folder}: {split}-{kind}-idx{KINDS[kind]}-ubyte is missing, plain or .gz"
        )
    return path


def read(path: Path, kind: str) -> np.ndarray:
    """One file of ``"images"``, (N, 28, 28), or ``"labels"``, (N,): uint8."""
    try:
        with _open(path) as file:
            shape = _read_header(path, file.read(4 + 4 * KINDS[kind]), kind)
            size = int(np.prod(shape, dtype=object))
            content = _read_at_most(file, size + 1)  # a byte more than there should be
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: truncated or not a gzip file ({error})") from error
    if len(content) != size:
        found = f"only {len(content):,}" if len(content) < size else "more"
        raise ValueError(f"{path}: the header declares {size:,} bytes, the file holds {found}")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _open(path: Path) -> io.BufferedIOBase:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _read_at_most(file: io.BufferedIOBase, limit: int) -> bytearray:
    """In blocks: ``file.read(limit)`` would allocate whatever a header declares."""
    content = bytearray()
    while block := file.read(min(BLOCK, limit - len(content))):
        content += block
    return content


def _read_header(path: Path, header: bytes, kind: str) -> tuple[int, ...]:
    """The shape that an IDX header declares: http://yann.lecun.com/exdb/mnist."""
    axes = KINDS[kind]
    magic = bytes([0, 0, 8, axes])  # 8: unsigned bytes
    if header[:4] != magic:
        raise ValueError(
            f"{path}: not an IDX file of {kind}: it begins with "
            f"{header[:4].hex(' ') or 'nothing'}, expected {magic.hex(' ')}"
        )
    if len(header) < 4 + 4 * axes:
        raise ValueError(f"{path}: truncated within the header")
    shape = tuple(int(n) for n in np.frombuffer(header[4:], ">u4"))
    if shape[0] == 0:
        raise ValueError(f"{path}: holds no {kind}")
    if shape[1:] not in ((), (SIDE, SIDE)):
        raise ValueError(
            f"{path}: the images are {shape[1]} x {shape[2]}, expected {SIDE} x {SIDE}"
        )
    return shape

"""The datasets: MNIST and Fashion-MNIST from folders of IDX files, and scikit-learn's digits."""

import gzip
import os
import zlib
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np

FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
           "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")  # fmt: skip
DIGITS = tuple("0123456789")
CLASSES = {"digits": DIGITS, "mnist": DIGITS, "fashion_mnist": FASHION}
"""The datasets, and the names of their classes in the order of the labels."""

FOLDERS = {"mnist": "MNIST/raw", "fashion_mnist": "FashionMNIST/raw"}  # torchvision's
SIDE = 28
BLOCK = 1 << 20


class Split(NamedTuple):
    """Examples: images (N, 28, 28) uint8, labels (N,) int32 in [0, 10)."""

    images: np.ndarray
    labels: np.ndarray


class Splits(NamedTuple):
    """What a network is trained on, and what it is tested on."""

    train: Split
    test: Split


def load(name: str, data_dir: str | os.PathLike[str] | None = None) -> Splits:
    """Load a dataset.

    Args:
        name: ``"digits"``, scikit-learn's handwritten digits, scaled from 8 x 8 to 28 x 28 and
            split into 1,437 and 360 examples, stratified and always the same: it comes with
            scikit-learn and needs no network. ``"mnist"`` or ``"fashion_mnist"``, 60,000 and
            10,000 examples.
        data_dir: for those two, the folder of their four IDX files, plain or ``.gz``; or one that
            holds such a folder under the dataset's name or torchvision's (``MNIST/raw``).

    Returns:
        ``.train`` and ``.test``, each with images (N, 28, 28) uint8 and labels (N,) int32.

    Raises:
        ValueError: for an unknown name, a ``data_dir`` that is missing or out of place, a file
            that is not the IDX file that it should be.
        OSError: if a file is missing or cannot be read.
    """
    if name not in CLASSES:
        raise ValueError(f"unknown dataset {name!r}: choose from {', '.join(CLASSES)}")
    if name == "digits":
        if data_dir is not None:
            raise ValueError("digits come with scikit-learn: leave out the data folder")
        return _digits()
    if data_dir is None:
        raise ValueError(
            f"{name} needs a data folder, the one that holds its four IDX files "
            "(train-images-idx3-ubyte.gz, ...); the dataset 'digits' needs none"
        )
    folder = _find_folder(name, Path(data_dir))
    return Splits(_read_split(folder, "train"), _read_split(folder, "t10k"))


def _digits() -> Splits:
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8) * (255 / 16)
    images = zoom(images, (1, 3, 3), order=1, mode="nearest", grid_mode=True)  # bilinear
    images = np.pad(np.rint(images).astype(np.uint8), ((0, 0), (2, 2), (2, 2)))
    train, test, train_labels, test_labels = train_test_split(
        images, labels.astype(np.int32), test_size=360, stratify=labels, random_state=42
    )
    return Splits(Split(train, train_labels), Split(test, test_labels))


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


# The two kinds of files: the number of axes, which the name and the header both give.
KINDS = {"images": 3, "labels": 1}


def _path(folder: Path, split: str, kind: str) -> Path | None:
    plain = folder / f"{split}-{kind}-idx{KINDS[kind]}-ubyte"
    candidates = (plain, plain.with_name(plain.name + ".gz"))
    return next((path for path in candidates if path.is_file()), None)


def _read_split(folder: Path, split: str) -> Split:
    images, labels = (_read(folder, split, kind) for kind in KINDS)
    if len(images) != len(labels):
        raise ValueError(
            f"{folder}: {split} has {len(images)} images but {len(labels)} labels; "
            "the counts must be the same"
        )
    if labels.max() > 9:
        raise ValueError(f"{folder}: {split} has the label {labels.max()}; expected 0 to 9")
    return Split(images, labels.astype(np.int32))


def _read(folder: Path, split: str, kind: str) -> np.ndarray:
    path = _path(folder, split, kind)
    if path is None:
        raise FileNotFoundError(
            f"{folder}: {split}-{kind}-idx{KINDS[kind]}-ubyte is missing, plain or .gz"
        )
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


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path) if path.suffix == ".gz" else path.open("rb"))


def _read_at_most(file: IO[bytes], limit: int) -> bytearray:
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

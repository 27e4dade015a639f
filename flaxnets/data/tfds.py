"""MNIST and Fashion-MNIST from TensorFlow Datasets, with no TensorFlow installed.

The first time the dataset is downloaded and prepared, as any TFDS reader expects it. Its decoded
images are kept beside it, so that later it loads in a fraction of a second, without TFDS.
"""

import contextlib
import functools
import importlib.util
import io
import os
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flaxnets.data.splits import Split, Splits

KEPT = "flaxnets.npz"
HINT = (
    "name the folder of its four files as data_dir, or take the dataset that needs no network, "
    "digits"
)


def load(
    name: str,
    tfds_dir: str | os.PathLike[str] | None = None,
    manual_dir: Path | None = None,
) -> Splits:
    """The dataset in TFDS's folder, prepared first if it is not there: see ``flaxnets.data.load``.

    Args:
        name: ``"mnist"`` or ``"fashion_mnist"``.
        tfds_dir: TFDS's folder, its own by default.
        manual_dir: a folder with the four official ``.gz`` files, instead of the network.
    """
    folder = Path(tfds_dir or default_folder()).expanduser()
    kept = folder / name / KEPT
    with contextlib.suppress(OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return _read(kept)
    splits = _decode(_prepare(name, folder, manual_dir))
    with contextlib.suppress(OSError):  # a shared folder may be read-only
        _keep(kept, splits)
    return splits


def default_folder() -> str:
    """TFDS's own default, without the time to import it."""
    return os.environ.get("TFDS_DATA_DIR", os.path.join("~", "tensorflow_datasets"))


def _read(path: Path) -> Splits:
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
        return Splits(*(Split(file[f"{s}_images"], file[f"{s}_labels"]) for s in Splits._fields))


def _keep(path: Path, splits: Splits) -> None:
    arrays = {
        f"{name}_{kind}": array
        for name, split in splits._asdict().items()
        for kind, array in split._asdict().items()
    }
    temporary = path.with_name(f".{KEPT}.{uuid.uuid4().hex}")
    try:
        with temporary.open("wb") as file:
            np.savez(file, **arrays)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _prepare(name: str, folder: Path, manual_dir: Path | None) -> Any:
    """The builder of a dataset that is ready to be read."""
    from flaxnets.data import tfds_builder

    make = functools.partial(tfds_builder.BUILDERS[name], data_dir=folder)
    if make().data_path.exists():
        return make()
    # tfds.load, which needs TensorFlow, opens only TFRecord; all else opens ArrayRecord.
    form = "tfrecord" if importlib.util.find_spec("tensorflow") else "array_record"
    try:
        tfds_builder.prepare(make(file_format=form), manual_dir)
    except (OSError, ValueError) as error:
        if not make().data_path.exists():  # else another process was faster
            kinds = (ConnectionError, OSError, ValueError)
            kind = next(kind for kind in kinds if isinstance(error, kind))
            raise kind(f"{name} from TensorFlow Datasets: {error}; {HINT}") from error
    return make()


def _decode(builder: Any) -> Splits:
    try:
        return Splits(*(_decode_split(builder, split) for split in Splits._fields))
    except Exception as error:  # TFDS, its readers, protobuf and Pillow have each their own
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"{builder.data_path} cannot be read ({reason}): remove it, and it is prepared anew; "
            "or name another folder as tfds_dir"
        ) from error


def _decode_split(builder: Any, split: str) -> Split:
    """The examples of a split, in the order of the official files."""
    from PIL import Image
    from tensorflow_datasets.core.hashing import Hasher
    from tqdm.auto import tqdm

    examples = _examples(builder, split)
    # TFDS sorts by a hash of the example's number: undone here, so that every source gives the
    # same order, and with it the same training.
    order = sorted(range(len(examples)), key=Hasher(split).hash_key)
    images = np.empty((len(examples), 28, 28), np.uint8)
    labels = np.empty(len(examples), np.int32)
    bar = tqdm(examples, f"decoding {builder.name}", unit=" images", disable=None, leave=False)
    for i, example in zip(order, bar, strict=True):
        images[i] = np.asarray(Image.open(io.BytesIO(example["image"])))
        labels[i] = example["label"]
    return Split(images, labels)


def _examples(builder: Any, split: str) -> Sequence[Any]:
    """What TFDS has stored, the images still as PNG."""
    import tensorflow_datasets as tfds

    skip = {"image": tfds.decode.SkipDecoding()}
    if builder.info.file_format.value == "tfrecord":  # prepared by TFDS itself, with TensorFlow
        features = builder.info.features
        return [
            features.deserialize_example_np(record, decoders=skip)
            for path in builder.info.splits[split].filepaths
            for record in _tfrecords(path)
        ]
    source = builder.as_data_source(split, decoders=skip)
    examples: Sequence[Any] = source.__getitems__(range(len(source)))
    return examples


def _tfrecords(path: Path) -> Iterator[bytes]:
    """The records of a TFRecord file: each between its length, a checksum of that, and its own."""
    with path.open("rb") as file:
        while head := file.read(12):
            yield file.read(int.from_bytes(head[:8], "little"))
            file.read(4)

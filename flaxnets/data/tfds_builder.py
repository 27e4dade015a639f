"""TensorFlow Datasets' builders of MNIST and Fashion-MNIST, prepared without TensorFlow.

Those of TFDS need TensorFlow to unpack the files and to encode the images. What differs here is
only that: the registered files and checksums, and what is left on disk, are TFDS's own.
"""

import contextlib
import io
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
import tensorflow_datasets as tfds
from PIL import Image
from tensorflow_datasets.core import registered
from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError
from tensorflow_datasets.image_classification import mnist
from tqdm.auto import tqdm

from flaxnets.data import idx

FILES = {"images": "{}-images-idx3-ubyte.gz", "labels": "{}-labels-idx1-ubyte.gz"}
PREFIXES = {"train": "train", "test": "t10k"}
PATIENCE = 8  # seconds in which the server must have answered

with registered.skip_registration():  # TFDS's own stay the ones that go by these names

    class MNIST(mnist.MNIST):
        """TFDS's MNIST but for what needs TensorFlow."""

        name = "mnist"

        def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[Any]]:
            urls = {
                split: {kind: self.URL + file.format(prefix) for kind, file in FILES.items()}
                for split, prefix in PREFIXES.items()
            }
            paths = dl_manager.download(urls)  # which verifies the checksums
            tfds.disable_progress_bar()  # its bars for what follows are wider than a terminal
            return {split: self._generate_examples(**paths[split]) for split in urls}

        def _generate_examples(self, images: Any, labels: Any) -> Iterator[tuple[int, Any]]:
            arrays = idx.read(Path(images), "images"), idx.read(Path(labels), "labels")
            title = f"preparing {self.name}"
            pairs = zip(*arrays, strict=True)
            bar = tqdm(pairs, title, len(arrays[0]), unit=" images", disable=None)
            for key, (image, label) in enumerate(bar):
                file = io.BytesIO()
                Image.fromarray(image).save(file, "PNG")
                file.seek(0)
                yield key, {"image": file, "label": int(label)}

    class FashionMNIST(mnist.FashionMNIST, MNIST):
        """TFDS's Fashion-MNIST but for what needs TensorFlow."""

        name = "fashion_mnist"


BUILDERS = {"mnist": MNIST, "fashion_mnist": FashionMNIST}


def prepare(builder: Any, manual_dir: Path | None) -> None:
    """Download and prepare the dataset of one of ``BUILDERS``.

    Raises:
        ConnectionError: if the files cannot be had.
        ValueError: if one of them is not the registered one.
    """
    if manual_dir is None:
        _check_network(builder.URL + FILES["images"].format("train"))
    config = tfds.download.DownloadConfig(manual_dir=manual_dir)
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # what it says does not fit a terminal
            builder.download_and_prepare(download_config=config)
    except tfds.download.DownloadError as error:
        raise ConnectionError(str(error)) from error
    except NonMatchingChecksumError as error:
        what = str(error).partition(", has wrong checksum")[0]
        raise ValueError(f"{what}, is not the registered file: its checksum differs") from error
    finally:
        tfds.enable_progress_bar()


def _check_network(url: str) -> None:
    """Raise ConnectionError unless the server answers soon: TFDS would retry for minutes."""
    failures = [f"no answer from {url} in {PATIENCE} seconds"]

    def get() -> None:
        try:
            with requests.get(url, stream=True, timeout=PATIENCE) as response:
                response.raise_for_status()
            failures.clear()
        except requests.RequestException as error:
            failures[0] = f"{url} cannot be reached ({type(error).__name__})"

    # A thread, since looking up a name has no timeout.
    thread = threading.Thread(target=get, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if failures:
        raise ConnectionError(failures[0])

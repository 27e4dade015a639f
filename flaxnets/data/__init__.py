"""The datasets: scikit-learn's digits, MNIST and Fashion-MNIST."""

import os

from flaxnets.data import digits, idx, tfds
from flaxnets.data.splits import CLASSES, Split, Splits

__all__ = ["CLASSES", "Split", "Splits", "load"]


def load(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    tfds_dir: str | os.PathLike[str] | None = None,
) -> Splits:
    """Load a dataset.

    Args:
        name: ``"digits"``, scikit-learn's handwritten digits, scaled from 8 x 8 to 28 x 28 and
            split into 1,437 and 360 examples, stratified and always the same: it comes with
            scikit-learn and needs no network. ``"mnist"`` or ``"fashion_mnist"``, 60,000 and
            10,000 examples, the same in the same order wherever they come from.
        data_dir: for those two, the folder of their four IDX files, plain or ``.gz``; or one that
            holds such a folder under the dataset's name or torchvision's (``MNIST/raw``). Without
            it they come from TensorFlow Datasets, downloaded the first time. TensorFlow itself is
            not needed.
        tfds_dir: the folder of TensorFlow Datasets. By default its own, ``TFDS_DATA_DIR`` in the
            environment or ``~/tensorflow_datasets``.

    Returns:
        ``.train`` and ``.test``, each with images (N, 28, 28) uint8 and labels (N,) int32.

    Raises:
        ValueError: for an unknown name, a folder that is missing or out of place, a file that is
            not the IDX file that it should be, a download whose checksum is not the registered one.
        OSError: if a file is missing or cannot be read; ConnectionError, within ten seconds, if
            the dataset is not there yet and neither is the network.
    """
    if name not in CLASSES:
        raise ValueError(f"unknown dataset {name!r}: choose from {', '.join(CLASSES)}")
    if name == "digits":
        if (data_dir or tfds_dir) is not None:
            raise ValueError("digits come with scikit-learn: leave out the data folder")
        return digits.load()
    if data_dir is None:
        return tfds.load(name, tfds_dir)
    if tfds_dir is not None:
        raise ValueError(
            "give the folder of the IDX files or that of TensorFlow Datasets, not both"
        )
    return idx.load(name, data_dir)

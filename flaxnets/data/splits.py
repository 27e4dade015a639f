"""What every dataset is loaded as, and what its classes are called."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DIGITS = tuple("0123456789")
FASHION = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
CLASSES = {"digits": DIGITS, "mnist": DIGITS, "fashion_mnist": FASHION}
"""The datasets, and the names of their classes in the order of the labels."""


class Split(NamedTuple):
    """Examples: ``images`` (N, 28, 28) uint8, ``labels`` (N,) int32 in [0, 10)."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int32]


class Splits(NamedTuple):
    """Two ``Split``: ``train``, what a network is trained on, and ``test``, what it is tested on.

    Images are (N, 28, 28) uint8 and labels (N,) int32 in both, of any number N each.
    """

    train: Split
    test: Split

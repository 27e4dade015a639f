"""Does a network trained on MNIST recognise photos?

    python benchmarks/photos.py --data-dir DIR

The CNN after one epoch; test images of MNIST made into photos (dark on light, 600 pixels wide, off
centre, unevenly lit), and the ten drawings of the tests. Beside them the images as they are. Two
minutes on two cores.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import environment
import numpy as np
from PIL import Image

import flaxnets
from flaxnets import data, training
from flaxnets.photos import read as images
from flaxnets.photos.prepare import prepare

DRAWN = Path(__file__).parents[1] / "tests/photos"


def main() -> None:
    """Print the shares that are recognised, and save them."""
    options, rows = parse(), []
    train, test = data.load("mnist", options.data_dir)
    few = data.Split(*(array[: options.n] for array in test))
    classify = trained(data.Split(*(array[: options.examples] for array in train)), few)
    for kind, (seen, labels) in kinds(few).items():
        right = int(np.sum(classify(seen) == labels))
        rows.append({"kind": kind, "right": right, "of": len(labels)})
        print(f"{kind:18}  {right} of {len(labels)}, {right / len(labels):.1%}", flush=True)
    environment.save(options.output, rows)


def trained(train: data.Split, test: data.Split) -> Callable[[np.ndarray], np.ndarray]:
    """What classifies images: the CNN after one epoch."""
    model = flaxnets.CNN()
    (epoch,) = training.fit(model, (train, test), training.Config(epochs=1))
    return lambda seen: training.predict(model, epoch.state.variables, seen).argmax(1)


def kinds(test: data.Split) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What the network sees of each kind of picture, and the classes."""
    rng = np.random.default_rng(0)
    photos = [photo(image, rng) for image in test.images]
    drawings = [images.read(DRAWN / f"{digit}.jpg") for digit in range(10)]
    return {
        "images as they are": (test.images, test.labels),
        "photos": (prepared(photos), test.labels),
        "drawings": (prepared(drawings), np.arange(10)),
    }


def prepared(pictures: list[np.ndarray]) -> np.ndarray:
    """Pictures as the network takes them: (n, 28, 28)."""
    return np.stack([prepare(picture).image for picture in pictures])


def photo(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An image of MNIST as a photo: (28, 28) uint8 -> (800, 600) uint8."""
    side = int(rng.integers(150, 320))
    digit = np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)) / 255
    opacity = np.zeros((800, 600))
    top, left = (rng.integers(0, n - side) for n in opacity.shape)
    opacity[top : top + side, left : left + side] = digit
    light = (
        np.linspace(*rng.uniform(130, 240, 2), 600)
        * np.linspace(*rng.uniform(0.7, 1, 2), 800)[:, None]
    )
    picture = light * (1 - opacity) + 40 * opacity + rng.normal(0, 4, opacity.shape)
    return picture.clip(0, 255).astype(np.uint8)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = environment.parser(__doc__, "photos.json")
    parser.add_argument("--n", type=int, default=1000, help="test images")
    parser.add_argument("--examples", type=int, help="to train on; default: all")
    return parser.parse_args()


if __name__ == "__main__":
    main()

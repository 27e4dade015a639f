"""Does a network trained on MNIST recognise photos?

    python benchmarks/photos.py --data-dir DIR

The CNN after one epoch; test images of MNIST made into photos (dark on light, 600 pixels wide, off
centre, unevenly lit), and the ten drawings of the tests. Beside them the images as they are. Two
minutes on two cores.
"""

import argparse
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
    options = parse()
    splits = data.load("mnist", options.data_dir)
    model, config = flaxnets.CNN(), training.Config(epochs=1)
    train = tuple(array[: options.examples] for array in splits.train)
    test, labels = (array[: options.n] for array in splits.test)
    (epoch,) = training.fit(model, (train, (test, labels)), config)
    rng = np.random.default_rng(0)
    kinds = {
        "images as they are": (list(test), labels),
        "photos": ([photo(x, rng) for x in test], labels),
        "drawings": ([images.read(DRAWN / f"{i}.jpg") for i in range(10)], np.arange(10)),
    }
    rows = []
    for kind, (pictures, labels) in kinds.items():
        raw = kind == "images as they are"
        seen = np.stack(pictures if raw else [prepare(x).image for x in pictures])
        outputs = training.predict(model, epoch.state.variables, seen)
        right = int(np.sum(np.argmax(outputs, 1) == labels))
        rows.append({"kind": kind, "right": right, "of": len(labels)})
        print(f"{kind:18}  {right} of {len(labels)}, {right / len(labels):.1%}", flush=True)
    environment.save(options.output, rows)


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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", required=True, help="the folder of MNIST")
    parser.add_argument("--n", type=int, default=1000, help="test images")
    parser.add_argument("--examples", type=int, help="to train on; default: all")
    parser.add_argument("--output", default=environment.RESULTS / "photos.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()

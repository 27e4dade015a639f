"""Classify images of one's own, or test images of a dataset.

examples:
  flaxnets predict runs/cnn photo.png
      what digit it is, and how the photo was brought to what the network knows
  flaxnets predict net.safetensors *.jpg --show seen.png
      also a picture of what the network saw
  flaxnets predict runs/cnn --dataset mnist --index 0 5 7 --json
      test images of a dataset, with all probabilities, for programs
"""

import argparse
import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from flaxnets import data, interop, plots, saving, training
from flaxnets.cli.terminal import bad_input, check_writable
from flaxnets.models import Network
from flaxnets.photos import read as images
from flaxnets.photos.prepare import Prepared, prepare, scale
from flaxnets.runs import folder
from flaxnets.runs.plan import sources_of

SHOWN = 30  # images in a picture


class Query(NamedTuple):
    """An image to classify."""

    name: str
    source: np.ndarray  # as it was read, (H, W) uint8, but not larger than is shown
    prepared: Prepared
    true: int | None = None  # its label, where that is known


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add = parser.add_argument
    add("model", metavar="MODEL", help="the folder of a run, or a file of weights")
    add("images", metavar="IMAGE", nargs="*", help="PNG or JPEG files of any size")
    add("--index", type=int, nargs="+", metavar="N", help="test images of the dataset, from 0")
    add(
        "--dataset",
        choices=data.CLASSES,
        help="what the network was trained on (default: what is saved with it, or mnist)",
    )
    add(
        "--data-dir",
        metavar="DIR",
        help="for --index: the folder of the IDX files, as in train (default: as the run had it)",
    )
    add("--tfds-dir", metavar="DIR", help="for --index: TensorFlow Datasets' (default: likewise)")
    add("--raw", action="store_true", help="only scale the images to 28 x 28, prepare nothing")
    add(
        "--show",
        metavar="FILE.png",
        help=f"save a picture of what the network saw in the first {SHOWN} images",
    )
    add("--json", action="store_true", help="print a JSON list with all probabilities")


def run(options: argparse.Namespace) -> int:
    """Classify what the options name. Returns the exit status."""
    with bad_input():
        _check(options)
        model, variables = saving.load(options.model)
        options.dataset = dataset = options.dataset or _trained_on(options.model)
        queries = _test_images(options) if options.index else _own(dataset, options)
        probabilities = _classify(model, variables, queries)
    classes = data.CLASSES[dataset]
    if model.num_classes != len(classes):
        classes = tuple(f"class {i}" for i in range(model.num_classes))
    if options.json:
        rows = zip(queries, probabilities, strict=True)
        print(json.dumps([_record(query, row, classes) for query, row in rows], indent=1))
    else:
        for query, row in zip(queries, probabilities, strict=True):
            print(_lines(query, row, classes), flush=True)
    if options.show:
        pairs = [(query.source, query.prepared.image) for query in queries[:SHOWN]]
        plots.seen(pairs, probabilities[:SHOWN], classes).savefig(options.show, dpi=150)
        if not options.json:
            print(f"wrote {options.show}")
    return 0


def _check(options: argparse.Namespace) -> None:
    if bool(options.images) == bool(options.index):
        raise ValueError("give either image files or --index with numbers of test images")
    if options.show:
        if Path(options.show).suffix != ".png":
            raise ValueError(f"--show {options.show}: the suffix must be .png")
        check_writable("--show", options.show)


def _trained_on(path: str) -> str:
    found = interop.metadata(saving.find(path)).get("dataset")
    return found if found in data.CLASSES else "mnist"


def _own(dataset: str, options: argparse.Namespace) -> list[Query]:
    queries = []
    for path in options.images:
        source = images.read(path)
        try:
            prepared = scale(source) if options.raw else prepare(source, dataset)
        except ValueError as error:
            raise ValueError(f"{path}: {error}; --raw takes it as it is") from error
        step = max(1, max(source.shape) // 400)
        queries.append(Query(path, source[::step, ::step].copy(), prepared))
    return queries


def _test_images(options: argparse.Namespace) -> list[Query]:
    dataset = options.dataset
    where = {"data_dir": options.data_dir, "tfds_dir": options.tfds_dir}
    if dataset != "digits" and not any(where.values()):
        where |= sources_of(folder.read_config(saving.find(options.model).parent), dataset)
    test = data.load(dataset, **where).test
    n = len(test.labels)
    for i in options.index:
        if not 0 <= i < n:
            raise ValueError(f"--index {i}: {dataset} has {n:,} test images, from 0 to {n - 1}")
    return [
        Query(f"{dataset} {i}", test.images[i], Prepared(test.images[i], []), int(test.labels[i]))
        for i in options.index
    ]


def _classify(model: Network, variables: dict[str, Any], queries: Sequence[Query]) -> np.ndarray:
    """(N, K) probabilities."""
    seen = np.stack([query.prepared.image for query in queries])
    probabilities = np.asarray(model.probabilities(training.predict(model, variables, seen)))
    if not np.isfinite(probabilities).all():
        raise ValueError("the network's outputs are not finite: its weights must be damaged")
    return probabilities.astype(float)


def _lines(query: Query, probabilities: np.ndarray, classes: Sequence[str]) -> str:
    """What a person reads: the class, the next ones, and what was done to the image."""
    first, *others = np.argsort(-probabilities, kind="stable")[:3]
    line = f"{query.name}: {classes[first]} ({100 * probabilities[first]:.1f} %)"
    line += "".join(f", {classes[i]} ({100 * probabilities[i]:.1f} %)" for i in others)
    if query.true is not None:
        line += f"; true: {classes[query.true]}"
    line = _wrapped(line)
    if query.prepared.steps:
        line += "\n" + _wrapped("  " + "; ".join(query.prepared.steps))
    return line


def _wrapped(line: str) -> str:
    """In 80 columns, but for names of files that are longer."""
    return textwrap.fill(
        line, 80, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def _record(query: Query, probabilities: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    label = int(probabilities.argmax())
    record = {
        "image": query.name,
        "class": classes[label],
        "label": label,
        "probability": probabilities[label],
        "probabilities": dict(zip(classes, probabilities, strict=True)),
        "preparation": query.prepared.steps,
    }
    return record if query.true is None else {**record, "true_label": query.true}

"""What becomes of damaged files? Each is refused in one line, or read for what it says.

    python benchmarks/fuzzing.py --cases 400

Writes a whole file of each format that flaxnets reads, and reads copies of it with a damage drawn
from a fixed seed: nothing may hang, crash or take memory that a header only declares, and weights
in a format with checksums may not be read wrongly. A damaged checkpoint is set aside, and the run
goes on. Ends with the first case that is dealt with otherwise. Half a minute on two cores; the
tests have a few cases of each format.
"""

import argparse
import functools
import shutil
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import environment
import jax
import numpy as np
import torch
from damages import damaged, watched
from PIL import Image

from flaxnets import interop
from flaxnets.data import idx
from flaxnets.photos import read as images
from flaxnets.runs import checkpoints as checkpoint
from flaxnets.runs.checkpoints import parts
from flaxnets.training.state import Snapshot, initial_state

REFUSED = (ValueError, OSError)
STATE = {"fc.weight": np.arange(12, dtype=np.float32).reshape(3, 4), "fc.bias": np.ones(3)}


class Format(NamedTuple):
    """A kind of file: how a whole one is written and read, and what must hold of what is read."""

    name: str
    write: Callable[[Path], None]
    read: Callable[[Path], Any]
    check: Callable[[Any], None]


def weights(path: Path) -> None:
    """Of a small network."""
    interop.save(path, STATE, {"model": "mlp"})


def torchs_weights(path: Path) -> None:
    """The same as torch writes them."""
    torch.save({name: torch.tensor(array) for name, array in STATE.items()}, path)


def some_weights(found: dict[str, np.ndarray]) -> None:
    """The format has no checksums."""
    assert all(isinstance(name, str) for name in found)
    assert all(isinstance(array, np.ndarray) and array.size < 10_000 for array in found.values())


def the_weights(found: dict[str, np.ndarray]) -> None:
    """The format has checksums: what is read is right, or it would not have been."""
    assert found.keys() <= STATE.keys()
    for name, array in found.items():
        np.testing.assert_array_equal(array, STATE[name])


def some_metadata(found: dict[str, str]) -> None:
    """Texts by their names."""
    assert isinstance(found, dict)
    assert all(isinstance(text, str) for item in found.items() for text in item)


def idx_file(kind: str) -> Callable[[Path], None]:
    """Ten images, or labels."""
    sizes = [0x803, 10, 28, 28] if kind == "images" else [0x801, 10]
    content = np.array(sizes, ">u4").tobytes() + bytes(10 * (784 if kind == "images" else 1))

    def write(path: Path) -> None:
        zipped = path.suffix == ".gz"
        path.write_bytes(zlib.compress(content, wbits=31) if zipped else content)

    return write


def bytes_shaped(*shape: int) -> Callable[[np.ndarray], None]:
    """One for each image."""

    def check(found: np.ndarray) -> None:
        assert found.dtype == np.uint8
        assert found.shape[1:] == shape

    return check


def picture(path: Path) -> None:
    """Noise of 30 x 40 pixels."""
    noise = np.random.default_rng(0).integers(0, 256, (30, 40), np.uint8)
    Image.fromarray(noise).save(path)


def grey(found: np.ndarray) -> None:
    """A picture of some size."""
    assert found.ndim == 2
    assert found.dtype == np.uint8


FORMATS = [
    Format("net.safetensors", weights, interop.load, some_weights),
    Format("net.npz", weights, interop.load, the_weights),
    Format("net.pt", torchs_weights, interop.load, the_weights),
    Format("metadata.safetensors", weights, interop.metadata, some_metadata),
    Format("metadata.npz", weights, interop.metadata, some_metadata),
    *(
        Format(f"t10k-{kind}-{tail}", idx_file(kind), lambda p, k=kind: idx.read(p, k), check)
        for kind, check in (("images", bytes_shaped(28, 28)), ("labels", bytes_shaped()))
        for tail in ("ubyte", "ubyte.gz")
    ),
    *(Format(f"digit.{suffix}", picture, images.read, grey) for suffix in ("png", "jpg")),
]


class Counts(NamedTuple):
    """What has become of the damaged files."""

    refused: int
    read: int


def try_format(format: Format, folder: Path, cases: int) -> Counts:
    """Read that many damaged files. Raises AssertionError or Hangs at what is not dealt with."""
    path, refused = folder / format.name, 0
    format.write(path)
    for case, copy in enumerate(damaged(path.read_bytes(), cases)):
        path.write_bytes(copy)
        with watched(f"{path.name}, case {case}"):
            try:
                found = format.read(path)
            except REFUSED as error:
                assert str(path.name) in str(error) or str(path.parent) in str(error), error
                assert "\n" not in str(error).strip(), error
                refused += 1
            else:
                format.check(found)
    return Counts(refused, cases - refused)


def try_checkpoints(folder: Path, cases: int) -> Counts:
    """Damage each file of a checkpoint so many times; each time the run goes on."""
    state = initial_state({"params": {"kernel": np.arange(64, dtype=np.float32).reshape(8, 8)}})
    state = jax.tree.map(np.asarray, state)
    snapshot = Snapshot(state, np.zeros((2, 2), np.uint32), np.arange(7), 1, 2, 3.5, 4.25)
    with checkpoint.Checkpoints(folder / "whole") as checkpoints:
        checkpoints.save(5, snapshot, {"settings": {}}, 0.5)
    refused = read = 0
    files = [path for path in sorted((folder / "whole").rglob("*")) if path.is_file()]
    for number, file in enumerate(path for path in files if path.stat().st_size):
        for case, copy in enumerate(damaged(file.read_bytes(), cases, seed=number)):
            work = folder / "work"
            shutil.copytree(folder / "whole", work)
            (work / file.relative_to(folder / "whole")).write_bytes(copy)
            with watched(f"{file}, case {case}"):
                whole = _goes_on(work, snapshot)
            refused, read = refused + (not whole), read + whole
            shutil.rmtree(work)
    return Counts(refused, read)


def _goes_on(work: Path, snapshot: Snapshot) -> bool:
    """Whether the checkpoint was read, rightly; if not it was named, and the next one is whole."""
    said: list[str] = []
    found = checkpoint.restore(work, snapshot.state, lambda about: None, said.append)
    assert (found is None) == any("is damaged, and set aside as" in line for line in said)
    later = snapshot._replace(position=3, loss_sum=4.5)
    with checkpoint.Checkpoints(work) as checkpoints:
        checkpoints.save(6, later, {"settings": {}}, 0.25)
    _assert_same(checkpoint.restore(work, snapshot.state, lambda about: None), later)
    if found:
        _assert_same(found, snapshot)
    return found is not None


def _assert_same(found: Snapshot | None, expected: Snapshot) -> None:
    assert found
    (ours, our_facts), (theirs, their_facts) = map(parts.split, (found, expected))
    np.testing.assert_equal(ours, theirs)
    assert our_facts == their_facts


def main() -> None:
    """Print a line a format, and save all."""
    options, rows = parse(), []
    trials = {f.name: functools.partial(try_format, f, cases=options.cases) for f in FORMATS}
    trials["checkpoint"] = functools.partial(try_checkpoints, cases=max(1, options.cases // 30))
    for name, attempt in trials.items():
        with tempfile.TemporaryDirectory() as folder:
            counts = attempt(folder=Path(folder))
        rows.append({"format": name, **counts._asdict()})
        print(f"{name:20} {counts.refused:5} refused, {counts.read:5} read", flush=True)
        environment.save(options.output, rows)
    print(f"{sum(row['refused'] + row['read'] for row in rows)} damaged files")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = environment.parser(__doc__, "fuzzing.json", data=False)
    parser.add_argument("--cases", type=int, default=400, help="of each format")
    return parser.parse_args()


if __name__ == "__main__":
    main()

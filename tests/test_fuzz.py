"""Two thousand damaged files: each is refused in one line, or read for what it says.

A case is a whole file with a damage drawn from a fixed seed. Nothing may hang, crash, take memory
that a header only declares, or run code.
"""

import contextlib
import io
import json
import pickle
import random
import shutil
import signal
import struct
import tarfile
import time
import tracemalloc
import zipfile
import zlib

import jax
import numpy as np
import pytest
import torch
from PIL import Image
from test_cli import idx_folder

import flaxnets
from flaxnets import checkpoint, images, interop
from flaxnets.checkpoint import parts
from flaxnets.data import idx
from flaxnets.reports import Snapshot
from flaxnets.step import initial_state
from flaxnets.training import Config

CASES = 400  # of each format but checkpoints, which take longer
SECONDS = 20  # more than any case takes by far: it hangs
MEMORY = 100 << 20  # bytes; the files have some kilobytes, and libraries are loaded meanwhile
REFUSED = (ValueError, OSError)
COUNTED = {"cases": 0}
HUGE = [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff" * 8, b"\x00" * 4, b"\x80\x00\x00\x00"]


def flip(content, chance):
    for _ in range(chance.choice([1, 1, 1, 4, 40])):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def cut(content, chance):
    del content[chance.randrange(len(content)) :]


def lengthen(content, chance):
    content += chance.randbytes(chance.choice([1, 100, 10_000]))


def overwrite(content, chance):
    place = chance.randrange(len(content))
    block = chance.choice([*HUGE, chance.randbytes(16), b"\x00" * 64])
    content[place : place + len(block)] = block


def at_the_head(content, chance):
    place = chance.randrange(min(64, len(content)))
    block = chance.choice(HUGE)
    content[place : place + len(block)] = block


def repeat(content, chance):
    start = chance.randrange(len(content))
    content[start:start] = content[start : start + chance.randrange(1, 200)]


def other_digits(content, chance):
    """Sizes that are written as text, as in .npy and in JSON."""
    digits = [i for i, byte in enumerate(content[:2000]) if chr(byte).isdigit()]
    for i in chance.sample(digits, min(len(digits), 3)):
        content[i : i + 1] = chance.choice([b"9", b"0", b"-1", b"99999999999", b"1e9"])


DAMAGES = [flip, cut, lengthen, overwrite, at_the_head, repeat, other_digits]


def damaged(content, count, seed=0):
    """That many damaged copies."""
    chance = random.Random(seed)
    for _ in range(count):
        copy = bytearray(content)
        chance.choice(DAMAGES)(copy, chance)
        yield bytes(copy)


@contextlib.contextmanager
def watched(case, seconds=SECONDS):
    """Fail on what hangs or takes memory."""

    def hang(*_):
        pytest.fail(f"{case} hangs")  # no Exception, which a reader could take for a bad file

    old = signal.signal(signal.SIGALRM, hang)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    tracemalloc.start()  # Python's memory and NumPy's, also what is not touched
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MEMORY, case
    finally:
        tracemalloc.stop()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def outcomes(read, path, content, check, count=CASES):
    """How many damaged copies are refused, and how many are read; what is read is checked."""
    refused = 0
    COUNTED["cases"] += count
    for case, copy in enumerate(damaged(content, count)):
        path.write_bytes(copy)
        with watched(f"{path.name}, case {case}"):
            try:
                found = read(path)
            except REFUSED as error:
                assert str(path.name) in str(error) or str(path.parent) in str(error), error
                assert "\n" not in str(error).strip()
                refused += 1
            else:
                check(found)
    return refused, count - refused


STATE = {"fc.weight": np.arange(12, dtype=np.float32).reshape(3, 4), "fc.bias": np.ones(3)}


def is_state_dict(found):
    assert all(isinstance(name, str) for name in found)
    assert all(isinstance(array, np.ndarray) and array.size < 10_000 for array in found.values())


def is_the_state_dict(found):
    """For formats with checksums: what is read is right, or it would not have been."""
    assert found.keys() <= STATE.keys()
    for name, array in found.items():
        np.testing.assert_array_equal(array, STATE[name])


@pytest.mark.parametrize(
    ("suffix", "check"), [(".safetensors", is_state_dict), (".npz", is_the_state_dict)]
)
def test_weights_that_are_damaged(suffix, check, tmp_path):
    path = tmp_path / f"net{suffix}"
    interop.save(path, STATE, {"model": "mlp"})
    refused, read = outcomes(interop.load, path, path.read_bytes(), check)
    assert refused > CASES / 4
    assert refused + read == CASES
    outcomes(interop.metadata, path, path.read_bytes(), lambda found: None, count=100)


def test_checkpoints_of_torch_that_are_damaged(tmp_path):
    path = tmp_path / "net.pt"
    torch.save({name: torch.tensor(array) for name, array in STATE.items()}, path)
    assert outcomes(interop.load, path, path.read_bytes(), is_state_dict)[0] > CASES / 4


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("kind", ["images", "labels"])
def test_idx_files_that_are_damaged(kind, suffix, tmp_path):
    path = next(idx_folder(tmp_path / "idx").glob(f"t10k-{kind}*"))
    content = path.read_bytes()
    if suffix:
        content = zlib.compress(content, wbits=31)
        path = path.with_name(path.name + suffix)

    def check(found):
        assert found.dtype == np.uint8
        assert found.shape[1:] == ((28, 28) if kind == "images" else ())

    outcomes(lambda path: idx.read(path, kind), path, content, check, CASES // 4)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_pictures_that_are_damaged(suffix, tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (30, 40), np.uint8)
    path = tmp_path / f"digit.{suffix}"
    Image.fromarray(picture).save(path)

    def check(found):
        assert found.ndim == 2
        assert found.dtype == np.uint8

    outcomes(images.read, path, path.read_bytes(), check, CASES // 2)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A workdir with a checkpoint, the plan's state, and the snapshot."""
    folder = tmp_path_factory.mktemp("saved")
    state = initial_state({"kernel": np.arange(64, dtype=np.float32).reshape(8, 8)})
    state = jax.tree.map(np.asarray, state)
    snapshot = Snapshot(state, np.zeros((2, 2), np.uint32), np.arange(7), 1, 2, 3.5, 4.25)
    with checkpoint.Checkpoints(folder) as checkpoints:
        checkpoints.save(5, snapshot, {"settings": {}}, 0.5)
    return folder, state, snapshot


def same_snapshot(found, expected):
    (ours, our_facts), (theirs, their_facts) = map(parts.split, (found, expected))
    np.testing.assert_equal(ours, theirs)
    assert our_facts == their_facts


def test_checkpoints_that_are_damaged(saved, tmp_path, capsys):
    folder, state, snapshot = saved
    files = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    aside, later = 0, snapshot._replace(position=3, loss_sum=4.5)
    for number, file in enumerate(files):
        if not (content := (folder / file).read_bytes()):
            continue
        for case, copy in enumerate(damaged(content, 12, seed=number)):
            work = tmp_path / "work"
            shutil.copytree(folder, work)
            (work / file).write_bytes(copy)
            with watched(f"{file}, case {case}"):
                found = checkpoint.restore(work, state, lambda about: None)
                with checkpoint.Checkpoints(work) as checkpoints:  # the run goes on
                    checkpoints.save(6, later, {"settings": {}}, 0.25)
            if found is None:
                assert "is damaged, and set aside as" in capsys.readouterr().out
                aside += 1
            else:
                same_snapshot(found, snapshot)
            same_snapshot(checkpoint.restore(work, state, lambda about: None), later)
            shutil.rmtree(work)
    assert aside > 20


def huge_npz(path):
    """A .npy header that declares 4 TB, in a member that declares it too."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40,)}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fc.weight.npy", header.getvalue() + bytes(100))


def huge_safetensors(path):
    header = json.dumps({"x": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}})
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode() + bytes(100))


def huge_header(path):
    path.write_bytes(struct.pack("<Q", 1 << 62) + b"{}")


def huge_idx(path):
    path.write_bytes(np.array([0x803, 0xFFFFFFFF, 28, 28], ">u4").tobytes() + bytes(784))


class Runs:
    """What a pickle may do when it is read."""

    def __reduce__(self):
        return (print, ("code has run",))


def pickled_npz(path):
    np.savez(path, weight=np.array([Runs()], object))


def pickled_pt(path):
    torch.save({"weight": Runs()}, path)


def bare_pickle(path):
    path.write_bytes(pickle.dumps({"weight": Runs()}))


def climbing_npz(path):
    with zipfile.ZipFile(path, "w") as archive:
        member = io.BytesIO()
        np.save(member, np.ones(3))
        archive.writestr("../../climbed.npy", member.getvalue())


def climbing_pt(path):
    torch.save({"weight": torch.ones(3)}, path)
    path.write_bytes(path.read_bytes().replace(b"net/", b"../x"))


def climbing_tar(path):
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("../climbed"), io.BytesIO())


def bomb_png(path):
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
                     + struct.pack(">I", zlib.crc32(chunk)))  # fmt: skip


def vast_png(path):
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a hole: it takes no room on the disk


HOSTILE = [
    (vast_png, "digit.png", images.read),
    (huge_npz, "net.npz", interop.load),
    (huge_safetensors, "net.safetensors", interop.load),
    (huge_header, "net.safetensors", interop.load),
    (huge_idx, "train-images-idx3-ubyte", lambda path: idx.read(path, "images")),
    (pickled_npz, "net.npz", interop.load),
    (pickled_pt, "net.pt", interop.load),
    (bare_pickle, "net.pth", interop.load),
    (climbing_tar, "net.pt", interop.load),
    (climbing_pt, "net.pt", interop.load),
    (bomb_png, "digit.png", images.read),
]


@pytest.mark.parametrize(("make", "name", "read"), HOSTILE, ids=lambda x: getattr(x, "__name__", x))
def test_files_made_to_harm_are_refused(make, name, read, tmp_path, capfd):
    make(path := tmp_path / name)
    with watched(name), pytest.raises(REFUSED, match=name):
        read(path)
    assert "code has run" not in capfd.readouterr().out


def test_names_that_climb_are_only_names(tmp_path):
    (tmp_path / "below").mkdir()
    climbing_npz(path := tmp_path / "below" / "net.npz")
    assert interop.load(path).keys() == {"../../climbed"}
    assert [p.name for p in tmp_path.iterdir()] == ["below"]


GOOD = (np.zeros((4, 28, 28), np.uint8), np.zeros(4, np.int32))
BAD_SPLITS = {
    "no images": ((np.zeros((0, 28, 28), np.uint8), np.zeros(0, int)), "0 images"),
    "fewer labels": ((GOOD[0], GOOD[1][:3]), "4 images and 3 labels"),
    "labels out of range": ((GOOD[0], GOOD[1] + 10), "10"),
    "negative labels": ((GOOD[0], GOOD[1] - 1), "-1"),
    "another shape": ((np.zeros((4, 27, 28), np.uint8), GOOD[1]), "28"),
    "text": ((np.full((4, 28, 28), "x"), GOOD[1]), "numbers"),
    "objects": ((np.full((4, 28, 28), None), GOOD[1]), "numbers"),
    "labels of text": ((GOOD[0], np.array(list("abcd"))), "labels must be numbers"),
}


@pytest.mark.parametrize("name", BAD_SPLITS)
def test_arrays_that_do_not_fit_are_refused_before_training(name):
    split, message = BAD_SPLITS[name]
    with pytest.raises((ValueError, TypeError), match=message):
        next(flaxnets.training.fit(flaxnets.MLP(), (split, GOOD), Config(epochs=1)))


def test_images_that_are_not_finite_are_told():
    images = np.full((4, 28, 28), np.nan, np.float32)
    with pytest.raises(FloatingPointError, match="not finite"):
        next(flaxnets.training.fit(flaxnets.MLP(), ((images, GOOD[1]), GOOD), Config(epochs=1)))


def test_fewer_examples_than_a_batch_make_a_batch():
    (epoch,) = flaxnets.training.fit(flaxnets.MLP(), (GOOD, GOOD), Config(epochs=1))
    assert epoch.metrics.step == 1


VALUES = [None, "5", 0, -1, 1.5, float("nan"), float("inf"), True, [], {}, 2**40, b"x", object()]


@pytest.mark.parametrize("field", Config.__dataclass_fields__)
def test_a_config_takes_what_it_can_use_and_refuses_the_rest_by_name(field):
    for value in VALUES:
        try:
            config = Config(**{field: value})
        except ValueError as error:
            assert field in str(error)
        else:
            assert getattr(config, field) == value


def test_weights_of_every_wrong_kind_are_refused_together():
    model = flaxnets.MLP()
    good = interop.to_torch(model, model.init(jax.random.key(0), GOOD[0][:1] / 255))
    names = list(good)
    bad = {**good, names[0]: good[names[0]].T[:5], "extra": np.ones(3)}
    del bad[names[1]]
    with pytest.raises(ValueError) as caught:
        interop.from_torch(model, bad)
    for name in (names[0], names[1], "extra"):
        assert name in str(caught.value)


def test_a_reader_that_hangs_or_takes_what_is_declared_is_caught():
    a_hang = pytest.raises(pytest.fail.Exception, match="sleeper hangs")
    with a_hang, watched("sleeper", 0.1), contextlib.suppress(Exception):
        time.sleep(5)
    with pytest.raises(AssertionError, match="glutton"), watched("glutton"):
        np.empty(1 << 30, np.uint8)


def test_there_are_two_thousand_cases():
    """Beside the checkpoints'. The last test of this file: all have run, or else -k chose some."""
    assert COUNTED["cases"] in (0, *range(2000, 3000))

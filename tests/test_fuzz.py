"""Files that are damaged or made to harm, and arrays that do not fit: refused in one line, or read
for what they say.

The corpus here is a small part of the one of ``benchmarks/fuzzing.py``.
"""

import contextlib
import io
import json
import pickle
import struct
import tarfile
import time
import zipfile
import zlib

import jax
import numpy as np
import pytest
import torch
from damages import Hangs, watched
from fuzzing import FORMATS, REFUSED, try_checkpoints, try_format
from helpers import HANGS

import flaxnets
from flaxnets import interop
from flaxnets.data import idx
from flaxnets.photos import read as images
from flaxnets.training import Config

MLP = flaxnets.MLP(hidden=(8, 8))


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
def test_a_damaged_file_is_refused_in_one_line_or_read_for_what_it_says(format, tmp_path):
    assert try_format(format, tmp_path, 40).refused


def test_a_damaged_checkpoint_is_set_aside_and_the_run_goes_on(tmp_path):
    found = try_checkpoints(tmp_path, 1)
    assert found.refused
    assert sum(found) > 8  # files


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


def folder_pt(path):
    """A tensor's file is marked as a folder: torch gives whatever was in memory."""
    torch.save({"weight": torch.ones(3)}, path)
    content = bytearray(path.read_bytes())
    at = content.rindex(b"net/data/0") - 8  # the attributes in the directory at the end
    content[at] |= 0x10
    path.write_bytes(content)


def climbing_tar(path):
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("../climbed"), io.BytesIO())


def version_npz(path):
    """A member of a version of zip that there is not: NotImplementedError in zipfile."""
    interop.save(path, {"weight": np.ones(3)}, {"model": "mlp"})
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\1\2") + 6] = 255
    path.write_bytes(content)


def bomb_png(path):
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )


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
    (version_npz, "net.npz", interop.load),
    (version_npz, "net.npz", interop.metadata),
    (pickled_pt, "net.pt", interop.load),
    (bare_pickle, "net.pth", interop.load),
    (folder_pt, "net.pt", interop.load),
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


def test_a_pt_file_that_was_unpacked_and_packed_again_is_read(tmp_path):
    """With its folders, as archivers write them."""
    torch.save({"weight": torch.ones(3)}, path := tmp_path / "net.pt")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        archive.mkdir("net")
        for name, content in members.items():
            archive.writestr(name, content)
    assert interop.load(path)["weight"].tolist() == [1, 1, 1]


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
        next(flaxnets.training.fit(MLP, (split, GOOD), Config(epochs=1)))


def test_images_that_are_not_finite_are_told():
    images = np.full((4, 28, 28), np.nan, np.float32)
    with pytest.raises(FloatingPointError, match="not finite"):
        next(flaxnets.training.fit(MLP, ((images, GOOD[1]), GOOD), Config(epochs=1)))


def test_fewer_examples_than_a_batch_make_a_batch():
    (epoch,) = flaxnets.training.fit(MLP, (GOOD, GOOD), Config(epochs=1))
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
    model = MLP
    good = interop.to_torch(model, model.init(jax.random.key(0), GOOD[0][:1] / 255))
    names = list(good)
    bad = {**good, names[0]: good[names[0]].T[:5], "extra": np.ones(3)}
    del bad[names[1]]
    with pytest.raises(ValueError) as caught:
        interop.from_torch(model, bad)
    for name in (names[0], names[1], "extra"):
        assert name in str(caught.value)


def test_a_reader_that_hangs_or_takes_what_is_declared_is_caught():
    with pytest.raises(Hangs), watched("sleeper", 0.1), contextlib.suppress(Exception):
        time.sleep(HANGS)
    with pytest.raises(AssertionError, match="glutton"), watched("glutton"):
        np.empty(1 << 30, np.uint8)

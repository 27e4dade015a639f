"""Every path to data, and every way in which a file can be wrong."""

import gzip
import tracemalloc

import numpy as np
import pytest
from helpers import idx_bytes

from flaxnets import data
from flaxnets.data import tfds

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (6, 28, 28), np.uint8)


def write(folder, gz=False):
    folder.mkdir(parents=True, exist_ok=True)
    for split, n in (("train", 6), ("t10k", 4)):
        for kind, array in (("images", PIXELS[:n]), ("labels", np.arange(n, dtype=np.uint8))):
            name = f"{split}-{kind}-idx{array.ndim}-ubyte"
            content = idx_bytes(array)
            if gz:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)
    return folder


def test_digits_come_scaled_split_and_always_the_same():
    one, two = data.load("digits"), data.load("digits")
    assert one.train.images.shape == (1437, 28, 28)
    assert one.test.images.shape == (360, 28, 28)
    assert one.train.images.dtype == np.uint8
    assert one.train.labels.dtype == np.int32
    for a, b in zip([*one.train, *one.test], [*two.train, *two.test], strict=True):
        np.testing.assert_array_equal(a, b)
    shares = np.bincount(one.test.labels) / np.bincount(one.train.labels)
    np.testing.assert_allclose(shares, 360 / 1437, atol=0.01)  # one image in 144 either way


def test_digits_are_the_bundled_ones_between_the_pixels_and_zero_around():
    from sklearn.datasets import load_digits

    images = np.concatenate([split.images for split in data.load("digits")])
    border = np.ones((28, 28), bool)
    border[2:-2, 2:-2] = False
    assert not images[:, border].any()
    # the centre of each 3 x 3 block is a pixel of the 8 x 8 original
    centres = {image[3:-2:3, 3:-2:3].tobytes() for image in images}
    originals = load_digits().images * (255 / 16)
    assert centres == {np.rint(image).astype(np.uint8).tobytes() for image in originals}


@pytest.mark.parametrize("gz", [False, True])
@pytest.mark.parametrize(
    ("name", "below"),
    [
        ("mnist", "."),
        ("mnist", "mnist"),
        ("mnist", "MNIST/raw"),
        ("fashion_mnist", "fashion_mnist"),
        ("fashion_mnist", "FashionMNIST/raw"),
    ],
)
def test_idx_files_are_read_plain_and_zipped_in_each_place(tmp_path, gz, name, below):
    write(tmp_path / below, gz)
    splits = data.load(name, tmp_path)
    np.testing.assert_array_equal(splits.train.images, PIXELS)
    np.testing.assert_array_equal(splits.test.labels, np.arange(4))
    assert splits.test.images.shape == (4, 28, 28)
    assert splits.train.labels.dtype == np.int32


def refused(folder, message, name="mnist"):
    with pytest.raises((ValueError, OSError), match=message):
        data.load(name, folder)


def test_what_is_not_a_dataset_or_a_folder_is_refused(tmp_path):
    refused(None, "unknown dataset 'cifar': choose from digits, mnist, fashion_mnist", "cifar")
    refused(tmp_path, "digits come with scikit-learn", "digits")
    refused(tmp_path / "x", "x: no such folder")
    refused(tmp_path, "holds no IDX files such as .*, nor does mnist/ or MNIST/raw/ in it")
    (tmp_path / "file").touch()
    refused(tmp_path / "file", "file: no such folder")


def replace(change, kind="images"):
    def damage(folder):
        path = next(folder.glob(f"t10k-{kind}-*"))
        path.write_bytes(change(path.read_bytes()))

    return damage


def declare(shape):
    return replace(lambda content: content[:4] + np.array(shape, ">u4").tobytes() + content[16:])


DAMAGES = {
    "missing": (lambda f: (f / "t10k-images-idx3-ubyte").unlink(), "t10k-images.* is missing"),
    "empty": (replace(lambda c: b""), "begins with nothing, expected 00 00 08 03"),
    "foreign": (replace(lambda c: b"PNG" + c), "not an IDX file of images: it begins with 50 4e"),
    "swapped": (
        lambda f: (f / "t10k-labels-idx1-ubyte").replace(f / "t10k-images-idx3-ubyte"),
        "not an IDX file of images: it begins with 00 00 08 01, expected 00 00 08 03",
    ),
    "header": (replace(lambda c: c[:9]), "truncated within the header"),
    "truncated": (replace(lambda c: c[:-1]), "declares 3,136 bytes, the file holds only 3,135"),
    "longer": (replace(lambda c: c + b"0"), "declares 3,136 bytes, the file holds more"),
    "none": (declare([0, 28, 28]), "holds no images"),
    "sides": (declare([4, 28, 14]), "the images are 28 x 14, expected 28 x 28"),
    "counts": (replace(lambda c: c[:7] + b"\3" + c[8:-784]), "3 images but 4 labels"),
    "label": (replace(lambda c: c[:-1] + b"\12", "labels"), "t10k has the label 10; expected 0"),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_each_damage_has_its_own_error(tmp_path, case):
    damage, message = DAMAGES[case]
    damage(write(tmp_path))
    refused(tmp_path, message)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c[:-20],
        lambda c: c[:30],
        lambda c: c[:-6] + bytes([c[-6] ^ 1]) + c[-5:],
        lambda c: b"not gzip at all",
        lambda c: b"",
    ],
)
def test_a_damaged_gzip_file_is_refused(tmp_path, change):
    replace(change)(write(tmp_path, gz=True))
    refused(tmp_path, r"images-idx3-ubyte.gz: (truncated or not a gzip file|not an IDX file)")


@pytest.mark.parametrize("gz", [False, True])
def test_a_huge_declared_size_takes_no_memory(tmp_path, gz):
    write(tmp_path)
    declare([2**32 - 1, 28, 28])(tmp_path)
    path = tmp_path / "t10k-images-idx3-ubyte"
    if gz:
        (tmp_path / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    tracemalloc.start()
    refused(tmp_path, r"declares 3,367,254,359,[0-9]{3} bytes, the file holds only 3,136")
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


@pytest.mark.parametrize(("name", "first"), [("mnist", "50419"), ("fashion_mnist", "90030")])
def test_the_real_data_are_read_whole(real_data, name, first):
    splits = data.load(name, real_data)
    assert splits.train.images.shape == (60_000, 28, 28)
    assert splits.test.images.shape == (10_000, 28, 28)
    assert "".join(map(str, splits.train.labels[:5])) == first
    assert np.bincount(splits.train.labels).min() > 5000
    assert len(data.CLASSES[name]) == splits.train.labels.max() + 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # protobuf and TFDS, of their own ways
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_the_real_files_are_those_that_tfds_has_registered(name, real_data, tmp_path):
    ours, theirs = tfds.load(name, tmp_path, real_data / name), data.load(name, real_data)
    for a, b in zip([*ours.train, *ours.test], [*theirs.train, *theirs.test], strict=True):
        np.testing.assert_array_equal(a, b)

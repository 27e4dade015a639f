"""Image files: every kind that a camera or a drawing program writes, and every damage."""

import numpy as np
import pytest
from helpers import declared_png, run
from PIL import Image

from flaxnets.photos import read as images

LEVELS = np.arange(0, 240, 2, dtype=np.uint8).reshape(10, 12)


def saved(tmp_path, image, name="a.png", **options):
    image.save(tmp_path / name, **options)
    return images.read(tmp_path / name)


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "LA", "RGBA"])
def test_grey_levels_come_back_from_every_kind_of_png(tmp_path, mode):
    found = saved(tmp_path, Image.fromarray(LEVELS).convert(mode))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, LEVELS)


def test_a_bilevel_png_is_black_and_white(tmp_path):
    found = saved(tmp_path, Image.fromarray(LEVELS > 100))
    np.testing.assert_array_equal(found, (LEVELS > 100) * 255)


def test_a_png_of_16_bits_is_scaled_and_not_cut_off(tmp_path):
    found = saved(tmp_path, Image.fromarray(LEVELS.astype(np.uint16) * 257))
    np.testing.assert_array_equal(found, LEVELS)


def test_a_jpeg_is_read_within_its_losses(tmp_path):
    found = saved(tmp_path, Image.fromarray(LEVELS), "a.JPG", quality=95)
    assert np.abs(found.astype(int) - LEVELS).max() < 10  # JPEG's own error; seen: 3


def test_a_photo_is_turned_as_the_camera_was_held(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned a quarter
    found = saved(tmp_path, Image.fromarray(LEVELS), exif=exif)
    np.testing.assert_array_equal(found, np.rot90(LEVELS, -1))


@pytest.mark.parametrize(("ink", "ground"), [(0, 255), (255, 0), (40, 255)])
def test_a_drawing_on_nothing_gets_a_ground_that_it_shows_on(tmp_path, ink, ground):
    opacity = np.zeros((10, 12), np.uint8)
    opacity[3:6, 4:9] = 255
    drawing = np.stack([np.full_like(opacity, ink), opacity], -1)
    found = saved(tmp_path, Image.fromarray(drawing))
    np.testing.assert_array_equal(found, np.where(opacity == 255, ink, ground))


@pytest.mark.parametrize("side", [12_000, 30_000, 2**31 - 1])
def test_a_huge_declared_size_is_refused_and_takes_no_memory(tmp_path, side):
    (tmp_path / "huge.png").write_bytes(declared_png(side, side))
    code = (  # in a process of its own, whose peak is not yet that of other tests
        "import resource, sys\nfrom PIL import Image\nfrom flaxnets.photos import read as images\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "try:\n    images.read(sys.argv[1])\n"
        "except ValueError as error:\n    print(peak() - before, error)"
    )
    _, out, _ = run("-c", code, tmp_path / "huge.png")
    kilobytes, _, error = out.partition(" ")
    assert error.startswith(f"{tmp_path / 'huge.png'}: ")
    assert int(kilobytes) < 10_000  # the image would take 140,000 or more


def test_a_declared_size_within_the_limit_without_the_pixels_is_refused(tmp_path):
    (tmp_path / "short.png").write_bytes(declared_png(1000, 1000))
    with pytest.raises(ValueError, match=r"short.png: not a whole image"):
        images.read(tmp_path / "short.png")


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_what_is_no_image_or_not_a_whole_one_is_refused(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (50, 60), np.uint8)
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    for content in (b"", b"not an image", whole[:10]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"not a PNG or JPEG image|not a whole image"):
            images.read(path)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="not a whole image"):
        images.read(path)


def test_other_formats_and_missing_files_are_refused(tmp_path):
    Image.fromarray(LEVELS).save(tmp_path / "a.gif")
    with pytest.raises(ValueError, match=r"a.gif: not a PNG or JPEG image"):
        images.read(tmp_path / "a.gif")
    with pytest.raises(FileNotFoundError, match=r"b\.png"):
        images.read(tmp_path / "b.png")

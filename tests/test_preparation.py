"""Pictures of one's own become what the datasets are."""

import numpy as np
import pytest
from helpers import ROOT
from PIL import Image
from scipy import ndimage

from flaxnets import data
from flaxnets.photos import read as images
from flaxnets.photos.prepare import prepare, scale

PHOTOS = [ROOT / f"tests/photos/{digit}.jpg" for digit in range(10)]


def two(height=800, width=600, top=200, left=100, size=250, ink=30.0, ground=220.0):
    """A picture of a 2."""
    drawn = np.array([[0, 1, 1, 0], [1, 0, 0, 1], [0, 0, 1, 0], [0, 1, 0, 0], [1, 1, 1, 1]], float)
    digit = np.asarray(Image.fromarray(drawn).resize((int(0.8 * size), size), Image.NEAREST))
    picture = np.zeros((height, width))
    picture[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return np.rint(ground + (ink - ground) * picture).astype(np.uint8)


@pytest.mark.parametrize("path", PHOTOS, ids=lambda path: path.stem)
def test_a_photo_becomes_light_on_black_within_20_by_20_centred_by_mass(path):
    image, steps = prepare(images.read(path))
    assert (image.dtype, image.shape) == (np.uint8, (28, 28))
    assert np.mean(image == 0) > 0.5
    assert image.max() > 200
    rows, columns = ndimage.find_objects((image > 0).astype(int))[0]
    assert max(rows.stop - rows.start, columns.stop - columns.start) == 20
    # moved by whole pixels: half a pixel at most, in each direction
    np.testing.assert_allclose(ndimage.center_of_mass(image), 13.5, atol=0.51)
    assert "light ground, inverted" in steps
    assert "scaled into 20 x 20" in steps


@pytest.mark.parametrize("dataset", data.CLASSES)
@pytest.mark.parametrize(
    "change",
    [
        {"top": 500},
        {"left": 320},
        {"ink": 220.0, "ground": 30.0},
        {"ink": 120.0},
        {"width": 800},
        {"height": 1600, "width": 1200, "top": 400, "left": 200, "size": 500},
    ],
)
def test_place_size_and_polarity_of_the_drawing_change_little(dataset, change):
    image, other = (prepare(two(**kw), dataset).image.astype(int) for kw in ({}, change))
    # Resampled at another phase: edges move by a fraction of a pixel, and nothing else changes.
    # An image of another digit differs by 30 or more.
    assert np.abs(image - other).mean() < 6


def test_uneven_light_changes_little():
    picture = two()
    light = np.linspace(0.5, 1, 600) * np.linspace(1, 0.8, 800)[:, None]
    other = np.rint(picture * light).astype(np.uint8)
    assert np.abs(prepare(picture).image.astype(int) - prepare(other).image).mean() < 6


def test_images_of_mnist_stay_what_they_are(real_data):
    """Up to the light, and half a pixel: MNIST's own are not all centred to the pixel."""
    test = data.load("mnist", real_data).test
    differences = []
    for image in test.images[:100]:
        prepared = prepare(image).image.astype(float)
        shifts = [np.roll(prepared, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        differences.append(min(np.abs(image - shifted).mean() for shifted in shifts))
    # two different images of MNIST differ by about 35 levels in the mean
    assert np.median(differences) < 5


def test_specks_and_what_runs_over_the_edge_are_left_out():
    picture = two()
    dirty = picture.copy()
    dirty[700:704, 500:504] = 30  # a speck
    dirty[:30] = 30  # the table
    np.testing.assert_array_equal(prepare(dirty).image, prepare(picture).image)


def test_thin_strokes_are_thickened_and_thick_ones_are_not():
    circle = np.hypot(*np.mgrid[-300:300, -300:300])
    for width, expected in ((4, True), (60, False)):
        ring = np.where(np.abs(circle - 200) < width / 2, 20, 230).astype(np.uint8)
        image, steps = prepare(ring)
        assert ("thin strokes thickened" in steps) is expected
        assert image.max() > 220  # four pixels in 400 would be a tenth of a pixel in 20


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("dataset", data.CLASSES)
def test_an_empty_picture_is_refused(level, dataset):
    with pytest.raises(ValueError, match="nothing stands out from the ground"):
        prepare(np.full((300, 200), level, np.uint8), dataset)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 3), (2, 40)])
@pytest.mark.parametrize("dataset", data.CLASSES)
def test_tiny_and_narrow_pictures_are_refused_or_prepared(shape, dataset):
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    try:
        assert prepare(picture, dataset).image.shape == (28, 28)
    except ValueError as error:
        assert "nothing stands out" in str(error)
    assert scale(picture).image.shape == (28, 28)


def test_raw_only_scales():
    image = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    np.testing.assert_array_equal(scale(image).image, image)


def test_an_article_fills_28_by_28():
    image, _ = prepare(two(), "fashion_mnist")
    rows, columns = ndimage.find_objects((image > 25).astype(int))[0]
    assert rows == slice(0, 28)
    assert columns.start == 28 - columns.stop

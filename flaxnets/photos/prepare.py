"""Pictures of one's own, brought to what a network was trained on.

A photo of a digit is treated as MNIST's were made (http://yann.lecun.com/exdb/mnist): the digit
alone, light on black, scaled into 20 x 20 with its proportions kept, its centre of mass in the
middle of 28 x 28. Each step is put into words for the user.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import ndimage

SIDE = 28
WORKING_SIDE = 400  # pixels; more tell nothing of a digit of 20
LEAST_CONTRAST = 25  # grey levels of 255 between the digit and its ground
# Widths of strokes as shares of the digit's longer side: the first quartile and the median of 300
# test images of each dataset. What is thinner than the first is brought to the second.
WIDTHS = {"mnist": (0.113, 0.130), "digits": (0.172, 0.200)}


class Prepared(NamedTuple):
    """What a network sees, (28, 28) uint8, and how it was made."""

    image: np.ndarray
    steps: list[str]


def prepare(grey: np.ndarray, dataset: str = "mnist") -> Prepared:
    """A picture as the images of a dataset are.

    Args:
        grey: (H, W) uint8, of any size, light on dark or dark on light.
        dataset: ``"mnist"``, ``"digits"`` or ``"fashion_mnist"``.

    Raises:
        ValueError: if nothing stands out from the ground.
    """
    levels = _shrink(np.asarray(grey, np.float32), WORKING_SIDE)
    steps = [f"{grey.shape[1]} x {grey.shape[0]} pixels"]
    return PREPARATIONS[dataset](levels, steps)


def scale(grey: np.ndarray) -> Prepared:
    """A picture scaled to 28 x 28, and nothing else."""
    image = _resize(np.asarray(grey, np.float32) / 255, SIDE, SIDE)
    return Prepared(_to_levels(image), [f"{grey.shape[1]} x {grey.shape[0]} pixels, scaled only"])


def _as_mnist(levels: np.ndarray, steps: list[str]) -> Prepared:
    digit = _fit(_digit(levels, steps, *WIDTHS["mnist"]), 20)
    steps += ["scaled into 20 x 20", "centred by mass in 28 x 28"]
    row, column = ndimage.center_of_mass(digit)
    middle = (SIDE - 1) / 2
    return Prepared(_to_levels(_place(digit, middle - row, middle - column)), steps)


def _as_digits(levels: np.ndarray, steps: list[str]) -> Prepared:
    """As scikit-learn's digits, which ``flaxnets.data`` scales from 8 x 8 to 24 x 24."""
    digit = _centre(_fit(_digit(levels, steps, *WIDTHS["digits"]), 32), 32)
    blocks = digit.reshape(8, 4, 8, 4).mean(axis=(1, 3))
    image = ndimage.zoom(blocks, 3, order=1, mode="nearest", grid_mode=True)
    steps += ["averaged to 8 x 8, as scikit-learn's digits", "scaled to 24 x 24 in 28 x 28"]
    return Prepared(_to_levels(_centre(image, SIDE)), steps)


def _as_fashion(levels: np.ndarray, steps: list[str]) -> Prepared:
    """As Fashion-MNIST's: the longer side 28, in the middle."""
    # An article fills much of its picture: the ground is told by the edge.
    ground = float(np.median(np.concatenate([*levels[[0, -1]], *levels.T[[0, -1]]])))
    levels, ground = _on_dark(levels, ground, steps)
    article = np.clip(levels - ground, 0, None)
    article = article / _contrast(article)
    article = _fit(_crop(article, article > 0.1, steps), SIDE)
    steps.append("scaled into 28 x 28")
    return Prepared(_to_levels(_centre(article, SIDE)), steps)


PREPARATIONS: dict[str, Callable[[np.ndarray, list[str]], Prepared]] = {
    "mnist": _as_mnist,
    "digits": _as_digits,
    "fashion_mnist": _as_fashion,
}


def _digit(levels: np.ndarray, steps: list[str], thinnest: float, usual: float) -> np.ndarray:
    """The strokes of a light digit on an uneven dark ground, cropped: values in [0, 1]."""
    side = max(levels.shape)
    levels, _ = _on_dark(levels, float(np.median(levels)), steps)
    smooth = ndimage.gaussian_filter(levels, side / WORKING_SIDE)
    # What is wider than a third of the picture is no stroke but the ground and its light.
    ink = ndimage.white_tophat(smooth, size=max(3, side // 3))
    ink = np.clip(ink / (0.8 * _contrast(ink)), 0, 1)
    steps.append("light evened")
    digit = _crop(ink, _without_specks(ink > 0.5), steps)
    side = max(digit.shape)
    width = _stroke_width(digit)
    if width >= thinnest * side:
        return digit
    steps.append("thin strokes thickened")
    return _thicken(digit, (usual * side - width) / 2)


def _on_dark(levels: np.ndarray, ground: float, steps: list[str]) -> tuple[np.ndarray, float]:
    """The levels and their ground, inverted if the ground is the lighter one."""
    if ground - levels.min() > levels.max() - ground:
        steps.append("light ground, inverted")
        return 255 - levels, 255 - ground
    steps.append("dark ground, not inverted")
    return levels, ground


def _contrast(levels: np.ndarray) -> float:
    contrast = float(np.percentile(levels, 99.9))
    if contrast < LEAST_CONTRAST:
        raise ValueError(
            f"nothing stands out from the ground: {contrast:.0f} of 255 grey levels between the "
            f"two, expected at least {LEAST_CONTRAST}"
        )
    return contrast


def _without_specks(mask: np.ndarray) -> np.ndarray:
    """The parts of a mask that are not small beside the largest one within the picture."""
    parts, n = ndimage.label(mask, np.ones((3, 3)))
    areas = ndimage.sum_labels(mask, parts, range(1, n + 1))
    edges = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    inside = ~np.isin(range(1, n + 1), edges)
    if inside.any() and areas[inside].max() > 0.002 * mask.size:
        areas = areas * inside  # what runs over the edge is not the digit
    return np.isin(parts, 1 + np.flatnonzero(areas >= 0.05 * areas.max()))


def _crop(values: np.ndarray, mask: np.ndarray, steps: list[str]) -> np.ndarray:
    """The box round a mask, black where it is far from it."""
    rows, columns = ndimage.find_objects(mask.astype(int))[0]
    near = ndimage.binary_dilation(mask, iterations=2)
    cropped: np.ndarray = np.where(near, values, 0)[rows, columns]
    steps.append(f"cropped to {100 * cropped.size / values.size:.0f} % of it")
    return cropped


def _stroke_width(digit: np.ndarray) -> float:
    """In pixels: across a stroke the distance to its edge is a quarter of its width on average."""
    stroke = np.pad(digit > 0.5, 1)
    return 4 * float(ndimage.distance_transform_edt(stroke)[stroke].mean())


def _thicken(digit: np.ndarray, radius: float) -> np.ndarray:
    """Every stroke wider by ``radius`` on each side."""
    digit = np.pad(digit, int(np.ceil(radius)))
    distance = ndimage.distance_transform_edt(digit <= 0.5)
    thick: np.ndarray = np.maximum(digit, np.clip(radius + 1 - distance, 0, 1))
    return thick


def _shrink(levels: np.ndarray, side: int) -> np.ndarray:
    factor = min(1.0, side / max(levels.shape))
    height, width = (max(1, round(factor * n)) for n in levels.shape)
    return _resize(levels, height, width)


def _fit(values: np.ndarray, side: int) -> np.ndarray:
    """Scaled so that the longer side is ``side``."""
    height, width = (max(1, round(n * side / max(values.shape))) for n in values.shape)
    return _resize(values, height, width)


def _resize(values: np.ndarray, height: int, width: int) -> np.ndarray:
    from PIL import Image

    image = Image.fromarray(values.astype(np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def _centre(values: np.ndarray, side: int) -> np.ndarray:
    before = [(side - n) // 2 for n in values.shape]
    after = [side - n - b for n, b in zip(values.shape, before, strict=True)]
    return np.pad(values, list(zip(before, after, strict=True)))


def _place(values: np.ndarray, row: float, column: float) -> np.ndarray:
    """Put into 28 x 28 with the first corner at a place, or as near as it fits."""
    image = np.zeros((SIDE, SIDE), np.float32)
    height, width = values.shape
    top, left = (
        int(np.clip(round(start), 0, SIDE - n))
        for start, n in zip((row, column), values.shape, strict=True)
    )
    image[top : top + height, left : left + width] = values
    return image


def _to_levels(values: np.ndarray) -> np.ndarray:
    levels: np.ndarray = np.rint(np.clip(values, 0, 1) * 255)
    return levels.astype(np.uint8)

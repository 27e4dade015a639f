"""Draws the ten photos in this folder: ``python tests/photos/draw.py``.

Digits as a hand writes them and a phone's camera sees them: dark ink on light paper, off centre,
slanted, 600 pixels wide, in uneven light, with the camera's noise. They were drawn once, before any
network saw them, and owe nothing to MNIST.
"""

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.interpolate import make_interp_spline
from scipy.ndimage import gaussian_filter

WIDTH, HEIGHT = 600, 800
# Each digit: its strokes, through points (x, y) in a box that is 1 high, y downwards.
STROKES = {
    0: [
        [
            (0.42, 0.02),
            (0.12, 0.2),
            (0.05, 0.6),
            (0.25, 0.97),
            (0.55, 0.85),
            (0.64, 0.4),
            (0.48, 0.05),
            (0.33, 0.04),
        ]
    ],
    1: [[(0.1, 0.28), (0.24, 0.15), (0.36, 0.0), (0.35, 0.3), (0.33, 0.65), (0.32, 1.0)]],
    2: [
        [
            (0.08, 0.22),
            (0.2, 0.04),
            (0.45, 0.03),
            (0.56, 0.22),
            (0.42, 0.52),
            (0.2, 0.8),
            (0.05, 0.97),
            (0.3, 0.95),
            (0.62, 0.96),
        ]
    ],
    3: [
        [
            (0.08, 0.1),
            (0.3, 0.0),
            (0.52, 0.12),
            (0.46, 0.34),
            (0.25, 0.45),
            (0.5, 0.55),
            (0.58, 0.78),
            (0.36, 0.98),
            (0.06, 0.9),
        ]
    ],
    4: [
        [(0.35, 0.0), (0.2, 0.3), (0.04, 0.6), (0.35, 0.6), (0.7, 0.57)],
        [(0.52, 0.25), (0.5, 0.6), (0.47, 1.0)],
    ],
    5: [
        [
            (0.14, 0.05),
            (0.11, 0.25),
            (0.1, 0.44),
            (0.34, 0.38),
            (0.56, 0.55),
            (0.53, 0.82),
            (0.3, 0.98),
            (0.04, 0.9),
        ],
        [(0.14, 0.05), (0.35, 0.05), (0.62, 0.02)],
    ],
    6: [
        [
            (0.48, 0.0),
            (0.22, 0.22),
            (0.06, 0.6),
            (0.16, 0.93),
            (0.42, 0.95),
            (0.52, 0.72),
            (0.34, 0.55),
            (0.1, 0.72),
        ]
    ],
    7: [[(0.03, 0.06), (0.3, 0.05), (0.6, 0.02), (0.48, 0.3), (0.34, 0.65), (0.24, 1.0)]],
    8: [
        [
            (0.5, 0.12),
            (0.28, 0.0),
            (0.1, 0.16),
            (0.26, 0.42),
            (0.5, 0.66),
            (0.44, 0.93),
            (0.2, 0.97),
            (0.08, 0.74),
            (0.3, 0.46),
            (0.54, 0.22),
            (0.46, 0.08),
        ]
    ],
    9: [
        [
            (0.52, 0.2),
            (0.32, 0.02),
            (0.08, 0.2),
            (0.14, 0.44),
            (0.38, 0.46),
            (0.53, 0.22),
            (0.5, 0.6),
            (0.44, 1.0),
        ]
    ],
}


def photo(digit: int, rng: np.random.Generator) -> np.ndarray:
    """(HEIGHT, WIDTH, 3) uint8."""
    opacity = np.zeros((HEIGHT, WIDTH))
    size, slant = rng.uniform(200, 380), rng.uniform(-0.05, 0.25)
    left = rng.uniform(40, WIDTH - 40 - 0.75 * size)
    top = rng.uniform(40, HEIGHT - 40 - size)
    pen = rng.uniform(0.035, 0.08) * size
    for stroke in STROKES[digit]:
        for x, y in curve(stroke):
            press(opacity, left + size * (x + slant * (0.5 - y)), top + size * y, pen / 2)
    opacity = gaussian_filter(opacity, 1.2)[..., None]  # the lens
    ink = np.array([[38, 40, 46], [34, 48, 110], [70, 66, 64]])[rng.integers(3)]
    paper = np.array([236, 232, 222])
    light = gaussian_filter(uneven(rng), 3)[..., None]
    picture = light * (paper * (1 - opacity) + ink * opacity)
    return (picture + rng.normal(0, 4, picture.shape)).clip(0, 255).astype(np.uint8)


def curve(points: list[tuple[float, float]]) -> np.ndarray:
    knots = np.arange(len(points))
    return make_interp_spline(knots, points, k=min(3, len(points) - 1))(
        np.linspace(0, knots[-1], 700)
    )


def press(opacity: np.ndarray, x: float, y: float, radius: float) -> None:
    rows, columns = np.mgrid[
        int(y - radius) - 1 : int(y + radius) + 3, int(x - radius) - 1 : int(x + radius) + 3
    ]
    dot = np.clip(radius + 0.5 - np.hypot(rows - y, columns - x), 0, 1)
    place = opacity[rows[0, 0] : rows[-1, 0] + 1, columns[0, 0] : columns[0, -1] + 1]
    np.maximum(place, dot, out=place)


def uneven(rng: np.random.Generator) -> np.ndarray:
    """A lamp from one side, darker corners, and the soft shadow of a hand."""
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    lamp = 0.78 + 0.2 * (np.cos(angle) * x + np.sin(angle) * y) / np.sqrt(2)
    corners = 1 - 0.12 * (x**2 + y**2)
    shadow = 1 - 0.25 / (
        1 + np.exp(-8 * (x * rng.choice([-1, 1]) + 0.6 * y - rng.uniform(0.3, 0.8)))
    )
    return lamp * corners * shadow


if __name__ == "__main__":
    rng = np.random.default_rng(2026)
    for digit in STROKES:
        file = Path(__file__).with_name(f"{digit}.jpg")
        Image.fromarray(photo(digit, rng)).save(file, quality=60)

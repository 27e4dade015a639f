"""Image files: read with care, as grey levels."""

import io
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

MOST_PIXELS = 100_000_000  # 20 times what a digit needs, and twice what most cameras take


def read(path: str | os.PathLike[str]) -> np.ndarray:
    """A PNG or JPEG file of any size as grey levels.

    Returns:
        (H, W) uint8, upright as the camera was held. What is transparent is white, or black where
        the drawing is light.

    Raises:
        ValueError: if it is not such a file, not a whole one, or declares more than a hundred
            million pixels; those are not unpacked.
        OSError: if it cannot be read.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    with Path(path).open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit here is another
        try:
            image = Image.open(_content(file), formats=("PNG", "JPEG"))
            if image.width * image.height <= MOST_PIXELS:
                return _grey(ImageOps.exif_transpose(image))
        except UnidentifiedImageError as error:
            raise ValueError(f"{path}: not a PNG or JPEG image") from error
        except Image.DecompressionBombError as error:
            raise ValueError(f"{path}: {error}") from error
        except (OSError, SyntaxError, ValueError, TypeError, EOFError) as error:
            # Pillow has each of them for some damage
            raise ValueError(f"{path}: not a whole image ({error})") from error
    raise ValueError(
        f"{path}: {image.width:,} x {image.height:,} pixels are too many; "
        f"at most {MOST_PIXELS:,} in all"
    )


def _content(file: BinaryIO) -> io.BytesIO:
    """The file in memory: of one on disk Pillow makes room for as much as a chunk declares."""
    if (size := os.fstat(file.fileno()).st_size) > 8 * MOST_PIXELS:
        raise ValueError(f"{size:,} bytes are too many")
    return io.BytesIO(file.read())


def _grey(image: "PillowImage") -> np.ndarray:
    if image.mode.startswith("I"):  # 16 bits: Pillow would cut off what is above 255
        return (np.asarray(image) >> 8).clip(0, 255).astype(np.uint8)
    if not image.has_transparency_data:
        return np.asarray(image.convert("L"))
    levels, opacity = (np.asarray(band, float) for band in image.convert("LA").split())
    drawn = np.average(levels, weights=opacity) if opacity.any() else 0
    ground = 255 if drawn < 128 else 0
    on_ground: np.ndarray = np.rint(ground + (levels - ground) * opacity / 255)
    return on_ground.astype(np.uint8)

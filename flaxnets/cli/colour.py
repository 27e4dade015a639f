"""Colour on a terminal; none in a log, in a pipe, or where NO_COLOR is set (no-color.org)."""

import os
from typing import TextIO

RED, GREEN, BOLD = 31, 32, 1  # of ECMA-48's Select Graphic Rendition


def coloured(text: str, code: int, stream: TextIO) -> str:
    """The text as it goes to the stream."""
    if os.environ.get("NO_COLOR") or not stream.isatty():
        return text
    return f"\x1b[{code}m{text}\x1b[0m"

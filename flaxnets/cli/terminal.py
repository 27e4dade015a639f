"""The sub-commands of the command line, one a module."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path


class BadInput(Exception):
    """Something that the user gave cannot be used; the message says what, and what to do."""


@contextlib.contextmanager
def bad_input() -> Iterator[None]:
    """While what the user gave is being read, any ValueError or OSError is bad input.

    So is an ImportError: a file that needs a library which is not installed.
    """
    try:
        yield
    except (ValueError, OSError, ImportError) as error:
        raise BadInput(_one_line(error)) from error


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())


def check_writable(flag: str, path: str) -> None:
    """Raise ValueError unless a file can be written at a path: before the work, not after it."""
    if Path(path).is_dir():
        raise ValueError(f"{flag} {path} is a folder; it must be a file, new or not")
    if not Path(path).parent.is_dir():
        raise ValueError(f"{flag} {path}: there is no folder {Path(path).parent}")
    try:
        tempfile.TemporaryFile(dir=Path(path).parent).close()
    except OSError as error:
        raise ValueError(f"{flag} {path}: cannot write there ({error.strerror})") from error

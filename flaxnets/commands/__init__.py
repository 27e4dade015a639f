"""The sub-commands of the command line, one a module."""

import contextlib
from collections.abc import Iterator


class BadInput(Exception):
    """Something that the user gave cannot be used; the message says what, and what to do."""


@contextlib.contextmanager
def bad_input() -> Iterator[None]:
    """While what the user gave is being read, any ValueError or OSError is bad input."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise BadInput(_one_line(error)) from error


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())

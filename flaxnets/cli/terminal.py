"""What the sub-commands share: colour, the progress of a training, one-line errors, paths."""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from flaxnets.training import Chunk

RED, GREEN, BOLD = 31, 32, 1  # of ECMA-48's Select Graphic Rendition
HEADER = "epoch     step   train loss   test loss   test accuracy   images/s"


def coloured(text: str, code: int, stream: TextIO) -> str:
    """The text as it goes to the stream: in colour on a terminal, and none in a log, in a pipe, or
    where NO_COLOR is set (no-color.org)."""
    if os.environ.get("NO_COLOR") or not stream.isatty():
        return text
    return f"\x1b[{code}m{text}\x1b[0m"


def coloured_verdict(line: str) -> str:
    """A row of parity's table with its verdict, which ends its first line, in colour."""

    def colour(verdict: re.Match[str]) -> str:
        return coloured(verdict[0], GREEN if verdict[0] == "pass" else RED, sys.stdout)

    return re.sub("(?<=  )(pass|FAIL)$", colour, line, count=1, flags=re.MULTILINE)


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


class Progress:
    """A table with a line an epoch. On a terminal a bar moves below it; in a log each report of
    the steps between is a line too."""

    def __init__(self, total: int, done: int = 0, silent: bool = False) -> None:
        """``total`` steps, of which some are done already; ``silent`` shows nothing."""
        self.silent = silent
        self.terminal = not silent and sys.stdout.isatty() and sys.stderr.isatty()
        self.bar = tqdm(
            total=total,
            initial=done,
            desc="compiling",
            unit=" steps",
            disable=not self.terminal,
            leave=False,
            dynamic_ncols=True,
        )
        self._print(HEADER)

    def show(self, chunk: Chunk) -> None:
        """Report the steps since the last report, and the epoch if it has ended."""
        self.bar.set_description(f"epoch {chunk.epoch}", refresh=False)
        self.bar.set_postfix_str(f"train loss {chunk.train_loss:.4f}", refresh=False)
        self.bar.update(chunk.step - self.bar.n)
        if chunk.metrics or not self.terminal:
            self._print(_line(chunk))

    def _print(self, line: str) -> None:
        if self.terminal:
            self.bar.write(line)
        elif not self.silent:
            print(line, flush=True)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()


def _line(chunk: Chunk) -> str:
    metrics = chunk.metrics
    loss = metrics.train_loss if metrics else chunk.train_loss
    rate = metrics.images_per_second if metrics else chunk.images_per_second
    tested = (
        f"{metrics.test_loss:9.4f}   {100 * metrics.test_accuracy:11.2f} %" if metrics else " " * 25
    )
    return f"{chunk.epoch:5}   {chunk.step:6}   {loss:10.4f}   {tested}   {rate:8,.0f}"

"""What ``flaxnets train`` shows while it runs: a bar on a terminal, plain lines elsewhere."""

import sys
from typing import Any

from tqdm import tqdm

from flaxnets.training import Chunk

HEADER = "epoch     step   train loss   test loss   test accuracy   images/s"


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

    def __exit__(self, *_: Any) -> None:
        self.bar.close()


def _line(chunk: Chunk) -> str:
    metrics = chunk.metrics
    loss = metrics.train_loss if metrics else chunk.train_loss
    rate = metrics.images_per_second if metrics else chunk.images_per_second
    tested = (
        f"{metrics.test_loss:9.4f}   {100 * metrics.test_accuracy:11.2f} %" if metrics else " " * 25
    )
    return f"{chunk.epoch:5}   {chunk.step:6}   {loss:10.4f}   {tested}   {rate:8,.0f}"

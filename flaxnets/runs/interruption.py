"""Ctrl-C and SIGTERM ask a run to end when its steps are done and saved."""

import signal
import threading
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """A run was asked to end by a signal, and has: what it had done is saved.

    Attributes:
        message: what was saved.
        signal: the signal's number.
    """

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message)
        self.signal = signal


class Interruption:
    """While it is entered, ``signal`` is the number of the first signal that came, or None.

    A second one does what it did before: Ctrl-C raises KeyboardInterrupt, SIGTERM ends the process.
    """

    def __enter__(self) -> "Interruption":
        self.signal: int | None = None
        self._before = {}
        if threading.current_thread() is threading.main_thread():  # no other may handle signals
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def _note(self, number: int, _: FrameType | None) -> None:
        self.signal = number
        self.__exit__()

    def __exit__(self, *_: object) -> None:
        while self._before:
            signal.signal(*self._before.popitem())

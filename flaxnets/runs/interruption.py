"""Ctrl-C and SIGTERM: the first asks for an end between two chunks, the second ends at once."""

import os
import signal
import socket
import threading
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """While it is entered, ``signal`` is the number of the first signal that came, or None.

    Python's handlers run in the main thread, and only once the compiled code that it waits for has
    returned. So a thread of its own reads the signals from a socket, into which Python's C handler
    writes them as they come.
    """

    signal: int | None = None

    def __enter__(self) -> "Interruption":
        self._thread = None
        if threading.current_thread() is not threading.main_thread():
            return self  # Python lets only the main thread handle signals
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._handlers = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
        self._fd = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def _listen(self) -> None:
        while received := self._reader.recv(1):
            if received[0] not in SIGNALS:
                continue
            if self.signal is not None:
                os._exit(128 + received[0])
            self.signal = received[0]

    def __exit__(self, *_: Any) -> None:
        if self._thread is None:
            return
        signal.set_wakeup_fd(self._fd)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._writer.close()
        self._thread.join()
        self._reader.close()

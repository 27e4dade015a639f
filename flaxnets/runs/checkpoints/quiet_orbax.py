"""What Orbax raises is told once, by whoever catches it."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """While it is entered Orbax logs no tracebacks.

    A read or write that fails also closes the event loop that others of Orbax's still use, which
    Python reports from their threads: that goes unsaid too, then and after.
    """
    log, before = logging.getLogger("absl"), sys.unraisablehook
    level = log.level

    def hook(found: "sys.UnraisableHookArgs") -> None:
        if str(found.exc_value) != "Event loop is closed":
            before(found)

    log.setLevel(logging.CRITICAL + 1)
    sys.unraisablehook = hook
    try:
        yield
    finally:
        log.setLevel(level)
    sys.unraisablehook = before  # not reached after a failure: others may still report

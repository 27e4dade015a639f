"""What Orbax raises is told once, by whoever catches it."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """While it is entered Orbax logs no tracebacks.

    A read or write that fails also closes the event loop that others of Orbax's still use, which
    Python reports from their threads; and where several fail, asyncio reports all but the first
    once they are collected. That goes unsaid too, then and after.
    """
    log, before = logging.getLogger("absl"), sys.unraisablehook
    level, tasks = log.level, logging.getLogger("asyncio")

    def hook(found: "sys.UnraisableHookArgs") -> None:
        if str(found.exc_value) != "Event loop is closed":
            before(found)

    log.setLevel(logging.CRITICAL + 1)
    sys.unraisablehook = hook
    tasks.addFilter(_is_not_orbaxs)
    try:
        yield
    finally:
        log.setLevel(level)
    # Not reached after a failure: others may still report.
    sys.unraisablehook = before
    tasks.removeFilter(_is_not_orbaxs)


def _is_not_orbaxs(record: logging.LogRecord) -> bool:
    text = record.getMessage()
    return not ("exception was never retrieved" in text and "orbax" in text)

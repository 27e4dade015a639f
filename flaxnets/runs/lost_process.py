"""One of several processes is lost: each of the others says so in one line, and ends."""

import atexit
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import jax

from flaxnets.cli.terminal import BadInput


@contextmanager
def together() -> Iterator[None]:
    """Around all that a process does with others: whatever ends it ends them too."""
    if jax.process_count() == 1:
        yield
        return
    _filter_stderr()
    ctypes.CDLL(None).signal(signal.SIGABRT, _aborted)
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        lost(error)
    except BaseException as error:
        statuses = {BadInput: 2, KeyboardInterrupt: 130}  # as the command line has them
        atexit.register(leave, statuses.get(type(error), 1))
        raise


def lost(error: Exception | str) -> NoReturn:
    """Say so in one line, and leave."""
    if not _one.acquire(blocking=False):
        threading.Event().wait()  # another thread is saying it, and ends this one too
    reason = " ".join(str(error).split())[:150]
    print(f"process {jax.process_index()}: another process is lost, or this one has failed "
          f"({reason}): go on with --resume", file=sys.stderr)  # fmt: skip
    leave(1)


def leave(status: int) -> NoReturn:
    """End without JAX's own end, which waits for the others."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


# JAX's runtime aborts when it misses another process, in a thread of its own. Python's handlers run
# in the main thread only, which may wait for an answer that never comes; this one runs in that.
_one = threading.Lock()
_aborted = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda _: lost("JAX's runtime has given up"))


def _filter_stderr() -> None:
    """Keep what JAX's runtime writes when it aborts from the terminal: a page of C++."""
    real, (reader, writer) = os.dup(2), os.pipe()
    sys.stderr = os.fdopen(os.dup(real), "w", buffering=1)  # Python's own goes past the filter
    os.dup2(writer, 2)
    os.close(writer)
    thread = threading.Thread(target=_forward, args=(reader, real), daemon=True)
    thread.start()

    def end() -> None:
        os.dup2(real, 2)
        thread.join(timeout=1)

    atexit.register(end)


def _forward(reader: int, real: int) -> None:
    aborting = False
    with open(reader, "rb") as lines:
        for line in lines:
            aborting |= b"coordination_service" in line  # from here on it is all about the loss
            if not aborting:
                os.write(real, line)

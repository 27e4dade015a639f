"""Several processes in the shell: their flags, and how one of them ends."""

import argparse
import atexit
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import jax

from flaxnets.cli.terminal import BadInput
from flaxnets.runs import processes

JOIN = 300  # seconds in which all must have come


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    group = parser.add_argument_group("several processes")
    group.add_argument(
        "--distributed",
        action="store_true",
        help="this is one of several processes, each started by the same command; under Slurm, "
        "Open MPI or on a TPU they find each other, elsewhere by the three flags below",
    )
    group.add_argument(
        "--coordinator", metavar="HOST:PORT", help="where the process with id 0 listens"
    )
    group.add_argument("--num-processes", type=int, metavar="N", help="how many there are")
    group.add_argument("--process-id", type=int, metavar="I", help="which one this is, from 0")


def join(options: argparse.Namespace) -> None:
    """Join the other processes, if there are to be any. Raises ValueError if the flags are bad."""
    address = (options.coordinator, options.num_processes, options.process_id)
    given = [value is not None for value in address]
    if any(given) and not (all(given) and options.distributed):
        raise ValueError(
            "--coordinator, --num-processes and --process-id belong together, with --distributed"
        )
    if not options.distributed:
        return
    if options.device:
        raise ValueError("--device is for one process; with --distributed each takes all it has")
    watch = threading.Timer(JOIN, _nobody_came, address)
    watch.daemon = True
    watch.start()
    try:
        processes.join(*address, timeout=2 * JOIN)
    except ValueError as error:
        raise ValueError(
            f"--distributed: {error}; give --coordinator, --num-processes and --process-id"
        ) from error
    finally:
        watch.cancel()


def _nobody_came(coordinator: str | None, count: int | None, number: int | None) -> None:
    """Say so and leave: JAX itself would abort, with a page of C++."""
    who = "" if number is None else f"process {number} of {count}: "
    where = f" at {coordinator}" if coordinator else ""
    print(
        f"flaxnets train: error: {who}the others did not come together{where} within {JOIN} "
        "seconds: are all started, and does the host of process 0 take connections there?",
        file=sys.stderr,
    )
    leave(2)


@contextmanager
def together() -> Iterator[None]:
    """Around all that a process does with others: whatever ends it ends them too."""
    try:
        yield
    except processes.Lost as error:
        print(f"process {jax.process_index()}: {error}: go on with --resume", file=sys.stderr)
        leave(1)
    except BaseException as error:
        if jax.process_count() > 1:
            statuses = {BadInput: 2, KeyboardInterrupt: 130}  # as the command line has them
            atexit.register(leave, statuses.get(type(error), 1))
        raise


def leave(status: int) -> NoReturn:
    """End without JAX's own end, which waits for other processes and for steps that run."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)

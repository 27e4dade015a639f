"""Several processes that train together, by JAX's distributed runtime."""

import argparse
import json
import sys
import threading
from typing import Any

import jax
import numpy as np

from flaxnets.runs.checkpoints import parts
from flaxnets.runs.lost_process import leave, lost
from flaxnets.training.state import Snapshot

HEARTBEAT = 10  # seconds without a sign of life after which a process counts as lost
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
    """Join the other processes, if there are to be any.

    Raises ValueError if the flags do not fit together, or there is nothing to tell who the others
    are.
    """
    address = (options.coordinator, options.num_processes, options.process_id)
    given = [value is not None for value in address]
    if any(given) and not (all(given) and options.distributed):
        raise ValueError("--coordinator, --num-processes and --process-id belong together, "
                         "with --distributed")  # fmt: skip
    if not options.distributed:
        return
    if options.device:
        raise ValueError("--device is for one process; with --distributed each takes all it has")
    _check(*address)
    jax.config.update("jax_enable_preemption_service", False)  # SIGTERM is ours
    watch = threading.Timer(JOIN, _nobody_came, address)
    watch.daemon = True
    watch.start()
    try:
        jax.distributed.initialize(
            *address, heartbeat_timeout_seconds=HEARTBEAT, initialization_timeout=2 * JOIN
        )
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"--distributed: the processes cannot be joined ({error}); give "
                         "--coordinator, --num-processes and --process-id") from error  # fmt: skip
    finally:
        watch.cancel()


def _nobody_came(coordinator: str | None, count: int | None, number: int | None) -> None:
    """Say so and leave: JAX itself would abort, with a page of C++."""
    who = "" if number is None else f"process {number} of {count}: "
    where = f" at {coordinator}" if coordinator else ""
    print(f"flaxnets train: error: {who}the others did not come together{where} within {JOIN} "
          "seconds: are all started, and does the host of process 0 take connections there?",
          file=sys.stderr)  # fmt: skip
    leave(2)


def _check(coordinator: str | None, count: int | None, number: int | None) -> None:
    if coordinator is None or count is None or number is None:
        return
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise ValueError(f"--coordinator {coordinator!r} is not HOST:PORT")
    if not 0 <= number < count:
        raise ValueError(
            f"--process-id {number} is not one of --num-processes {count}: from 0 to {count - 1}"
        )


def is_first() -> bool:
    """Whether this is the process that writes: the only one, or that with id 0."""
    return jax.process_index() == 0


def from_first(value: Any) -> Any:
    """What the first process has, in all: a tree of arrays of the same shapes in each."""
    if jax.process_count() == 1:
        return value
    from jax.experimental import multihost_utils

    try:
        return jax.tree.map(np.asarray, multihost_utils.broadcast_one_to_all(value))
    except Exception as error:  # of several kinds, as the devices talk to each other
        lost(error)


def text_from_first(value: Any) -> Any:
    """What the first process has, in all, as JSON has it."""
    if jax.process_count() == 1:
        return value
    text = np.frombuffer(json.dumps(value).encode(), np.uint8)
    length = int(from_first(np.array(len(text))))
    padded = np.zeros(length, np.uint8)
    padded[: min(length, len(text))] = text[:length]
    return json.loads(from_first(padded).tobytes())


def snapshot_from_first(snapshot: Snapshot | None, like: Any) -> Snapshot | None:
    """The snapshot that the first process goes on from, in all; ``like`` is as for ``restore``."""
    if jax.process_count() == 1:
        return snapshot
    arrays, facts = parts.split(snapshot) if snapshot else (None, None)
    facts = text_from_first(facts)
    if facts is None:
        return None
    arrays = arrays or parts.empty(like, facts["examples"])
    return parts.join(from_first(arrays), facts)


def first_signal(number: int | None) -> int | None:
    """The signal that any of the processes has had, in all; None if none."""
    if jax.process_count() == 1:
        return number
    from jax.experimental import multihost_utils

    try:
        return int(np.max(multihost_utils.process_allgather(np.array(number or 0)))) or None
    except Exception as error:
        lost(error)

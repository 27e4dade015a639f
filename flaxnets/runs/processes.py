"""Several processes that train together, by JAX's distributed runtime."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import jax
import numpy as np

from flaxnets.runs.checkpoints import parts
from flaxnets.training import Snapshot, TrainState

T = TypeVar("T")
HEARTBEAT = 10  # seconds without a sign of life after which a process counts as lost


class Lost(RuntimeError):
    """Another process is lost, or this one has failed: neither can go on."""

    def __init__(self, error: Exception) -> None:
        reason = " ".join(str(error).split())[:150]
        super().__init__(f"another process is lost, or this one has failed ({reason})")


def join(
    coordinator: str | None, count: int | None, number: int | None, timeout: int = 300
) -> None:
    """Join the other processes, before JAX computes anything.

    Args:
        coordinator: where process 0 listens, as ``"host:port"``.
        count: how many processes there are.
        number: which one this is, from 0.
        timeout: seconds until JAX ends the process if they have not all come.

    Where all three are None, Slurm, Open MPI or a TPU must tell them.

    Raises:
        ValueError: if they do not fit together, or there is nothing to tell who the others are.
    """
    _check(coordinator, count, number)
    jax.config.update("jax_enable_preemption_service", False)  # SIGTERM is ours
    try:
        jax.distributed.initialize(
            coordinator,
            count,
            number,
            heartbeat_timeout_seconds=HEARTBEAT,
            initialization_timeout=timeout,
        )
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"the processes cannot be joined ({error})") from error


def _check(coordinator: str | None, count: int | None, number: int | None) -> None:
    if coordinator is None or count is None or number is None:
        return
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise ValueError(f"coordinator {coordinator!r} is not HOST:PORT")
    if not 0 <= number < count:
        raise ValueError(f"process {number} is not one of {count}: from 0 to {count - 1}")


def is_first() -> bool:
    """Whether this is the process that writes: the only one, or that with id 0."""
    return jax.process_index() == 0


@contextmanager
def losses() -> Iterator[None]:
    """While the devices of several processes compute together, what JAX raises is a loss."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if jax.process_count() == 1:
            raise
        raise Lost(error) from error


def from_first(value: T) -> T:
    """What the first process has, in all: a tree of arrays of the same shapes in each."""
    if jax.process_count() == 1:
        return value
    from jax.experimental import multihost_utils

    try:
        found: T = jax.tree.map(np.asarray, multihost_utils.broadcast_one_to_all(value))
        return found
    except Exception as error:  # of several kinds, as the devices talk to each other
        raise Lost(error) from error


def text_from_first(value: T) -> T:
    """What the first process has, in all, as JSON has it."""
    if jax.process_count() == 1:
        return value
    text = np.frombuffer(json.dumps(value).encode(), np.uint8)
    length = int(from_first(np.array(len(text))))
    padded = np.zeros(length, np.uint8)
    padded[: min(length, len(text))] = text[:length]
    found: T = json.loads(from_first(padded).tobytes())
    return found


def snapshot_from_first(snapshot: Snapshot | None, like: TrainState) -> Snapshot | None:
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
        raise Lost(error) from error

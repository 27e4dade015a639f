"""Snapshots read by Orbax; those that are damaged are set aside."""

import json
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from flaxnets.runs.checkpoints.parts import checksum, checksum_facts, empty, join, shapes
from flaxnets.runs.checkpoints.quiet_orbax import quiet
from flaxnets.runs.folder import CHECKPOINTS, DAMAGED
from flaxnets.training import Snapshot, TrainState

T = TypeVar("T")


def restore(
    workdir: Path,
    like: TrainState,
    check: Callable[[dict[str, Any]], None],
    say: Callable[[str], object] = warnings.warn,
) -> Snapshot | None:
    """The latest whole snapshot of a workdir; None if there is none.

    What is damaged is moved to the folder ``damaged`` beside the checkpoints.

    Args:
        workdir: the folder of a run, as ``Checkpoints`` takes it.
        like: a ``TrainState`` of NumPy arrays, of the shapes and dtypes to expect.
        check: called with what ``save`` was given about it, before its arrays are read; what it
            raises ends the search.
        say: called with a line about each that is damaged.

    Returns:
        A ``Snapshot`` of NumPy arrays, its state shaped as ``like`` and of the same dtypes.

    Raises:
        ValueError: if a whole one has other arrays, as other versions of Optax may make them.
        PermissionError: if one may not be read.
    """
    for step in sorted(_steps(workdir), reverse=True):
        path = workdir / CHECKPOINTS / str(step)
        facts = _tried(path, say, partial(_read_facts, path))
        if facts is None:
            continue
        check(facts["about"])
        _check_shapes(path, facts["shapes"], shapes(empty(like, facts["examples"])))
        snapshot = _tried(path, say, partial(_read_arrays, path, like, facts))
        if snapshot is not None:
            return snapshot
    return None


def _check_shapes(path: Path, found: dict[str, str], expected: dict[str, str]) -> None:
    differ = [n for n in {**found, **expected} if found.get(n) != expected.get(n)]
    if differ:
        raise ValueError(
            f"{path} is whole, but not of this training: {differ[0]} is {found.get(differ[0])}, "
            f"here {expected.get(differ[0])}; go on with the versions that it was written by"
        )


def _tried(path: Path, say: Callable[[str], object], read: Callable[[], T]) -> T | None:
    try:
        return read()
    except (ImportError, MemoryError, PermissionError):
        raise  # they say nothing of the file
    except Exception as error:  # whatever Orbax and its libraries make of a damaged file
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        say(f"{path} is damaged, and set aside as {_set_aside(path)} ({reason})")
    return None


def _steps(workdir: Path) -> list[int]:
    folder = workdir / CHECKPOINTS
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return [int(name) for name in names if name.isdecimal()]


def _read_facts(path: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((path / "facts" / "metadata").read_text())
    checksums = facts.pop("checksums")
    if checksum_facts(facts) != checksums["facts"]:
        raise ValueError("the checksum of its facts is another")
    return {**facts, "checksum": checksums["arrays"]}


def _read_arrays(path: Path, like: TrainState, facts: Mapping[str, Any]) -> Snapshot:
    import orbax.checkpoint as ocp

    target = empty(like, facts["examples"])
    alone = ocp.options.MultiprocessingOptions(active_processes={0})  # no other has to come
    with quiet(), ocp.StandardCheckpointer(multiprocessing_options=alone) as reader:
        arrays = reader.restore(path.absolute() / "arrays", target)
    if checksum(arrays) != facts["checksum"]:
        raise ValueError("the checksum of its arrays is another")
    return join(arrays, facts)


def _set_aside(path: Path) -> Path:
    folder = path.parent.parent / DAMAGED
    folder.mkdir(exist_ok=True)
    names = (folder / f"{path.name}{'' if i == 1 else f'-{i}'}" for i in range(1, 10_000))
    return path.rename(next(name for name in names if not name.exists()))

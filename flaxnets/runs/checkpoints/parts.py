"""What of a snapshot is arrays and what is numbers, and their checksums."""

import json
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from flaxnets.training import Snapshot, TrainState


class WithoutCollections(NamedTuple):
    """The state of a network that has only parameters, as version 0.1 has written every state."""

    params: Any
    opt_state: Any
    step: Any


def empty(like: TrainState, examples: int) -> dict[str, Any]:
    """Arrays as ``split`` gives them, of zeros."""
    keys, order = np.zeros((2, 2), np.uint32), np.zeros(examples, np.int32)
    return {"state": _stored(like), "keys": keys, "order": order}


def split(snapshot: Snapshot) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays of a snapshot, in NumPy, and the numbers."""
    facts = snapshot._asdict()
    arrays = {name: facts.pop(name) for name in ("state", "keys", "order")}
    arrays["state"] = _stored(arrays["state"])
    arrays["order"] = np.asarray(arrays["order"], np.int32)  # also where JAX has 64-bit integers
    return jax.tree.map(np.asarray, arrays), {**facts, "examples": len(snapshot.order)}


def join(arrays: Mapping[str, Any], facts: Mapping[str, Any]) -> Snapshot:
    """The inverse of ``split``."""
    names = ("epoch", "position", "loss_sum", "seconds")
    state = TrainState(**arrays["state"]._asdict())
    return Snapshot(**{**arrays, "state": state}, **{name: facts[name] for name in names})


def _stored(state: TrainState) -> TrainState | WithoutCollections:
    return state if state.collections else WithoutCollections(*state[:3])


def shapes(arrays: Any) -> dict[str, str]:
    """The dtype and shape of each."""
    leaves = jax.tree_util.tree_leaves_with_path(arrays)
    return {jax.tree_util.keystr(path): f"{leaf.dtype}{leaf.shape}" for path, leaf in leaves}


def checksum_facts(facts: Mapping[str, Any]) -> int:
    """Of the numbers."""
    return zlib.crc32(json.dumps(facts, sort_keys=True).encode())


def checksum(arrays: Any) -> int:
    """Of the arrays, their dtypes and shapes."""
    found = 0
    for array in jax.tree.leaves(arrays):
        found = zlib.crc32(f"{array.dtype}{array.shape}".encode(), found)
        found = zlib.crc32(array.tobytes(), found)
    return found

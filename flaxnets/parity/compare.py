"""The levels in their order."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from flaxnets.parity.levels import (
    adam,
    dropout,
    forward,
    gradients,
    outcome,
    softmax,
    structure,
    trajectory,
)
from flaxnets.parity.pair import Pair
from flaxnets.parity.records import Record
from flaxnets.parity.tutorials import Setting


class Level(NamedTuple):
    """What is compared."""

    title: str
    check: Callable[[Pair, Setting], Iterator[Record]]


LEVELS = {
    1: Level("structure", lambda pair, _: structure.structure(pair)),
    2: Level("initialisation", lambda pair, _: structure.initialisation(pair)),
    3: Level("forward, evaluation", lambda pair, _: forward.evaluation(pair)),
    4: Level("softmax", lambda pair, _: softmax.softmax(pair)),
    5: Level("forward, training", lambda pair, _: forward.training(pair)),
    6: Level("dropout", lambda pair, _: dropout.dropout(pair)),
    7: Level("gradients", lambda pair, _: gradients.gradients(pair)),
    8: Level("Adam", lambda pair, _: adam.adam(pair)),
    9: Level("trajectory", lambda pair, s: trajectory.trajectory(pair, s.splits)),
    10: Level("outcome", lambda pair, s: outcome.outcome(pair, s.splits, s.epochs, s.seeds)),
    11: Level("interchange", lambda pair, s: outcome.interchange(pair, s.splits)),
}


def chosen(levels: Iterable[int] | None) -> tuple[int, ...]:
    """These, or all. Raises ValueError if there is one that does not exist."""
    found = tuple(levels or LEVELS)
    if unknown := set(found) - set(LEVELS):
        raise ValueError(f"there is no level {min(unknown)}: they are 1 to {max(LEVELS)}")
    return found


def compare(
    pair: Pair, setting: Setting, levels: Sequence[int] = tuple(LEVELS)
) -> Iterator[list[Record]]:
    """The records of each level, level by level."""
    for number in levels:
        with warnings.catch_warnings():
            # torch's word on the tutorials' Dropout2d before fc2: see flaxnets.layers.Dropout2d
            warnings.filterwarnings("ignore", message="dropout2d: Received a 2-D input")
            records = list(LEVELS[number].check(pair, setting))
        yield records

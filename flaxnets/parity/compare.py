"""The levels in their order."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import torch

from flaxnets.parity.levels import (
    adam,
    dropout,
    forward,
    gradients,
    interchange,
    lockstep,
    outcome,
    softmax,
    structure,
    trajectory,
)
from flaxnets.parity.pair import Pair
from flaxnets.parity.records import LeftOut, Record
from flaxnets.parity.tutorials import Setting


class Level(NamedTuple):
    """What is compared."""

    title: str
    check: Callable[[Pair, Setting | None], Iterator[Record]]


LEVELS = {
    1: Level("structure", lambda pair, _: structure.structure(pair)),
    2: Level("initialisation", lambda pair, _: structure.initialisation(pair)),
    3: Level("forward, evaluation", lambda pair, _: forward.evaluation(pair)),
    4: Level("softmax", lambda pair, _: softmax.softmax(pair)),
    5: Level("forward, training", lambda pair, _: forward.training(pair)),
    6: Level("dropout", lambda pair, _: dropout.dropout(pair)),
    7: Level("gradients", lambda pair, _: gradients.gradients(pair)),
    8: Level("Adam", lambda pair, _: adam.adam(_trained(pair))),
    9: Level("trajectory", lambda pair, on: _trajectory(pair, on)),
    10: Level("outcome", lambda pair, on: _outcome(pair, on)),
    11: Level("interchange", lambda pair, on: _interchange(pair, on)),
}


def _trained(pair: Pair) -> Pair:
    if not any(True for _ in pair.network().parameters()):
        raise LeftOut("the network has no parameters")
    return pair


def _trajectory(pair: Pair, on: Setting | None) -> Iterator[Record]:
    return trajectory.trajectory(pair, on.splits) if on else lockstep.lockstep(_trained(pair))


def _outcome(pair: Pair, on: Setting | None) -> Iterator[Record]:
    if on is None:
        raise LeftOut("there is no dataset to train on")
    return outcome.outcome(pair, on.splits, on.epochs, on.seeds)


def _interchange(pair: Pair, on: Setting | None) -> Iterator[Record]:
    return outcome.interchange(pair, on.splits) if on else interchange.interchange(pair)


def chosen(levels: Iterable[int] | None) -> tuple[int, ...]:
    """These, or all. Raises ValueError if there is one that does not exist."""
    found = tuple(levels or LEVELS)
    if unknown := set(found) - set(LEVELS):
        raise ValueError(f"there is no level {min(unknown)}: they are 1 to {max(LEVELS)}")
    return found


def compare(
    pair: Pair, setting: Setting | None, levels: Sequence[int] = tuple(LEVELS)
) -> Iterator[list[Record]]:
    """The records of each level, level by level; none where a level is left out.

    Without a setting there is no dataset to train on.
    """
    for number in levels:
        try:
            yield measured(pair, setting, number)
        except LeftOut:
            yield []


def measured(pair: Pair, setting: Setting | None, number: int) -> list[Record]:
    """The records of a level. Raises LeftOut, with the reason, if it has no meaning for the pair.

    torch's random state is left as it was.
    """
    with (
        warnings.catch_warnings(),
        torch.random.fork_rng(devices=[]),
        torch.inference_mode(False),
        torch.enable_grad(),
    ):
        # torch's word on the tutorials' Dropout2d before fc2: see flaxnets.layers.Dropout2d
        warnings.filterwarnings("ignore", message="dropout2d: Received a 2-D input")
        return list(LEVELS[number].check(pair, setting))


class Finding(NamedTuple):
    """What a level gives: its records, or why there are none."""

    level: int
    records: list[Record]
    reason: str = ""


def findings(pair: Pair, levels: Sequence[int] = tuple(LEVELS)) -> Iterator[Finding]:
    """Each level of a pair that no dataset belongs to, as soon as it is measured.

    What cannot even be run fails, by what it raises. If the weights do not fit there is nothing to
    compare but the structure.
    """
    misfit = _misfit(pair)
    for number in levels:
        if misfit:
            failed = Record(pair.name, number, misfit, "exact", float("inf"), 0.0)
            yield Finding(number, _tried(pair, number) if number == 1 else [failed])
            continue
        try:
            yield Finding(number, _tried(pair, number))
        except LeftOut as reason:
            yield Finding(number, [], str(reason))


def _tried(pair: Pair, number: int) -> list[Record]:
    try:
        return measured(pair, None, number)
    except LeftOut:
        raise
    except Exception as error:  # of the twin's code, or of torch's network in training
        name = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return [Record(pair.name, number, name, "exact", float("inf"), 0.0)]


def _misfit(pair: Pair) -> str:
    """Why torch's weights do not fit the twin, if they do not."""
    try:
        pair.from_torch(pair.model, pair.network().state_dict())
    except (TypeError, ValueError) as error:
        return str(error)
    return ""

"""The network at another batch size: no number of the example may stand for it."""

from __future__ import annotations

import traceback
from typing import Any

import torch

from flaxnets.port.author import file_of, is_authors
from flaxnets.port.looks import where
from flaxnets.port.offences import Offences
from flaxnets.port.record import Event, Run

VIEWS = ("view", "reshape", "expand", "unflatten", "repeat")


BATCH = "say x.size(0), or -1, where the batch is"


def other_batch(
    net: torch.nn.Module, args: Any, kwargs: Any, first: Run, offences: Offences, record: Any
) -> Run | None:
    """The network at another batch size: no number of the example may stand for it."""
    more = _grown((args, kwargs), squares := _has_squares((args, kwargs)))
    if more is None:
        return None
    try:
        run: Run = record(net, *more, False, offences)
    except Exception as error:
        if squares:  # which may be masks of times, and no examples
            return None
        events = getattr(error, "events", [])
        if not _kept_sizes(first.events, events, offences):
            _of_batch(error, net, offences)
        return None
    if not _kept_sizes(first.events, run.events, offences):
        _compare(first, run, net, offences)
    return run


def _kept_sizes(first: list[Event], other: list[Event], offences: Offences) -> bool:
    """Whether a view or the like gives as many rows, of more."""
    for one, two in zip(first, other, strict=False):
        if one.node is not two.node or one.file is None or one.node is None:
            continue
        if one.name in VIEWS and _keeps_rows(one, two):
            offences.at(one.file, one.node, "a batch size that is written down", BATCH)
            return True
    return False


def _keeps_rows(one: Event, two: Event) -> bool:
    rows = [event.args[0].shape[:1] for event in (one, two)]
    given = [event.out.shape[:1] for event in (one, two)]
    return bool(rows[0] != rows[1] and given[0] == given[1] == rows[0])


def _tensors(tree: Any) -> list[torch.Tensor]:
    return [t for t in torch.utils._pytree.tree_leaves(tree) if isinstance(t, torch.Tensor)]


def _has_squares(tree: Any) -> bool:
    """Whether an input may be a mask (T, T), of as many times as there are examples."""
    first, *rest = [*_tensors(tree), None]
    return any(
        t is not None and t.ndim == 2 and t.shape[0] == t.shape[1] == first.shape[0]
        for t in rest
        if first is not None and first.ndim
    )


def _grown(tree: Any, squares: bool) -> Any:
    """One example more of each input that has as many as the first."""
    leaves = _tensors(tree)
    if not leaves or leaves[0].ndim == 0:
        return None
    count = leaves[0].shape[0]

    def grow(tensor: torch.Tensor) -> torch.Tensor:
        is_mask = squares and tensor.ndim == 2 and tensor.shape[0] == tensor.shape[1]
        if tensor.ndim == 0 or tensor.shape[0] != count or (is_mask and tensor is not leaves[0]):
            return tensor
        return torch.cat([tensor, tensor[:1]])

    return torch.utils._pytree.tree_map_only(torch.Tensor, grow, tree)


def _of_batch(error: Exception, net: torch.nn.Module, offences: Offences) -> None:
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if is_authors(f.filename) and f.filename.endswith(".py")]
    text = f"a batch size that is written down ({str(error).splitlines()[0][:80]})"
    if own:
        offences.at(file_of(own[-1].filename), own[-1].lineno or 1, text, BATCH)
    else:
        where(net, "", text, BATCH, offences)


def _compare(first: Run, other: Run, net: torch.nn.Module, offences: Offences) -> None:
    """The same operations, and sizes that do not mix the batch with others."""
    a, b = ([e for e in run.events if e.node is not None] for run in (first, other))
    for one, two in zip(a, b, strict=False):
        if one.node is not two.node and one.file is not None:
            offences.at(one.file, one.node or 1, "operations that depend on the batch size", BATCH)
            return
    if len(a) != len(b):
        where(net, "", "operations that depend on the batch size", BATCH, offences)

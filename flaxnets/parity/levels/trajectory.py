"""Level 9: an epoch of training, step by step."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from flaxnets import interop
from flaxnets.data import Split, Splits
from flaxnets.parity.bounds import FLOAT64, Lane, lanes
from flaxnets.parity.drawn import Drawn
from flaxnets.parity.masks import Place, mask_places, replayed
from flaxnets.parity.observe import run, torch_layers
from flaxnets.parity.pair import Examples, Pair
from flaxnets.parity.recording import record_masks
from flaxnets.parity.records import Record, relative_error
from flaxnets.parity.sides import Sides
from flaxnets.training.batches import Batch
from flaxnets.training.call import mixing, statistics
from flaxnets.training.state import TrainState, initial_state

BATCH, RATE = 64, 1e-3


def trajectory(pair: Pair, splits: Splits) -> Iterator[Record]:
    """Level 9 on a dataset: the losses of an epoch, with the same batches and torch's masks.

    In float32 rounding alone moves later steps: what it does is reported, without a bound. So it
    is for a pair with ``free``, whose bound is on the epoch in parts, each taken up from torch's
    state.
    """
    for lane in lanes():
        bound = 1e-9 if lane == FLOAT64 else float("inf")
        with lane():
            theirs, ours, sides, last = _epoch(pair, splits.train, lane)
            every = pair.free or len(ours)
            in_one = f"loss, {len(ours)} steps"
            if len(ours) > every and lane == FLOAT64:
                parts = _gap(*losses(pair, splits.train, lane, every))
                name = f"loss, {len(ours)} steps, each {every} from torch's state"
                yield Record(pair.name, 9, name, lane.name, parts, bound)
                beside, _ = losses(pair, splits.train, lane, moved=lane.epsilon)
                name = f"{in_one}: torch beside itself, begun one rounding away"
                yield Record(pair.name, 9, name, lane.name, _gap(theirs, beside), float("inf"))
                bound = float("inf")
            yield Record(pair.name, 9, in_one, lane.name, _gap(theirs, ours), bound)
            if statistics(sides.variables):
                name = f"outputs in evaluation after {len(ours)} steps"
                yield Record(pair.name, 9, name, lane.name, _outputs_gap(sides, last), bound)


def _outputs_gap(sides: Sides, last: TrainState) -> float:
    inputs, _ = sides.pair.examples(sides.pair.batch)
    theirs = torch_layers(sides.net.eval(), sides.tensors(inputs))["output"]
    return relative_error(sides.evaluated(inputs, last.variables)["output"], theirs)


def _gap(theirs: np.ndarray, ours: np.ndarray) -> float:
    return float(np.abs(theirs - ours).max())


def losses(
    pair: Pair, train: Split, lane: Lane, every: int | None = None, moved: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """The loss of each step of an epoch, torch's and ours. Within the lane's context.

    Args:
        every: steps after which our side takes up torch's state again.
        moved: by how much, relatively, the initial weights of both are changed.
    """
    theirs, ours, _, _ = _epoch(pair, train, lane, every, moved)
    return theirs, ours


def _epoch(
    pair: Pair, train: Split, lane: Lane, every: int | None = None, moved: float = 0.0
) -> tuple[np.ndarray, np.ndarray, Sides, TrainState]:
    """The losses, torch's network as it is after it, and our last state."""
    sides = Sides(pair, lane)
    with torch.no_grad():
        for parameter in sides.net.parameters():
            parameter.mul_(1 + moved)
    batches = random_batches(pair, train, seed=0)
    theirs: list[float] = []
    masks: list[list[Drawn]] = []
    starts: dict[int, TrainState] = {}
    optimizer = torch.optim.Adam(sides.net.parameters(), lr=RATE)
    sides.net.train()
    for i, batch in enumerate(batches):
        if i % (every or len(batches)) == 0:
            starts[i] = _state(sides, optimizer)
        loss, drawn = record_masks(
            sides.net, functools.partial(torch_step, sides, optimizer, batch)
        )
        theirs.append(loss)
        masks.append(drawn)
    ours, last = _flax_losses(sides, batches, masks, starts)
    return np.array(theirs), ours, sides, last


def _state(sides: Sides, optimizer: torch.optim.Optimizer) -> TrainState:
    """torch's, as ours."""
    state = initial_state(sides.convert(sides.net.state_dict()))
    if not optimizer.state:
        return state
    opt_state = interop.adam_from_torch(sides.model, optimizer.state_dict())
    return state._replace(opt_state=opt_state, step=opt_state[0].count)


def random_batches(pair: Pair, train: Split, seed: int) -> list[Examples]:
    """An epoch in random order; the last batch may not be full."""
    order = np.random.default_rng(seed).permutation(len(train.labels))
    parts = (order[i : i + BATCH] for i in range(0, len(order), BATCH))
    return [(pair.images(train.images[part]), train.labels[part]) for part in parts]


def torch_step(sides: Sides, optimizer: torch.optim.Optimizer, batch: Examples) -> float:
    """A step of torch, and its loss."""
    inputs, labels = batch
    optimizer.zero_grad()
    loss = sides.torch_loss(run(sides.net, sides.tensors(inputs)), labels)
    loss.backward()
    optimizer.step()
    return float(loss.item())


def _flax_losses(
    sides: Sides, batches: Sequence[Examples], drawn: Any, starts: dict[int, TrainState]
) -> tuple[np.ndarray, TrainState]:
    """By ``fit``'s step, on batches that are filled up as there; and the state after the last."""
    pair, state, found = sides.pair, starts[0], []
    step = jax.jit(functools.partial(pair.step, sides.model, pair.loss, pair.adam(RATE)))
    of_model = sides.model, sides.variables, sides.inputs(batches[0][0])
    places, exact = mask_places(*of_model), statistics(sides.variables) or mixing(*of_model)
    size = 0 if exact else BATCH  # what fills it up would enter the statistics
    for i, ((inputs, labels), of_step) in enumerate(zip(batches, drawn, strict=True)):
        state, n = starts.get(i, state), len(labels)
        fill = functools.partial(_fill, size=max(size, n))
        x, y = fill(sides.inputs(inputs)), fill(jnp.asarray(labels))
        masks = replayed(_filled(of_step, places, len(y)), places)
        filled = Batch(x, y, jnp.arange(len(y)) < n)
        state, loss_sum = step(state, filled, jax.random.key(0), masks=masks)
        found.append(float(loss_sum) / n)
    return np.array(found), state


def _filled(drawn: Sequence[Drawn], places: Sequence[Place], size: int) -> list[Drawn]:
    """Masks of so many examples; those of a batch that goes as a whole stay one."""
    whole = [place.shape[:1] == (1,) for place in places] + [False] * len(drawn)
    return [
        each if is_one else each._replace(keep=np.asarray(_fill(each.keep, size)))
        for each, is_one in zip(drawn, whole, strict=False)
    ]


def _fill(array: Any, size: int) -> jax.Array:
    """Up to a full batch, with copies of the last row."""
    return jnp.pad(array, [(0, size - len(array))] + [(0, 0)] * (array.ndim - 1), mode="edge")

"""Level 9: an epoch of training, step by step."""

import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from flaxnets import interop
from flaxnets.training.batches import Batch
from flaxnets.data import Split, Splits
from flaxnets.parity.records import FLOAT64, Lane, Record, lanes
from flaxnets.parity.subject import Pair, Subject, record_masks
from flaxnets.training.step import TrainState, initial_state

BATCH, RATE = 64, 1e-3

# Steps until rounding has grown too far to compare, where it does. The SoftmaxMLP's training is
# chaotic: on MNIST a difference doubles every fifteen steps or so. torch, begun one rounding away
# from itself, is as far from itself after an epoch as we are from torch.
FREE = {"softmax_mlp": 200}


def trajectory(subject: Subject, splits: Splits) -> Iterator[Record]:
    """Level 9: the losses of an epoch, with the same batches and torch's masks.

    In float32 rounding alone moves later steps: what it does is reported, without a bound. So it
    is for a network in ``FREE``, whose bound is on the epoch in parts, each taken up from torch's
    state.
    """
    for lane in lanes():
        bound = 1e-9 if lane == FLOAT64 else float("inf")
        with lane():
            theirs, ours = losses(subject, splits.train, lane)
            every = FREE.get(subject.name, len(ours))
            in_one = f"loss, {len(ours)} steps"
            if len(ours) > every and lane == FLOAT64:
                parts = _gap(*losses(subject, splits.train, lane, every))
                name = f"loss, {len(ours)} steps, each {every} from torch's state"
                yield Record(subject.name, 9, name, lane.name, parts, bound)
                beside, _ = losses(subject, splits.train, lane, moved=lane.epsilon)
                name = f"{in_one}: torch beside itself, begun one rounding away"
                yield Record(subject.name, 9, name, lane.name, _gap(theirs, beside), float("inf"))
                bound = float("inf")
            yield Record(subject.name, 9, in_one, lane.name, _gap(theirs, ours), bound)


def _gap(theirs: np.ndarray, ours: np.ndarray) -> float:
    return float(np.abs(theirs - ours).max())


def losses(
    subject: Subject, train: Split, lane: Lane, every: int | None = None, moved: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """The loss of each step of an epoch, torch's and ours. Within the lane's context.

    Args:
        every: steps after which our side takes up torch's state again.
        moved: by how much, relatively, the initial weights of both are changed.
    """
    pair = Pair(subject, lane)
    with torch.no_grad():
        for parameter in pair.net.parameters():
            parameter.mul_(1 + moved)
    batches = random_batches(train, seed=0)
    theirs, masks, starts = [], [], {}
    optimizer = torch.optim.Adam(pair.net.parameters(), lr=RATE)
    pair.net.train()
    for i, batch in enumerate(batches):
        if i % (every or len(batches)) == 0:
            starts[i] = _state(pair, optimizer)
        loss, drawn = record_masks(pair.net, functools.partial(torch_step, pair, optimizer, batch))
        theirs.append(loss)
        masks.append(drawn)
    return np.array(theirs), _flax_losses(pair, batches, masks, starts)


def _state(pair: Pair, optimizer: Any) -> TrainState:
    """torch's, as ours."""
    state = initial_state(pair.convert(pair.net.state_dict())["params"])
    if not optimizer.state:
        return state
    opt_state = interop.adam_from_torch(pair.model, optimizer.state_dict())
    return state._replace(opt_state=opt_state, step=opt_state[0].count)


def random_batches(train: Split, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """An epoch in random order; the last batch may not be full."""
    order = np.random.default_rng(seed).permutation(len(train.labels))
    parts = (order[i : i + BATCH] for i in range(0, len(order), BATCH))
    return [(train.images[part] / 255, train.labels[part]) for part in parts]


def torch_step(pair: Pair, optimizer: Any, batch: Any) -> float:
    """A step of torch, and its loss."""
    images, labels = batch
    optimizer.zero_grad()
    loss = pair.torch_loss(pair.net(pair.torch_images(images)), labels)
    loss.backward()
    optimizer.step()
    return float(loss.item())


def _flax_losses(pair: Pair, batches: Any, masks: Any, starts: Any) -> np.ndarray:
    """By the step that ``fit`` takes, on batches that are filled up as there."""
    step = jax.jit(functools.partial(pair.subject.step, pair.model, pair.subject.loss))
    state, found = starts[0], []
    for i, ((images, labels), drawn) in enumerate(zip(batches, masks, strict=True)):
        state = starts.get(i, state)
        n = len(labels)
        x, y = _fill(jnp.asarray(images, pair.lane.dtype)), _fill(jnp.asarray(labels))
        filled = Batch(x, y, jnp.arange(BATCH) < n)
        drawn = jax.tree.map(_fill, drawn)
        state, loss_sum = step(state, filled, jax.random.key(0), RATE, masks=drawn)
        found.append(float(loss_sum) / n)
    return np.array(found)


def _fill(array: Any) -> jax.Array:
    """Up to a full batch, with copies of the last row."""
    return jnp.pad(array, [(0, BATCH - len(array))] + [(0, 0)] * (array.ndim - 1), mode="edge")

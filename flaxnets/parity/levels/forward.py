"""Level 3: the output of every layer in evaluation. Level 4: softmax. Level 5: with dropout."""

import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from flaxnets import layers
from flaxnets.interop.layouts import as_numpy
from flaxnets.parity.records import (
    FLOAT64,
    Lane,
    Record,
    lanes,
    relative_error,
    rounding_bound,
)
from flaxnets.parity.subject import (
    Pair,
    Subject,
    examples,
    flax_layers,
    record_masks,
    torch_layers,
)

BFLOAT16 = Lane("bfloat16", jnp.bfloat16, 2.0**-7, 0.0, "highest")


def evaluation(subject: Subject, n: int = 32) -> Iterator[Record]:
    """Level 3."""
    for lane in lanes():
        with lane():
            pair = Pair(subject, lane)
            images, _ = examples(n)
            with torch.no_grad():
                theirs = torch_layers(pair.net, pair.torch_images(images))
            ours = flax_layers(pair.model, pair.variables, jnp.asarray(images, lane.dtype))
            yield from _compare(3, pair, ours, theirs)


def training(subject: Subject, n: int = 32) -> Iterator[Record]:
    """Level 5: torch's dropout masks, replayed."""
    for lane in lanes():
        with lane():
            pair = Pair(subject, lane)
            images, _ = examples(n)
            pair.net.train()
            with torch.no_grad():
                run = functools.partial(torch_layers, pair.net, pair.torch_images(images))
                theirs, masks = record_masks(pair.net, run)
            variables = {**pair.variables, "masks": masks}
            x = jnp.asarray(images, lane.dtype)
            ours = flax_layers(pair.model, variables, x, train=True)
            yield from _compare(5, pair, ours, theirs)


def _compare(level: int, pair: Pair, ours: Any, theirs: Any) -> Iterator[Record]:
    bounds = layer_bounds(pair, list(theirs))
    for name, array in theirs.items():
        error = relative_error(ours[name], array) if name in ours else float("inf")
        yield Record(pair.subject.name, level, name, pair.lane.name, error, bounds[name])


def layer_bounds(pair: Pair, names: list[str]) -> dict[str, float]:
    """Of the output of each layer, given in the order of the calls: 1e-12 in float64."""
    modules = dict(pair.net.named_modules())
    bounds, sums, products = {}, 4.0, 0  # what has no sum still rounds a few times
    for name in names:
        weight = getattr(modules.get(name), "weight", None)
        if weight is not None:
            sums, products = sums + np.sqrt(weight[0].numel()), products + 1
        wide = pair.lane == FLOAT64
        bounds[name] = 1e-12 if wide else rounding_bound(pair.lane, sums, products)
    return bounds


LOGITS = np.array(
    [
        [0] * 10,
        range(10),
        [1e4, *[0] * 9],
        [-1e4, *[0] * 9],
        [1e4, -1e4] * 5,
        [3, 3, *[0] * 8],  # a tie
    ],
    np.float64,
)


def softmax(subject: Subject) -> Iterator[Record]:
    """Level 4: what the network makes of logits, and its loss, at the extremes.

    The logits are put in as the last layer's bias, all weights being zero.
    """
    for lane in [*lanes(), BFLOAT16]:
        with lane():
            pair = Pair(subject, lane)
            yield from _softmax(pair)


def _softmax(pair: Pair) -> Iterator[Record]:
    few = 8 * pair.lane.epsilon  # exponentials, a sum of ten, a quotient or logarithm
    for name, error in _softmax_errors(pair):
        yield Record(pair.subject.name, 4, name, pair.lane.name, error, few)


def _softmax_errors(pair: Pair) -> Iterator[tuple[str, float]]:
    dtype = pair.lane.dtype
    ours = [_outputs(pair, logits) for logits in LOGITS]
    theirs = [_torch_outputs(pair, logits) for logits in LOGITS]
    pairs = list(zip(ours, (as_numpy(out).astype(float) for out in theirs), strict=True))
    yield "outputs", float(np.max([relative_error(a, b) for a, b in pairs]))  # NaN stays NaN
    finite = [np.array_equal(np.isfinite(a), np.isfinite(b)) for a, b in pairs]
    yield "finite where torch is", float(not all(finite))
    p = [np.asarray(pair.model.probabilities(out), np.float64) for out in ours]
    yield "rows sum to 1", float(np.abs(np.sum(p, axis=-1) - 1).max())
    shifted = pair.model.probabilities(_outputs(pair, LOGITS[1] + 8))
    yield "shift by 8", relative_error(shifted, p[1])
    labels = np.arange(len(ours[0]))
    gaps = [
        relative_error(pair.subject.loss(a, jnp.asarray(labels)), _torch_losses(pair, b, labels))
        for a, b in zip(ours, theirs, strict=True)
    ]
    yield "losses", float(np.max(gaps))
    kinds = (layers.LogSoftmax(), layers.Softmax())
    logarithms, probabilities = (
        jnp.asarray(k.apply({}, jnp.asarray(LOGITS, dtype))) for k in kinds
    )
    yield "exp(log_softmax), softmax", relative_error(jnp.exp(logarithms), probabilities)


def _outputs(pair: Pair, logits: np.ndarray) -> jax.Array:
    with torch.no_grad():
        state = {key: torch.zeros_like(value) for key, value in pair.net.state_dict().items()}
    state[list(state)[-1]] = torch.tensor(logits, dtype=pair.dtype)
    variables = pair.convert(state)
    return pair.model.apply(variables, jnp.zeros((4, 28, 28), pair.lane.dtype))


def _torch_outputs(pair: Pair, logits: np.ndarray) -> torch.Tensor:
    with torch.no_grad():
        for parameter in pair.net.parameters():
            parameter.zero_()
        list(pair.net.parameters())[-1].copy_(torch.tensor(logits))
        return pair.net(pair.torch_images(np.zeros((4, 28, 28))))


def _torch_losses(pair: Pair, outputs: torch.Tensor, labels: np.ndarray) -> torch.Tensor:
    rows = range(len(outputs))
    with torch.no_grad():
        return torch.stack([pair.torch_loss(outputs[i : i + 1], labels[i : i + 1]) for i in rows])

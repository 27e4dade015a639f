"""Level 4: softmax, and the losses, at the extremes."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import torch

from flaxnets import layers
from flaxnets.interop.layout import as_numpy
from flaxnets.parity.bounds import Lane, lanes
from flaxnets.parity.pair import Pair, Sides
from flaxnets.parity.records import Record, relative_error

BFLOAT16 = Lane("bfloat16", jnp.bfloat16, 2.0**-7, 0.0, "highest")


def softmax(pair: Pair) -> Iterator[Record]:
    """Level 4: what the network makes of logits, and its loss, at the extremes.

    The logits are put in as the last layer's bias, all weights being zero. Of a network that does
    not say what its outputs are as probabilities there is nothing to compare.
    """
    if not hasattr(pair.model, "probabilities"):
        return
    for lane in [*lanes(), BFLOAT16]:
        with lane():
            sides = Sides(pair, lane)
            few = 8 * lane.epsilon  # exponentials, a sum of ten, a quotient or logarithm
            for name, error in _errors(sides):
                yield Record(pair.name, 4, name, lane.name, error, few)


def extremes(n: int) -> np.ndarray:
    """(6, n) logits."""
    rows = np.zeros((6, n))
    rows[1] = np.arange(n)
    rows[2, 0], rows[3, 0] = 1e4, -1e4
    rows[4] = np.resize([1e4, -1e4], n)
    rows[5, :2] = 3  # a tie
    return rows


def _errors(sides: Sides) -> Iterator[tuple[str, float]]:
    dtype, logits = sides.lane.dtype, extremes(list(sides.net.parameters())[-1].numel())
    ours = [_outputs(sides, row) for row in logits]
    theirs = [_torch_outputs(sides, row) for row in logits]
    pairs = list(zip(ours, (as_numpy(out).astype(float) for out in theirs), strict=True))
    yield "outputs", float(np.max([relative_error(a, b) for a, b in pairs]))  # NaN stays NaN
    finite = [np.array_equal(np.isfinite(a), np.isfinite(b)) for a, b in pairs]
    yield "finite where torch is", float(not all(finite))
    p = [np.asarray(sides.model.probabilities(out), np.float64) for out in ours]
    yield "rows sum to 1", float(np.abs(np.sum(p, axis=-1) - 1).max())
    shifted = sides.model.probabilities(_outputs(sides, logits[1] + 8))
    yield "shift by 8", relative_error(shifted, p[1])
    labels = np.arange(len(ours[0]))
    gaps = [
        relative_error(sides.pair.loss(a, jnp.asarray(labels)), _torch_losses(sides, b, labels))
        for a, b in zip(ours, theirs, strict=True)
    ]
    yield "losses", float(np.max(gaps))
    kinds = (layers.LogSoftmax(), layers.Softmax())
    logarithms, probabilities = (
        jnp.asarray(k.apply({}, jnp.asarray(logits, dtype))) for k in kinds
    )
    yield "exp(log_softmax), softmax", relative_error(jnp.exp(logarithms), probabilities)


def _outputs(sides: Sides, logits: np.ndarray) -> jax.Array:
    with torch.no_grad():
        state = {key: torch.zeros_like(value) for key, value in sides.net.state_dict().items()}
    *_, (bias, _) = sides.net.named_parameters()
    state[bias] = torch.tensor(logits, dtype=sides.dtype)
    zeros = np.zeros((4, *sides.pair.shape))
    outputs: jax.Array = sides.apply(sides.convert(state), sides.inputs(zeros))
    return outputs


def _torch_outputs(sides: Sides, logits: np.ndarray) -> torch.Tensor:
    with torch.no_grad():
        for parameter in sides.net.parameters():
            parameter.zero_()
        list(sides.net.parameters())[-1].copy_(torch.tensor(logits))
        zeros = np.zeros((4, *sides.pair.shape))
        outputs: torch.Tensor = sides.net(sides.torch_inputs(zeros))
    return outputs


def _torch_losses(sides: Sides, outputs: torch.Tensor, labels: np.ndarray) -> torch.Tensor:
    rows = range(len(outputs))
    with torch.no_grad():
        return torch.stack([sides.torch_loss(outputs[i : i + 1], labels[i : i + 1]) for i in rows])

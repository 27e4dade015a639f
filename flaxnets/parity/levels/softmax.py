"""Level 4: softmax, and the losses, at the extremes."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import torch

from flaxnets import layers
from flaxnets.interop.layout import as_numpy
from flaxnets.parity.records import Lane, Record, lanes, relative_error
from flaxnets.parity.subject import Pair, Subject

BFLOAT16 = Lane("bfloat16", jnp.bfloat16, 2.0**-7, 0.0, "highest")
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
    return pair.apply(variables, jnp.zeros((4, 28, 28), pair.lane.dtype))


def _torch_outputs(pair: Pair, logits: np.ndarray) -> torch.Tensor:
    with torch.no_grad():
        for parameter in pair.net.parameters():
            parameter.zero_()
        list(pair.net.parameters())[-1].copy_(torch.tensor(logits))
        outputs: torch.Tensor = pair.net(pair.torch_images(np.zeros((4, 28, 28))))
    return outputs


def _torch_losses(pair: Pair, outputs: torch.Tensor, labels: np.ndarray) -> torch.Tensor:
    rows = range(len(outputs))
    with torch.no_grad():
        return torch.stack([pair.torch_loss(outputs[i : i + 1], labels[i : i + 1]) for i in rows])

"""Level 4: softmax, and the losses, at the extremes."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch
import torch.nn.functional as F

from flaxnets import layers
from flaxnets.interop.layout import as_numpy
from flaxnets.parity.bounds import Lane, lanes
from flaxnets.parity.calls import functions
from flaxnets.parity.observe import run
from flaxnets.parity.pair import Pair
from flaxnets.parity.records import LeftOut, Record, relative_error
from flaxnets.parity.sides import Sides

BFLOAT16 = Lane("bfloat16", jnp.bfloat16, 2.0**-7, 0.0, "highest")
SOFTMAX = {F.softmax, torch.softmax, torch.Tensor.softmax}
LOGARITHM = {F.log_softmax, torch.log_softmax, torch.Tensor.log_softmax}


class End(NamedTuple):
    """What a network ends in."""

    axis: int  # of its output, from the last one, along which there are classes
    probabilities: Callable[[Any], Any]  # of its output


def softmax(pair: Pair) -> Iterator[Record]:
    """Level 4: what the network makes of logits, and its loss, at the extremes.

    The logits are put in as the last layer's bias, all weights being zero. Of a network that does
    not say what its outputs are as probabilities, and does not end in a softmax, there is nothing
    to compare.
    """
    end = _end(pair)
    for lane in [*lanes(), *([BFLOAT16] if hasattr(pair.model, "dtype") else [])]:
        with lane():
            sides = Sides(pair, lane)
            few = 8 * lane.epsilon  # exponentials, a sum of ten, a quotient or logarithm
            for name, error in _errors(sides, end):
                yield Record(pair.name, 4, name, lane.name, error, few)


def _end(pair: Pair) -> End:
    """Raises LeftOut if it ends in no softmax, or in one that cannot be given extremes."""
    if hasattr(pair.model, "probabilities"):
        return End(-1, pair.model.probabilities)
    net = pair.network().double()
    inputs = jax.tree.map(torch.tensor, pair.examples(pair.batch)[0])
    output, seen = functions(net, inputs)
    last = next((each for each in seen if each.out is output), None)
    if last is None or last.function not in SOFTMAX | LOGARITHM:
        raise LeftOut("the network does not end in a softmax")
    axis = dict(zip(("input", "dim"), last.args, strict=False), **last.kwargs).get("dim")
    *_, bias = net.parameters()
    if (
        axis is None
        or bias.shape != (output.shape[axis],)
        or not _is_reached(net, inputs, bias, axis)
    ):
        raise LeftOut("the logits of its softmax cannot be set by the last layer's bias alone")
    return End(
        axis % output.ndim - output.ndim, (lambda p: p) if last.function in SOFTMAX else jnp.exp
    )


def _is_reached(net: torch.nn.Module, inputs: Any, bias: torch.Tensor, axis: int) -> bool:
    """Whether the output is the softmax of the last bias where all other parameters are zero."""
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        bias.copy_(torch.arange(len(bias)))
        output, seen = functions(net, inputs)
        logits = next(each for each in seen if each.out is output).args[0]
        return bool((logits.movedim(axis, -1) == bias).all())


def extremes(n: int) -> np.ndarray:
    """(6, n) logits."""
    rows = np.zeros((6, n))
    rows[1] = np.arange(n)
    rows[2, 0], rows[3, 0] = 1e4, -1e4
    rows[4] = np.resize([1e4, -1e4], n)
    rows[5, :2] = 3  # a tie
    return rows


def _errors(sides: Sides, end: End) -> Iterator[tuple[str, float]]:
    dtype, logits = sides.lane.dtype, extremes(list(sides.net.parameters())[-1].numel())
    ours = [_outputs(sides, row) for row in logits]
    theirs = [_torch_outputs(sides, row) for row in logits]
    pairs = list(zip(ours, (as_numpy(out).astype(float) for out in theirs), strict=True))
    yield "outputs", float(np.max([relative_error(a, b) for a, b in pairs]))  # NaN stays NaN
    finite = [np.array_equal(np.isfinite(a), np.isfinite(b)) for a, b in pairs]
    yield "finite where torch is", float(not all(finite))
    p = [np.asarray(end.probabilities(out), np.float64) for out in ours]
    yield "rows sum to 1", float(np.abs(np.sum(p, axis=end.axis) - 1).max())
    shifted = end.probabilities(_outputs(sides, logits[1] + 8))
    yield "shift by 8", relative_error(shifted, p[1])
    if sides.pair.shape:
        yield "losses", _losses_gap(sides, ours, theirs)
    kinds = (layers.LogSoftmax(), layers.Softmax())
    logarithms, probabilities = (
        jnp.asarray(k.apply({}, jnp.asarray(logits, dtype))) for k in kinds
    )
    yield "exp(log_softmax), softmax", relative_error(jnp.exp(logarithms), probabilities)


def _inputs(sides: Sides) -> Any:
    return jax.tree.map(np.zeros_like, sides.pair.examples(4)[0])


def _outputs(sides: Sides, logits: np.ndarray) -> jax.Array:
    with torch.no_grad():
        state = {key: torch.zeros_like(value) for key, value in sides.net.state_dict().items()}
    *_, (bias, _) = sides.net.named_parameters()
    state[bias] = torch.tensor(logits, dtype=sides.dtype)
    variables = jax.tree.map(jnp.asarray, sides.convert(state))
    outputs: jax.Array = sides.twin.evaluated(variables, sides.arrays(_inputs(sides)))["output"]
    return outputs


def _torch_outputs(sides: Sides, logits: np.ndarray) -> torch.Tensor:
    with torch.no_grad():
        for parameter in sides.net.parameters():
            parameter.zero_()
        list(sides.net.parameters())[-1].copy_(torch.tensor(logits))
        outputs: torch.Tensor = run(sides.net, sides.tensors(_inputs(sides)))
    return outputs


def _losses_gap(sides: Sides, ours: list[jax.Array], theirs: list[torch.Tensor]) -> float:
    """Of one example each."""
    assert sides.pair.loss is not None  # which every dataset's has
    labels = np.arange(len(ours[0]))
    gaps = [
        relative_error(sides.pair.loss(a, jnp.asarray(labels)), _torch_losses(sides, b, labels))
        for a, b in zip(ours, theirs, strict=True)
    ]
    return float(np.max(gaps))


def _torch_losses(sides: Sides, outputs: torch.Tensor, labels: np.ndarray) -> torch.Tensor:
    rows = range(len(outputs))
    with torch.no_grad():
        return torch.stack([sides.torch_loss(outputs[i : i + 1], labels[i : i + 1]) for i in rows])

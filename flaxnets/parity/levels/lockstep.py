"""Level 9 where there is no dataset: twenty steps of training, in lockstep."""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from flaxnets.parity.arrangement import Masks
from flaxnets.parity.bounds import FLOAT64, lanes
from flaxnets.parity.calls import takes_a_rounded_sixth
from flaxnets.parity.levels.trajectory import torch_step
from flaxnets.parity.observe import torch_layers
from flaxnets.parity.pair import Examples, Pair
from flaxnets.parity.recording import record_masks
from flaxnets.parity.records import Record, relative_error
from flaxnets.parity.sides import Sides
from flaxnets.training.state import initial_state

# At torch's default of 1e-3 a ResNet-18 on four examples parts from itself: begun one rounding
# away, by a tenth of its loss after twenty steps. A mistake still moves the loss by much more than
# any bound here.
STEPS, RATE = 20, 1e-5
FURTHER = 100  # than torch begun one rounding away: a step makes many, and there are twenty
CHAOTIC = 1e-6  # beyond it nothing is said of a step


class Path(NamedTuple):
    """The losses of the steps, and the outputs in evaluation after the last."""

    losses: list[float]
    outputs: dict[str, np.ndarray]

    def errors(self, theirs: "Path") -> dict[str, float]:
        """Beside another path."""
        after = f"in evaluation after {STEPS} steps"
        gaps = {f"loss, {STEPS} steps": relative_error(self.losses, theirs.losses)}
        return gaps | {
            f"{name} {after}": relative_error(self.outputs[name], array)
            for name, array in theirs.outputs.items()
        }


def lockstep(pair: Pair) -> Iterator[Record]:
    """Level 9: the losses of steps with the same batches and torch's masks, and what comes of them.

    Parameters are not compared: one whose gradient is zero, as a bias before a BatchNorm, is moved
    by rounding alone. In float32 rounding moves them all, and it is reported without a bound. In
    float64 the bound is 1e-10, but where torch itself, begun one rounding away, goes further, and
    for torch's own rounded 1/6.
    """
    for lane in lanes():
        with lane():
            sides = Sides(pair, lane)
            ours, theirs = _both(sides)
            bound = float("inf") if lane != FLOAT64 else _bound(sides)
            for name, error in ours.errors(theirs).items():
                if bound < error < CHAOTIC:
                    beside = _torch_alone(Sides(pair, lane), 1 + lane.epsilon)
                    bound = max(bound, FURTHER * max(beside.errors(theirs).values()))
                yield Record(pair.name, 9, name, lane.name, error, bound)


def _bound(sides: Sides) -> float:
    inputs, _ = _batch(sides.pair, 0)
    return 1e-6 if takes_a_rounded_sixth(sides.net, sides.tensors(inputs)) else 1e-10


def _batch(pair: Pair, step: int) -> Examples:
    return pair.drawn(step) if pair.drawn else pair.examples(pair.batch)


def _both(sides: Sides) -> tuple[Path, Path]:
    """Ours, and torch's."""
    pair, optimizer = sides.pair, _optimizer(sides)
    masks = Masks(sides, _batch(pair, 0)[0])
    state, ours, theirs = initial_state(sides.variables), [], []
    for step in range(STEPS):
        batch = _batch(pair, step)
        loss, drawn = record_masks(
            sides.net, functools.partial(torch_step, sides, optimizer, batch)
        )
        theirs.append(loss)
        found = sides.trained(*batch, {**state.variables, **masks(drawn)})
        ours.append(float(found.loss))
        params, opt_state = sides.update(RATE, found.of_params, state.opt_state, state.params)
        collections = {**state.collections, **found.changed}
        state = state._replace(params=params, opt_state=opt_state, collections=collections)
    inputs, _ = pair.examples(pair.batch)
    return Path(ours, _outputs(sides.evaluated(inputs, state.variables))), Path(
        theirs, _torch_outputs(sides, inputs)
    )


def _torch_alone(sides: Sides, factor: float) -> Path:
    """torch's, from parameters that are so many times the initial ones."""
    optimizer = _optimizer(sides)
    with torch.no_grad():
        for parameter in sides.net.parameters():
            parameter.mul_(factor)
    losses = [torch_step(sides, optimizer, _batch(sides.pair, step)) for step in range(STEPS)]
    inputs, _ = sides.pair.examples(sides.pair.batch)
    return Path(losses, _torch_outputs(sides, inputs))


def _optimizer(sides: Sides) -> Any:
    """Of torch's network in training."""
    parameters = [*sides.parameters().values()]
    sides.net.train()
    return torch.optim.Adam(parameters, lr=RATE)


def _torch_outputs(sides: Sides, inputs: Any) -> dict[str, np.ndarray]:
    return _outputs(torch_layers(sides.net.eval(), sides.tensors(inputs)))


def _outputs(layers: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: array for name, array in layers.items() if name.startswith("output")}

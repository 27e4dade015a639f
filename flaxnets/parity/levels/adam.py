"""Level 8: Adam."""

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

from flaxnets import interop
from flaxnets.interop.layout import as_numpy
from flaxnets.parity.bounds import FLOAT64, Lane, lanes
from flaxnets.parity.pair import Pair
from flaxnets.parity.records import Record, relative_error
from flaxnets.parity.sides import Sides

RATE, DECAY = 1e-2, 0.1


def adam(pair: Pair, steps: int = 1000) -> Iterator[Record]:
    """Level 8: on the same gradients, whose sizes run from 1e-8 to 100."""
    for lane in lanes():
        with lane():
            yield from _same_gradients(pair, lane, steps)
            yield from _carried_over(pair, lane)


def _same_gradients(pair: Pair, lane: Lane, steps: int) -> Iterator[Record]:
    start, gradients = _drawn(steps)
    for name, decay in (("Adam", 0.0), ("Adam with weight decay", DECAY)):
        theirs = _torch_adam(steps, lane, decay)
        ours = _optax_adam(pair, start, gradients, lane, decay)
        for at in (1, steps):
            error = relative_error(ours[at - 1] - start, theirs[at - 1] - start)
            bound = adam_bound(lane, at)
            yield Record(pair.name, 8, f"{name}, step {at}", lane.name, error, bound)


def adam_bound(lane: Lane, step: int) -> float:
    """Of the way that parameters have gone: 1e-11 in float64.

    In float32 1 - 0.999^t is formed with an error of epsilon / 2, relative to 0.001 t in early
    steps: its root gives epsilon / (0.004 t), which adds up over the steps like a logarithm. A
    parameter of size 3 is rounded at each step, by epsilon, against a step of 0.01. The way
    itself, a random walk, is sqrt(t) steps long. No product is of matrices: TF32 changes nothing.
    """
    if lane == FLOAT64:
        return 1e-11
    return float(lane.epsilon * (250 * (1 + np.log(step)) / np.sqrt(step) + 3 / RATE))


def _drawn(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """(60,) parameters, and (steps, 60) gradients."""
    rng = np.random.default_rng(0)
    start = rng.normal(size=60)
    sizes = 10.0 ** np.linspace(-8, 2, 60)
    return start, rng.normal(size=(steps, 60)) * sizes


@functools.cache  # it is the same of every pair
def _torch_adam(steps: int, lane: Lane, decay: float) -> list[np.ndarray]:
    start, gradients = _drawn(steps)
    dtype = getattr(torch, np.dtype(lane.dtype).name)
    parameter = torch.tensor(start, dtype=dtype, requires_grad=True)
    optimizer = torch.optim.Adam([parameter], lr=RATE, weight_decay=decay)
    path = []
    for gradient in gradients:
        parameter.grad = torch.tensor(gradient, dtype=dtype)
        optimizer.step()
        path.append(parameter.detach().double().numpy().copy())
    return path


def _optax_adam(pair: Pair, start: Any, gradients: Any, lane: Lane, decay: float) -> np.ndarray:
    optimizer = optax.chain(optax.add_decayed_weights(decay), pair.adam(RATE))
    start = jnp.asarray(start, lane.dtype)

    def step(carry: Any, gradient: Any) -> tuple[Any, Any]:
        parameter, state = carry
        updates, state = optimizer.update(gradient, state, parameter)
        parameter = optax.apply_updates(parameter, updates)
        return (parameter, state), parameter

    initial = (start, optimizer.init(start))
    _, path = jax.lax.scan(step, initial, jnp.asarray(gradients, lane.dtype))
    return np.asarray(path, np.float64)


def _carried_over(pair: Pair, lane: Lane, steps: int = 5) -> Iterator[Record]:
    """Moments moved in mid-training, and training gone on with in the other framework."""
    sides = Sides(pair, lane)
    parameters = list(sides.parameters().values())
    optimizer = torch.optim.Adam(parameters, lr=RATE)
    before, after = range(steps), range(steps, 2 * steps)
    _torch_steps(optimizer, before)
    ours = _flax_steps(sides, optimizer, after)
    halfway = [parameter.detach().clone() for parameter in parameters]
    middle = interop.adam_from_torch(sides.model, optimizer.state_dict())
    _torch_steps(optimizer, after)
    theirs = _state(sides)
    bound = adam_bound(lane, 2 * steps)
    yield Record(pair.name, 8, "torch, then Flax", lane.name, _worst(ours, theirs), bound)

    adam = interop.adam_to_torch(sides.model, middle, RATE)
    resumed = torch.optim.Adam(parameters, lr=RATE)
    resumed.load_state_dict({**adam, "state": jax.tree.map(torch.from_numpy, adam["state"])})
    with torch.no_grad():
        for parameter, value in zip(parameters, halfway, strict=True):
            parameter.copy_(value)
    _torch_steps(resumed, after)
    yield Record(pair.name, 8, "there and back", lane.name, _worst(_state(sides), theirs), 0.0)


def _state(sides: Sides) -> dict[str, np.ndarray]:
    return {name: np.array(as_numpy(p)) for name, p in sides.parameters().items()}


def _gradients(step: int, parameters: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Those of a step, which are drawn when it comes."""
    generator = torch.Generator().manual_seed(step)
    return [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]


def _torch_steps(optimizer: torch.optim.Optimizer, steps: Iterable[int]) -> None:
    (group,) = optimizer.param_groups
    for step in steps:
        gradients = _gradients(step, group["params"])
        for parameter, gradient in zip(group["params"], gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()


def _flax_steps(sides: Sides, optimizer: torch.optim.Optimizer, steps: Iterable[int]) -> Any:
    """Our parameters after steps that begin where torch's side is, as torch has them."""
    state = interop.adam_from_torch(sides.model, optimizer.state_dict())
    held, parameters = sides.net.state_dict(), sides.parameters()
    params = sides.convert(held)["params"]
    for step in steps:
        drawn = dict(zip(parameters, _gradients(step, [*parameters.values()]), strict=True))
        gradient = sides.convert({**held, **_under_every_name(sides.net, drawn)})["params"]
        params, state = sides.update(RATE, gradient, state, params)
    return sides.as_torchs({"params": params})


def _under_every_name(net: torch.nn.Module, tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Of parameters that are tied, each under all its names."""
    named = dict(net.named_parameters(remove_duplicate=False))
    by_parameter = {named[name]: tensor for name, tensor in tensors.items()}
    return {name: by_parameter[p] for name, p in named.items() if p in by_parameter}


def _worst(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> float:
    errors = [relative_error(ours[name], array) for name, array in theirs.items()]
    return float(np.max(errors, initial=0.0))  # NaN stays NaN, unlike with max

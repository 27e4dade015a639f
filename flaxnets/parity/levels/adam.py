"""Level 8: Adam."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

from flaxnets import interop
from flaxnets.parity.bounds import FLOAT64, Lane, lanes
from flaxnets.parity.pair import Pair, Sides
from flaxnets.parity.records import Record, relative_error

RATE, DECAY = 1e-2, 0.1


def adam(pair: Pair, steps: int = 1000) -> Iterator[Record]:
    """Level 8: on the same gradients, whose sizes run from 1e-8 to 100."""
    for lane in lanes():
        with lane():
            yield from _same_gradients(pair, lane, steps)
            yield from _carried_over(pair, lane)


def _same_gradients(pair: Pair, lane: Lane, steps: int) -> Iterator[Record]:
    rng = np.random.default_rng(0)
    start = rng.normal(size=60)
    sizes = 10.0 ** np.linspace(-8, 2, 60)
    gradients = rng.normal(size=(steps, 60)) * sizes
    for name, decay in (("Adam", 0.0), ("Adam with weight decay", DECAY)):
        theirs = _torch_adam(start, gradients, lane, decay)
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


def _torch_adam(start: Any, gradients: Any, lane: Lane, decay: float) -> list[np.ndarray]:
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
    parameters = list(sides.net.parameters())
    optimizer = torch.optim.Adam(parameters, lr=RATE)
    generator = torch.Generator().manual_seed(0)
    draws = [
        [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]
        for _ in range(2 * steps)
    ]
    _torch_steps(optimizer, draws[:steps])
    ours = _flax_steps(sides, optimizer, draws[steps:])
    before = [parameter.detach().clone() for parameter in parameters]
    middle = interop.adam_from_torch(sides.model, optimizer.state_dict())
    _torch_steps(optimizer, draws[steps:])
    theirs = sides.convert(sides.net.state_dict())["params"]
    bound = adam_bound(lane, 2 * steps)
    yield Record(pair.name, 8, "torch, then Flax", lane.name, _worst(ours, theirs), bound)

    adam = interop.adam_to_torch(sides.model, middle, RATE)
    resumed = torch.optim.Adam(parameters, lr=RATE)
    resumed.load_state_dict({**adam, "state": jax.tree.map(torch.from_numpy, adam["state"])})
    with torch.no_grad():
        for parameter, value in zip(parameters, before, strict=True):
            parameter.copy_(value)
    _torch_steps(resumed, draws[steps:])
    again = sides.convert(sides.net.state_dict())["params"]
    yield Record(pair.name, 8, "there and back", lane.name, _worst(again, theirs), 0.0)


def _torch_steps(optimizer: torch.optim.Optimizer, draws: Any) -> None:
    (group,) = optimizer.param_groups
    for draw in draws:
        for parameter, gradient in zip(group["params"], draw, strict=True):
            parameter.grad = gradient
        optimizer.step()


def _flax_steps(sides: Sides, optimizer: torch.optim.Optimizer, draws: Any) -> Any:
    """Our parameters after steps that begin where torch's side is."""
    state = interop.adam_from_torch(sides.model, optimizer.state_dict())
    params = sides.convert(sides.net.state_dict())["params"]
    update = jax.jit(sides.pair.adam(RATE).update)
    names = [name for name, _ in sides.net.named_parameters()]
    for draw in draws:
        of_parameters = dict(zip(names, draw, strict=True))
        gradient = sides.convert({**sides.net.state_dict(), **of_parameters})["params"]
        updates, state = update(gradient, state)
        params = optax.apply_updates(params, updates)
    return params


def _worst(ours: Any, theirs: Any) -> float:
    errors = jax.tree.leaves(jax.tree.map(relative_error, ours, theirs))
    return float(np.max(errors))  # NaN stays NaN, unlike with max

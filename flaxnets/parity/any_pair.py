"""A pair made of a network, its twin and an example."""

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import torch

from flaxnets.interop.layout import as_numpy
from flaxnets.parity.bounds import FLOAT32
from flaxnets.parity.example import as_arrays, batch_of, drawn_like
from flaxnets.parity.layouts import Inputs, channels_first
from flaxnets.parity.objective import objective
from flaxnets.parity.observe import run
from flaxnets.parity.pair import Examples, Pair
from flaxnets.parity.trees import mapped, named_leaves
from flaxnets.parity.twin import called

ALONE = 4  # examples where there is one: a norm takes no statistics of one


def any_pair(
    net: torch.nn.Module,
    model: nn.Module,
    example: Any,
    *,
    loss: Any = None,
    make: Callable[[], torch.nn.Module] | None = None,
    **fields: Any,
) -> Pair:
    """What ``check`` compares: a network with its weights, and its twin.

    Args:
        net, model, example, loss: as ``check`` takes them.
        make: makes a network like it, with initial weights of its own.
        fields: of ``Pair``: ``variables``, ``to_flax``, ``from_flax``, ``inner``, ``from_torch``,
            ``to_torch``, ``own_draws``; None is none. ``to_flax`` is given what has the structure
            of the example: an array, a tuple or a dict.

    Returns:
        A pair whose inputs are drawn like the example, as many as there, and at another number, if
        torch's network takes one.

    Raises:
        TypeError, ValueError: for an example or a loss that is none; what torch's network raises
            of the example.
    """
    theirs = _Theirs(net, as_arrays(example))
    sizes = theirs.sizes()
    found = objective(loss, theirs.outputs(sizes[0]))

    def examples(n: int, seed: int = 0) -> Examples:
        rng = np.random.default_rng([seed, n])
        return theirs.inputs(n, seed), found.targets(theirs.outputs(n), rng)

    given = {name: value for name, value in fields.items() if value is not None}
    pair = Pair(
        name=type(net).__name__,
        net=make,
        model=model,
        given=net,
        torch_loss=found.torch_loss,
        loss=found.loss,
        examples=examples,
        drawn=lambda step: examples(sizes[0], step),
        batch=sizes[0],
        other=sizes[1],
        prints=False,
        **given,
    )
    if "from_flax" in given:
        return pair
    return dataclasses.replace(pair, from_flax=_by_shape(pair, theirs.outputs(pair.batch)))


class _Theirs:
    """What torch's network is given and gives, in float64."""

    def __init__(self, net: torch.nn.Module, example: Inputs) -> None:
        self.net = copy.deepcopy(net).to("cpu", torch.float64).eval()
        self.example = example
        self._outputs: dict[int, Any] = {}

    def inputs(self, n: int, seed: int = 0) -> Inputs:
        return drawn_like(self.example, n, seed)

    def outputs(self, n: int) -> Any:
        """Of so many inputs, in evaluation, as NumPy's arrays."""
        if n not in self._outputs:
            inputs = jax.tree.map(torch.tensor, self.inputs(n))
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                found = run(self.net, inputs)
            self._outputs[n] = mapped(lambda _, tensor: np.array(as_numpy(tensor)), found)
        return self._outputs[n]

    def sizes(self) -> tuple[int, int | None]:
        """How many examples the levels look at, and another number, if there is one."""
        n = batch_of(self.example)
        self.outputs(n)
        other = ALONE if n == 1 else n + 1
        if not self._takes(other):
            return n, None
        return (other, n) if n == 1 else (n, other)

    def _takes(self, n: int) -> bool:
        try:
            self.outputs(n)
        except Exception:  # whatever its author's code raises
            return False
        return True


def _by_shape(pair: Pair, theirs: Any) -> Callable[[Any], Any]:
    """The twin's outputs in torch's layout: channels first where that has torch's shape."""
    shapes = {name: leaf.shape for name, leaf in named_leaves("output", theirs).items()}
    try:
        ours = _twins_outputs(pair)
    except Exception:  # the levels say so
        ours = {}
    ways = {name: _way(leaf, shapes.get(name)) for name, leaf in ours.items()}
    return lambda outputs: mapped(lambda n, array: ways.get(n, channels_first)(array), outputs)


def _twins_outputs(pair: Pair) -> dict[str, Any]:
    with FLOAT32():
        variables = pair.variables or pair.from_torch(pair.model, pair.network().state_dict())
        inputs = jax.tree.map(jax.numpy.asarray, pair.examples(pair.batch)[0])
        found = jax.eval_shape(
            lambda v, x: called(pair.model, v, pair.to_flax(x), False), dict(variables), inputs
        )
    return named_leaves("output", found)


def _way(ours: Any, theirs: tuple[int, ...] | None) -> Callable[[Any], Any]:
    n = len(ours.shape)
    moved = (0, n - 1, *range(1, n - 1))
    fits = n > 2 and tuple(ours.shape[axis] for axis in moved) == theirs
    if fits and (n == 4 or ours.shape != theirs):
        return lambda array: array.transpose(moved)
    return lambda array: array

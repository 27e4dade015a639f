"""What a network costs: operations and memory, by XLA's own analysis of its programs.

Operations are counted in the program as it is lowered, before the compiler rearranges it, and with
convolutions as ``lax.conv``: XLA counts the body of a loop once, however often it runs. Memory is
that of the compiled program as it really runs on this machine.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from flaxnets.layers.base import Module
from flaxnets.switch import switched
from flaxnets.training.batches import Batch
from flaxnets.training.call import apply, own_loss
from flaxnets.training.state import initial_state
from flaxnets.training.step import train_step


class LayerCost(NamedTuple):
    """One layer. Operations are floating-point operations for the whole batch, None if unknown."""

    name: str
    output: tuple[int, ...]
    parameters: int
    forward: float | None
    training: float | None  # forward and backward


class ProgramCost(NamedTuple):
    """A whole program: its operations, and in bytes what it takes, works with, and gives."""

    operations: float | None
    arguments: int | None
    temporary: int | None
    results: int | None


class Cost(NamedTuple):
    """A network at one batch size."""

    layers: list[LayerCost]
    forward: ProgramCost  # in evaluation
    training: ProgramCost  # a step: forward, backward, Adam


def cost(model: Module, batch_size: int = 64) -> Cost:
    """What one of the networks of ``flaxnets.models`` costs for a batch of images.

    Nothing is run: the programs are traced, and two of them compiled.
    """
    kinds = (((28, 28), jnp.float32), ((), jnp.int32), ((), jnp.bool_))
    shapes: list[Any] = [jax.ShapeDtypeStruct((batch_size, *shape), kind) for shape, kind in kinds]
    x, batch = shapes[0], Batch(*shapes)
    variables = jax.eval_shape(model.init, jax.random.key(0), x)
    state = jax.eval_shape(initial_state, variables)

    def forward(model: nn.Module) -> jax.stages.Lowered:
        run = functools.partial(apply, model, train=False)
        return jax.jit(lambda v, x: run(v, x)).lower(variables, x)

    def training(model: nn.Module) -> jax.stages.Lowered:
        loss = own_loss(model)
        step = jax.jit(lambda rate, *of: train_step(model, loss, optax.adam(rate), *of))
        return step.lower(1e-3, state, batch, jax.random.key(0))

    return Cost(_layers(model, variables, x), _program(model, forward), _program(model, training))


def _program(model: nn.Module, lower: Callable[[nn.Module], jax.stages.Lowered]) -> ProgramCost:
    memory = lower(model).compile().memory_analysis()
    sizes = ("argument_size_in_bytes", "temp_size_in_bytes", "output_size_in_bytes")
    return ProgramCost(
        _operations(lower(_countable(model))), *(getattr(memory, size, None) for size in sizes)
    )


def _operations(lowered: jax.stages.Lowered) -> float | None:
    analysis = lowered.cost_analysis()
    if isinstance(analysis, list):  # one a device, in some versions
        analysis = analysis[0] if analysis else None
    return None if analysis is None else analysis.get("flops", 0.0)


def _countable(model: nn.Module) -> nn.Module:
    """The same with its convolutions as ``lax.conv``, which XLA can count."""
    fields = {"convolution", "implementation"} & set(model.__dataclass_fields__)
    changes: dict[str, Any] = dict.fromkeys(fields, "lax")
    return model.clone(**changes, parent=None, name=None)


def _layers(model: Module, variables: Any, x: Any) -> list[LayerCost]:
    """The layers in the order in which they are called."""
    calls: dict[str, tuple[Any, Any, Any]] = {}

    def record(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        outputs = call(*args, **kwargs)
        layer = context.module
        if context.method_name == "__call__" and not layer.named_children():
            calls[".".join(layer.path)] = (_countable(layer), args[0], outputs)
        return outputs

    with nn.intercept_methods(record):
        jax.eval_shape(functools.partial(apply, model, train=False), variables, x)
    layers: list[LayerCost] = []
    for name, call in calls.items():
        inner = any(layer.parameters for layer in layers)
        layers.append(_layer(name, *call, inner))
    return layers


def _layer(name: str, layer: Any, x: Any, outputs: Any, inner: bool) -> LayerCost:
    """``inner``: parameters come before it, so that training needs the gradient of its input."""
    x = jax.ShapeDtypeStruct(x.shape, x.dtype)
    variables = jax.eval_shape(layer.init, jax.random.key(0), x)
    key = {"dropout": jax.random.key(0)}

    def forward(variables: Any, x: Any) -> Any:
        return layer.apply(variables, x, **switched(type(layer).__call__, False))

    def backward(variables: Any, x: Any, gradient: Any) -> Any:
        run = functools.partial(layer.apply, rngs=key, **switched(type(layer).__call__, True))
        if inner:
            outputs, pull = jax.vjp(run, variables, x)
        else:
            outputs, pull = jax.vjp(lambda variables: run(variables, x), variables)
        return outputs, pull(gradient)

    sizes = [math.prod(leaf.shape) for leaf in jax.tree.leaves(variables.get("params", {}))]
    return LayerCost(
        name,
        outputs.shape,
        sum(sizes),
        _operations(jax.jit(forward).lower(variables, x)),
        _operations(jax.jit(backward).lower(variables, x, outputs)),
    )

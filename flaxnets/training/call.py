"""A model called as training and evaluation call it."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import flax
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from flaxnets.switch import SWITCHES, switched
from flaxnets.training.batches import Batch

Variables = Mapping[str, Any]
Loss = Callable[[jax.Array, jax.Array], jax.Array]
FIXED = ("params", "buffers", "masks")  # collections that a call in training does not change


def apply(
    model: nn.Module,
    variables: Variables,
    images: jax.Array,
    train: bool,
    rngs: Any = None,
    mutable: Any = False,
) -> Any:
    """``model.apply`` on normalised images, in training or evaluation as the model is told so."""
    model, switch = mode(model, train)
    return model.apply(variables, normalise(images), rngs=rngs, mutable=mutable, **switch)


def apply_in_training(
    model: nn.Module, variables: Variables, images: jax.Array, rngs: Any
) -> tuple[Any, dict[str, Any]]:
    """The outputs in training, and the collections of statistics that the call has changed."""
    if mutable := statistics(variables):
        outputs, changed = apply(model, variables, images, True, rngs, mutable)
        return outputs, dict(changed)
    return apply(model, variables, images, True, rngs), {}


@functools.partial(jax.jit, static_argnames="model")
def init(model: nn.Module, key: jax.Array, images: jax.Array) -> Variables:
    """The variables of a seed."""
    model, switch = mode(model, False)
    return dict(flax.core.unfreeze(model.init(key, normalise(images), **switch)))


def mode(model: nn.Module, train: bool) -> tuple[nn.Module, dict[str, Any]]:
    """The model and the arguments by which it trains or not: its call's switch, or its field's."""
    if arguments := switched(type(model).__call__, train):
        return model, arguments
    # use_running_average among the fields is a setting of its author, as of a frozen network
    names = {field.name for field in dataclasses.fields(model)} - {"use_running_average"}
    values: dict[str, Any] = {n: SWITCHES[n] == train for n in SWITCHES if n in names}
    return (model.clone(**values) if values else model), {}


def normalise(images: jax.Array) -> jax.Array:
    """uint8 -> float32 in [0, 1], bit for bit as torchvision's ToTensor; others as they are."""
    if images.dtype != jnp.uint8:
        return images
    # A table, since XLA makes of a division by 255 a product with its inverse: half of the levels
    # would differ from torchvision's ToTensor in their last bit.
    levels = np.arange(256, dtype=np.float32) / np.float32(255)
    return jnp.asarray(levels)[images]


def statistics(variables: Variables) -> list[str]:
    """The collections that training changes beside the parameters, as ``batch_stats``."""
    return [name for name in variables if name not in FIXED]


def mixing(model: nn.Module, variables: Variables, images: Any) -> list[str]:
    """The layers that take statistics of each batch in evaluation too, which they do not keep."""
    leaves, structure = jax.tree.flatten((variables, images))
    kinds = (jax.ShapeDtypeStruct(np.shape(leaf), jnp.result_type(leaf)) for leaf in leaves)
    return [*_mixing(model, structure, tuple(kinds))]


@functools.lru_cache(256)  # a trace, at each call of predict, would be a third of its time
def _mixing(model: nn.Module, structure: Any, kinds: Any) -> tuple[str, ...]:
    found: dict[str, None] = {}

    def look(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        if getattr(context.module, "mixes_batch", False):
            found[".".join(context.module.path) or type(context.module).__name__] = None
        return call(*args, **kwargs)

    with nn.intercept_methods(look):
        jax.eval_shape(lambda v, x: apply(model, v, x, False), *structure.unflatten(kinds))
    return (*found,)


def sum_losses(losses: jax.Array, batch: Batch) -> jax.Array:
    """A scalar in single precision at least: 64 losses do not add up in bfloat16's eight bits."""
    dtype = jnp.promote_types(losses.dtype, jnp.float32)
    return jnp.sum(losses.astype(dtype) * batch.weights)


def are_classes(labels: Any, outputs: Any) -> bool:
    """Whether labels name positions along the last axis of outputs."""
    if not hasattr(outputs, "shape"):  # a tuple of several, or a dict
        return False
    whole = jnp.issubdtype(labels.dtype, jnp.integer)
    return whole and outputs.shape[:-1] == labels.shape and outputs.shape[-1] > 1


def own_loss(model: nn.Module) -> Loss:
    """The loss that a model brings along, as those of ``flaxnets.models`` do."""
    if not hasattr(model, "loss"):
        raise ValueError(f"{type(model).__name__} has no loss of its own: give one as loss=...")
    loss: Loss = model.loss
    return loss

"""Outputs, loss and accuracy of a model on any number of images.

Images are as they are stored, uint8 or floating, and are normalised on the device.
"""

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

Variables = dict[str, Any]
Loss = Callable[[jax.Array, jax.Array], jax.Array]


class Examples(NamedTuple):
    """A split on the device: images (N, ...) as they are stored, labels (N,)."""

    images: jax.Array
    labels: jax.Array


def predict(
    model: nn.Module, variables: Variables, images: Any, batch_size: int = 1000
) -> jax.Array:
    """The model's outputs in evaluation for any number of images, ``batch_size`` at a time.

    (N, ...) images, uint8 or floating as in ``fit`` -> (N, ...) outputs.
    """
    if len(images) == 0:
        raise ValueError("there are no images to predict")
    if not isinstance(images, jax.Array):  # of one image, asking jnp.asarray is a tenth of the work
        images = jnp.asarray(images)
    return _predict(model, variables, images, min(batch_size, len(images)))


def evaluate(
    model: nn.Module,
    variables: Variables,
    split: Any,
    loss: Loss | None = None,
    batch_size: int = 1000,
) -> tuple[float, float]:
    """The mean loss over all examples of a split, and the fraction classified as labelled.

    The accuracy is NaN where the labels are not classes: not whole numbers, or without an axis of
    the outputs to choose along.
    """
    images, labels = to_device(*split)
    outputs = predict(model, variables, images, batch_size)
    losses = (loss or own_loss(model))(outputs, labels)
    if not are_classes(labels, outputs):
        return float(jnp.mean(losses)), math.nan
    return float(jnp.mean(losses)), int(jnp.sum(outputs.argmax(-1) == labels)) / labels.size


@functools.partial(jax.jit, static_argnames=("model", "size"))
def _predict(model: nn.Module, variables: Variables, images: jax.Array, size: int) -> jax.Array:
    n = len(images)
    if n == size:  # the loop would cost a small batch as much as its work
        return apply(model, variables, images, False, None)
    padded = jnp.concatenate([images, images[: -n % size]])
    batches = padded.reshape(-1, size, *images.shape[1:])
    outputs = jax.lax.map(lambda batch: apply(model, variables, batch, False, None), batches)
    return outputs.reshape(-1, *outputs.shape[2:])[:n]


def apply(
    model: nn.Module, variables: Variables, images: jax.Array, train: bool, rngs: Any
) -> jax.Array:
    """``model.apply`` on normalised images, with ``train`` if the model takes it."""
    outputs = model.apply(variables, normalise(images), rngs=rngs, **mode(model, train))
    return cast(jax.Array, outputs)


def mode(model: nn.Module, train: bool) -> dict[str, Any]:
    """The argument ``train``, if the model's ``__call__`` takes it."""
    takes_train = "train" in inspect.signature(type(model).__call__).parameters
    return {"train": train} if takes_train else {}


def normalise(images: jax.Array) -> jax.Array:
    """uint8 -> float32 in [0, 1], bit for bit as torchvision's ToTensor; others as they are."""
    if images.dtype != jnp.uint8:
        return images
    # A table, since XLA makes of a division by 255 a product with its inverse: half of the levels
    # would differ from torchvision's ToTensor in their last bit.
    levels = np.arange(256, dtype=np.float32) / np.float32(255)
    return jnp.asarray(levels)[images]


def to_device(images: Any, labels: Any) -> Examples:
    """A split as device arrays. Raises ValueError if it is empty or the counts differ."""
    images, labels = jnp.asarray(images), jnp.asarray(labels)
    if len(images) == 0 or len(images) != len(labels):
        raise ValueError(f"a split has {len(images)} images and {len(labels)} labels")
    return Examples(images, labels)


def are_classes(labels: Any, outputs: Any) -> bool:
    """Whether labels name positions along the last axis of outputs."""
    whole = jnp.issubdtype(labels.dtype, jnp.integer)
    return whole and outputs.shape[:-1] == labels.shape and outputs.shape[-1] > 1


def own_loss(model: nn.Module) -> Loss:
    """The loss that a model brings along, as those of ``flaxnets.models`` do."""
    if not hasattr(model, "loss"):
        raise ValueError(f"{type(model).__name__} has no loss of its own: give one as loss=...")
    return model.loss

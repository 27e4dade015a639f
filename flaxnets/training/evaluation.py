"""Outputs, loss and accuracy of a model on any number of images.

Images are as they are stored, uint8 or floating, and are normalised on the device.
"""

import functools
import inspect
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from flaxnets.training.batches import Batch, Examples, arrange, find_mesh, place, replicate

Variables = Mapping[str, Any]
Loss = Callable[[jax.Array, jax.Array], jax.Array]


def predict(
    model: nn.Module, variables: Variables, images: Any, batch_size: int = 1000
) -> jax.Array:
    """The model's outputs in evaluation for any number of images, ``batch_size`` at a time.

    Args:
        model: a linen module. If its ``__call__`` takes ``train``, that is False.
        variables: what ``model.apply`` takes, as ``{"params": ...}``.
        images: (N, ...) in any shape that the model takes, uint8 or floating as in ``fit``.
        batch_size: images at a time; it changes no result, only memory.

    Returns:
        (N, ...), in the shape and dtype of the model's outputs: (N, num_classes) and floating from
        the networks of ``flaxnets.models``.

    Raises:
        ValueError: if there are no images, or ``batch_size`` is no whole number of at least 1.
        TypeError: if the images are no numbers.

    Images and variables that do not fit the model raise what the model raises of them.
    """
    check_batch_size(batch_size)
    if len(images) == 0:
        raise ValueError("there are no images to predict")
    if not isinstance(images, jax.Array):  # of one image, asking jnp.asarray is a tenth of the work
        images = jnp.asarray(images)
    outputs: jax.Array = _predict(model, variables, images, min(batch_size, len(images)))
    return outputs


def evaluate(
    model: nn.Module,
    variables: Variables,
    split: Sequence[Any],
    loss: Loss | None = None,
    batch_size: int = 1000,
) -> tuple[float, float]:
    """The mean loss over all examples of a split, and the fraction classified as labelled.

    Args:
        model: a linen module. If its ``__call__`` takes ``train``, that is False.
        variables: what ``model.apply`` takes, as ``{"params": ...}``.
        split: ``(images, labels)``: images (N, ...), uint8 or floating as in ``fit``; labels (N,)
            of an integer dtype, or whatever shape (N, ...) and dtype the loss takes.
        loss: maps outputs and labels of a batch to one loss an example, (N,). By default the
            model's own.
        batch_size: examples at a time; it changes memory, and the loss by rounding alone.

    Returns:
        The loss and the accuracy, two floats. The accuracy is NaN where the labels are not classes:
        not whole numbers, or without an axis of the outputs to choose along.

    Raises:
        TypeError: for images or labels that are no numbers, or a loss that does not take them.
        ValueError: for a split that is no pair, counts that differ or are 0, labels out of range,
            a model without a loss of its own, a loss that does not give one value an example, or
            ``batch_size`` below 1.
    """
    check_batch_size(batch_size)
    mesh, loss = find_mesh(), loss or own_loss(model)
    examples, variables = place(split, mesh), replicate(variables, mesh)
    check(model, loss, variables, examples)
    order = np.arange(n := len(examples.labels))
    batches = arrange(examples, order, min(batch_size, n), mesh)
    return evaluate_batches(model, loss, variables, batches, n)


def evaluate_batches(
    model: nn.Module, loss: Loss, variables: Variables, batches: Batch, n: int
) -> tuple[float, float]:
    """As ``evaluate``, of ``n`` examples that are arranged already."""
    losses, right = (np.asarray(sums, float) for sums in _sums(model, loss, variables, batches))
    labels = n * math.prod(batches.labels.shape[2:])
    return losses.sum() / n, right.sum() / labels


@functools.partial(jax.jit, static_argnames=("model", "loss"))
def _sums(
    model: nn.Module, loss: Loss, variables: Variables, batches: Batch
) -> tuple[jax.Array, jax.Array]:
    """(batches,): the sum of each batch's losses, and how many labels it has right."""

    def of_batch(batch: Batch) -> tuple[jax.Array, jax.Array]:
        outputs = apply(model, variables, batch.images, False, None)
        losses = loss(outputs, batch.labels)
        if not are_classes(batch.labels, outputs):
            return sum_losses(losses, batch), jnp.asarray(jnp.nan)
        right = jnp.sum(outputs.argmax(-1) == batch.labels, axis=tuple(range(1, batch.labels.ndim)))
        return sum_losses(losses, batch), jnp.sum(right * batch.weights)

    sums: tuple[jax.Array, jax.Array] = jax.lax.map(of_batch, batches)
    return sums


def sum_losses(losses: jax.Array, batch: Batch) -> jax.Array:
    """A scalar in single precision at least: 64 losses do not add up in bfloat16's eight bits."""
    dtype = jnp.promote_types(losses.dtype, jnp.float32)
    return jnp.sum(losses.astype(dtype) * batch.weights)


@functools.partial(jax.jit, static_argnames=("model", "size"))
def _predict(model: nn.Module, variables: Variables, images: jax.Array, size: int) -> jax.Array:
    n = len(images)
    if n == size:  # the loop would cost a small batch as much as its work
        return apply(model, variables, images, False, None)
    padded = jnp.concatenate([images, images[: -n % size]])
    batches = padded.reshape(-1, size, *images.shape[1:])
    outputs: jax.Array = jax.lax.map(
        lambda batch: apply(model, variables, batch, False, None), batches
    )
    return outputs.reshape(-1, *outputs.shape[2:])[:n]


def apply(
    model: nn.Module, variables: Variables, images: jax.Array, train: bool, rngs: Any
) -> jax.Array:
    """``model.apply`` on normalised images, with ``train`` if the model takes it."""
    outputs = model.apply(variables, normalise(images), rngs=rngs, **mode(model, train))
    return cast(jax.Array, outputs)  # a tuple only if some collections are mutable


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


def are_classes(labels: Any, outputs: Any) -> bool:
    """Whether labels name positions along the last axis of outputs."""
    whole = jnp.issubdtype(labels.dtype, jnp.integer)
    return whole and outputs.shape[:-1] == labels.shape and outputs.shape[-1] > 1


def check_batch_size(size: Any) -> None:
    """Raise ValueError unless it is a whole number of at least 1."""
    if not isinstance(size, numbers.Integral) or size < 1:
        raise ValueError(f"batch_size must be a whole number of at least 1, got {size!r}")


def check(model: nn.Module, loss: Loss, variables: Variables, examples: Examples) -> None:
    """Raise TypeError or ValueError for what would go wrong without a word, or deep inside."""
    images, labels = examples
    outputs = jax.eval_shape(lambda x: apply(model, variables, x, False, None), images)
    try:
        losses = jax.eval_shape(loss, outputs, labels)
    except (TypeError, ValueError, AssertionError) as error:
        raise TypeError(f"the loss does not take labels of {labels.dtype} {labels.shape} "
                        f"and outputs of {outputs.dtype} {outputs.shape}") from error  # fmt: skip
    if losses.shape != labels.shape[:1]:
        raise ValueError(
            f"loss must give one value an example, {labels.shape[:1]}; got {losses.shape}"
        )
    own = loss == getattr(model, "loss", None)  # another may have a use for other labels
    if own and are_classes(labels, outputs):
        low, high, classes = labels.min(), labels.max(), outputs.shape[-1]
        if low < 0 or high >= classes:
            raise ValueError(
                f"labels run from {low} to {high}, but the model has {classes} outputs"
            )


def own_loss(model: nn.Module) -> Loss:
    """The loss that a model brings along, as those of ``flaxnets.models`` do."""
    if not hasattr(model, "loss"):
        raise ValueError(f"{type(model).__name__} has no loss of its own: give one as loss=...")
    loss: Loss = model.loss
    return loss

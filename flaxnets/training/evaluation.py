"""Outputs, loss and accuracy of a model on any number of images.

Images are as they are stored, uint8 or floating, and are normalised on the device.
"""

import functools
import math
import numbers
from collections.abc import Sequence
from typing import Any, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from flaxnets.training.batches import Batch, arrange, find_mesh, place, replicate
from flaxnets.training.call import Loss, Variables, apply, are_classes, own_loss, sum_losses
from flaxnets.training.checks import check, check_evaluation


def predict(
    model: nn.Module, variables: Variables, images: Any, batch_size: int = 1000
) -> jax.Array:
    """The model's outputs in evaluation for any number of images, ``batch_size`` at a time.

    Args:
        model: a linen module, which is told that it does not train as in ``fit``.
        variables: what ``model.apply`` takes, as ``{"params": ...}``; running statistics are used.
        images: (N, ...) in any shape that the model takes, uint8 or floating as in ``fit``.
        batch_size: images at a time; it changes no result, only memory.

    Returns:
        (N, ...), in the shape and dtype of the model's outputs: (N, num_classes) and floating from
        the networks of ``flaxnets.models``.

    Raises:
        ValueError: if there are no images, or ``batch_size`` is no whole number of at least 1, or
            does not divide the images, if a layer takes statistics of each batch in evaluation too.
        TypeError: if the images are no numbers.

    Images and variables that do not fit the model raise what the model raises of them.
    """
    check_batch_size(batch_size)
    if len(images) == 0:
        raise ValueError("there are no images to predict")
    if not isinstance(images, jax.Array):  # of one image, asking jnp.asarray is a tenth of the work
        images = jnp.asarray(images)
    size = min(batch_size, len(images))
    check_evaluation(model, variables, images, size, 1, "batch_size")
    outputs: jax.Array = _predict(model, variables, images, size)
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
        model: a linen module, which is told that it does not train as in ``fit``.
        variables: what ``model.apply`` takes, as ``{"params": ...}``; running statistics are used.
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
            a model without a loss of its own, a loss that does not give one value an example,
            ``batch_size`` below 1, or one that does not divide the examples, if a layer takes
            statistics of each batch in evaluation too.
    """
    check_batch_size(batch_size)
    mesh, loss = find_mesh(), loss or own_loss(model)
    examples, variables = place(split, mesh), replicate(variables, mesh)
    check(model, loss, variables, examples)
    order = np.arange(n := len(examples.labels))
    size = min(batch_size, n)
    check_evaluation(model, variables, examples.images, size, mesh.size, "batch_size")
    batches = arrange(examples, order, size, mesh)
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
        outputs = apply(model, variables, batch.images, False)
        losses = loss(outputs, batch.labels)
        if not are_classes(batch.labels, outputs):
            return sum_losses(losses, batch), jnp.asarray(jnp.nan)
        right = jnp.sum(outputs.argmax(-1) == batch.labels, axis=tuple(range(1, batch.labels.ndim)))
        return sum_losses(losses, batch), jnp.sum(right * batch.weights)

    sums: tuple[jax.Array, jax.Array] = jax.lax.map(of_batch, batches)
    return sums


@functools.partial(jax.jit, static_argnames=("model", "size"))
def _predict(model: nn.Module, variables: Variables, images: jax.Array, size: int) -> jax.Array:
    n = len(images)
    if n == size:  # the loop would cost a small batch as much as its work
        return cast(jax.Array, apply(model, variables, images, False))
    padded = jnp.concatenate([images, images[: -n % size]])
    batches = padded.reshape(-1, size, *images.shape[1:])
    outputs = jax.lax.map(lambda batch: apply(model, variables, batch, False), batches)
    whole: jax.Array = jax.tree.map(lambda out: out.reshape(-1, *out.shape[2:])[:n], outputs)
    return whole


def check_batch_size(size: Any) -> None:
    """Raise ValueError unless it is a whole number of at least 1."""
    if not isinstance(size, numbers.Integral) or size < 1:
        raise ValueError(f"batch_size must be a whole number of at least 1, got {size!r}")

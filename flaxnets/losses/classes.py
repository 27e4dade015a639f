"""Losses of classes, which lie on the last axis."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from flaxnets.losses.arguments import (
    alike,
    at_least_single,
    check_floating,
    check_reduction,
    known_of,
    reduced,
)


def cross_entropy(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> jax.Array:
    """``torch.nn.functional.cross_entropy``: -log softmax(input) of the class that is wanted.

    Args:
        input: logits, (..., C), of any floating dtype: classes last, where torch has (N, C, ...).
        target: the classes, (...,) of an integer dtype; or their probabilities, (..., C), floating.
        weight: (C,), a factor of each class. The mean is divided by the sum of those of the
            targets; of probabilities, as in torch, by the number of places.
        ignore_index: the class whose places count for nothing.
        reduction: ``"mean"``, ``"sum"``, or ``"none"``.
        label_smoothing: how much of each target is shared out evenly over all classes, 0 to 1.

    Returns:
        A scalar, or with ``"none"`` the shape (...,) of the places, of the dtype of ``input``, of
        probabilities that of both together. NaN is the mean of no places. A class that is out of
        range makes it NaN where it cannot be raised, in an array that is traced as by ``jax.jit``.

    Raises:
        ValueError: for shapes that do not fit, an unknown reduction, ``label_smoothing`` out of
            range, ``ignore_index`` beside probabilities, and for a class that is out of range.
        TypeError: for other dtypes.
    """
    check_reduction("cross_entropy", reduction)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing must be in 0 to 1, got {label_smoothing}")
    x, y = jnp.asarray(input), jnp.asarray(target)
    _check_classes("cross_entropy", x)
    if x.ndim and x.shape == y.shape:
        if ignore_index >= 0:
            raise ValueError(
                f"cross_entropy: ignore_index {ignore_index} is of targets that are classes, not "
                "probabilities: give their places a target of zeros"
            )
        return _of_probabilities(x, y, weight, reduction, label_smoothing)
    places = _places("cross_entropy", x, y, weight, ignore_index)
    logs = jax.nn.log_softmax(places.scores)
    losses = (1 - label_smoothing) * places.losses(logs)
    if label_smoothing:
        every = -jnp.sum(logs * _spread(places.weights, logs), axis=-1)
        losses += label_smoothing / x.shape[-1] * jnp.where(places.kept, every, 0)
    return reduced(losses, reduction, places.factors).astype(x.dtype)


def _of_probabilities(
    x: jax.Array, y: jax.Array, weight: ArrayLike | None, reduction: str, label_smoothing: float
) -> jax.Array:
    x, y, dtype = alike("cross_entropy", x, y)
    logs = jax.nn.log_softmax(x) * _spread(_class_weights("cross_entropy", weight, x), x)
    smooth = (1 - label_smoothing) * y + label_smoothing / x.shape[-1]
    return reduced(-jnp.sum(logs * smooth, axis=-1), reduction).astype(dtype)


def nll_loss(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> jax.Array:
    """``torch.nn.functional.nll_loss``: -input of the class that is wanted.

    Args:
        input: log-probabilities, (..., C), of any floating dtype: classes last, where torch has
            (N, C, ...).
        target: the classes, (...,) of an integer dtype.
        weight: (C,), a factor of each class. The mean is divided by the sum of those of the
            targets.
        ignore_index: the class whose places count for nothing.
        reduction: ``"mean"``, ``"sum"``, or ``"none"``.

    Returns:
        A scalar, or with ``"none"`` the shape (...,) of the places, of the dtype of ``input``. NaN
        as in ``cross_entropy``.

    Raises:
        ValueError: for shapes that do not fit, an unknown reduction, and a class out of range.
        TypeError: for other dtypes.
    """
    check_reduction("nll_loss", reduction)
    x = jnp.asarray(input)
    _check_classes("nll_loss", x)
    places = _places("nll_loss", x, jnp.asarray(target), weight, ignore_index)
    losses = places.losses(places.scores)
    return reduced(losses, reduction, places.factors).astype(x.dtype)


def _check_classes(name: str, x: jax.Array) -> None:
    if x.shape[-1:] == (0,):
        raise ValueError(f"{name}: input must have one class at least, got {x.shape}")


class _Places(NamedTuple):
    """What stands at each place: its scores, 0 where it is ignored, its class, what it counts."""

    scores: jax.Array
    classes: jax.Array
    kept: jax.Array
    weights: jax.Array  # of the classes
    factors: jax.Array  # of the places

    def losses(self, logs: jax.Array) -> jax.Array:
        picked = jnp.take_along_axis(logs, self.classes[..., None], axis=-1)[..., 0]
        return jnp.where(self.kept, -picked * self.factors, 0)


def _places(
    name: str, x: jax.Array, y: jax.Array, weight: ArrayLike | None, ignore_index: int
) -> _Places:
    check_floating(name, "input", x)
    if not x.ndim or x.shape[:-1] != y.shape:
        raise ValueError(
            f"{name}: target {y.shape} must be shaped as input {x.shape} without its last axis, "
            "that of the classes"
        )
    if not jnp.issubdtype(y.dtype, jnp.integer):
        raise TypeError(f"{name}: target must be classes, integers, got {y.dtype}")
    y, n = y.astype(int), x.shape[-1]
    x = x.astype(at_least_single(x.dtype))
    kept = y != ignore_index
    is_class = (y >= 0) & (y < n)
    weights, known = _class_weights(name, weight, x), known_of(is_class | ~kept)
    if known is False:
        wrong = y[~is_class & kept].ravel()[0]
        raise ValueError(f"{name}: target {wrong} is out of bounds: classes are 0 to {n - 1}")
    classes = jnp.where(is_class, y, 0)
    factors = jnp.where(kept, weights[classes], 0)
    if known is None:
        factors = jnp.where(is_class | ~kept, factors, jnp.nan)
    return _Places(jnp.where(kept[..., None], x, 0), classes, kept, weights, factors)


def _class_weights(name: str, weight: ArrayLike | None, x: jax.Array) -> jax.Array:
    array: jax.Array = jnp.ones(x.shape[-1:]) if weight is None else jnp.asarray(weight)
    if array.shape != x.shape[-1:]:
        raise ValueError(
            f"{name}: weight must be shaped {x.shape[-1:]}, one for each class, got {array.shape}"
        )
    return array.astype(x.dtype)


def _spread(weights: jax.Array, x: jax.Array) -> jax.Array:
    return jnp.broadcast_to(weights, x.shape)

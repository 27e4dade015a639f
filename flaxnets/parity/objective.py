"""The loss that a pair is compared by, on both sides, and targets for it."""

import contextlib
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import torch
import torch.nn.functional as F

from flaxnets import losses
from flaxnets.parity.trees import along, mapped, named_leaves

OF_CLASSES = ("cross_entropy", "nll_loss")  # whose classes lie on axis 1 in torch, last here
Targets = Callable[[Any, np.random.Generator], Any]
"""Of a network's outputs, a tree of NumPy's arrays, and what draws -> what a loss takes beside."""


class Objective(NamedTuple):
    """A loss, and what it is called."""

    name: str
    torch_loss: Callable[[Any, Any], torch.Tensor]
    loss: Callable[[Any, Any], Any] | None  # None if there is none but torch's
    targets: Targets


def objective(loss: Any, outputs: Any) -> Objective:
    """What ``check`` is told as ``loss``, for outputs like these.

    Raises:
        ValueError: for a name that torch has not, and for outputs that it does not take.
    """
    if loss is None:
        return Objective("outputs along fixed normals", along, along, _normals)
    if isinstance(loss, str):
        return _checked(_of_name(loss), outputs)
    theirs, ours = loss if isinstance(loss, tuple) else (loss, None)
    name = getattr(theirs, "__name__", type(theirs).__name__)
    try:
        return _checked(Objective(name, theirs, ours, _like_outputs), outputs)
    except ValueError as refusal:
        with contextlib.suppress(ValueError):
            return _checked(Objective(name, theirs, ours, _classes), outputs)
        raise refusal


def _of_name(name: str) -> Objective:
    theirs = getattr(F, name, None)
    if theirs is None or not name.endswith(("_loss", "_entropy", "_div", "_with_logits")):
        raise ValueError(f"loss {name!r}: torch.nn.functional has no such loss")
    ours = getattr(losses, name, None)
    if name in OF_CLASSES:
        return Objective(name, theirs, functools.partial(_classes_last, ours), _classes)
    return Objective(name, theirs, ours, TARGETS.get(name, _like_outputs))


def _checked(objective: Objective, outputs: Any) -> Objective:
    """Raises ValueError if torch's loss does not take such outputs."""
    targets = objective.targets(outputs, np.random.default_rng(0))
    try:
        value = objective.torch_loss(_tensors(outputs), _tensors(targets))
    except Exception as error:
        raise ValueError(f"loss {objective.name} does not take the outputs: {error}") from error
    if not isinstance(value, torch.Tensor) or value.ndim:
        raise ValueError(f"loss {objective.name} must give one number, a tensor without axes")
    return objective


def _classes_last(loss: Any, outputs: Any, targets: Any) -> Any:
    return loss(jnp.moveaxis(outputs, 1, -1), targets)


def _tensors(tree: Any) -> Any:
    return mapped(lambda _, array: torch.tensor(array), tree)


def _normals(outputs: Any, rng: np.random.Generator) -> dict[str, np.ndarray]:
    leaves = named_leaves("output", outputs).items()
    return {n: rng.normal(size=leaf.shape) for n, leaf in leaves if leaf.dtype.kind == "f"}


def _first(outputs: Any) -> np.ndarray:
    leaves = [leaf for leaf in named_leaves("output", outputs).values() if leaf.dtype.kind == "f"]
    if not leaves:
        raise ValueError("a loss needs outputs in floating point")
    first: np.ndarray = leaves[0]
    return first


def _classes(outputs: Any, rng: np.random.Generator) -> np.ndarray:
    scores = _first(outputs)
    if scores.ndim < 2:
        raise ValueError(f"a loss of classes needs outputs (N, C, ...), got {scores.shape}")
    return rng.integers(0, scores.shape[1], (len(scores), *scores.shape[2:]))


def _like_outputs(outputs: Any, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=_first(outputs).shape)


def _uniform(outputs: Any, rng: np.random.Generator) -> np.ndarray:
    return rng.random(_first(outputs).shape)


def _signs(outputs: Any, rng: np.random.Generator) -> np.ndarray:
    return np.where(_like_outputs(outputs, rng) < 0, -1.0, 1.0)


TARGETS: dict[str, Targets] = {
    "binary_cross_entropy": _uniform,
    "binary_cross_entropy_with_logits": _uniform,
    "kl_div": _uniform,
    "poisson_nll_loss": _uniform,
    "multilabel_soft_margin_loss": _uniform,
    "soft_margin_loss": _signs,
    "hinge_embedding_loss": _signs,
    "multi_margin_loss": _classes,
}
"""Of torch's losses that do not take any floats of the outputs' shape."""

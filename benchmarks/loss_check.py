"""A loss beside torch's: values and gradients, and by how much they differ."""

import warnings
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from draws.losses import Loss
from layer_check import BOUND, SINGLE
from layer_sides import Finding, error_of

from flaxnets import losses


def check_loss(name: str, draw: Loss) -> None:
    """Raise AssertionError naming each comparison in which the loss is not torch's."""
    failed = [found for found in compared(name, draw) if not found.passed]
    assert not failed, f"{name} with {draw}: " + "; ".join(
        f"{found.name} is {found.error:.2g} off" for found in failed
    )


def compared(name: str, draw: Loss) -> Iterator[Finding]:
    """The value, as it is and compiled, and the gradients of what is floating."""
    with jax.enable_x64(True):
        once = getattr(losses, name)(draw.input, draw.target, **draw.arguments)
        found = list(_both(name, draw, BOUND))
    yield Finding("value", error_of(once, _torchs(name, draw)[0]), BOUND)
    yield from found
    for finding in _both(name, _in_single(draw), SINGLE):
        yield finding._replace(name=f"float32: {finding.name}")


def _both(name: str, draw: Loss, bound: float) -> Iterator[Finding]:
    (compiled, ours), (value, theirs) = _ours(name, draw), _torchs(name, draw)
    error = error_of(compiled, value) if compiled.dtype == value.dtype else float("inf")
    yield Finding("compiled value", error, bound)
    for what, a, b in zip(("input", "target"), ours, theirs, strict=False):
        if (name, what) == ("kl_div", "target") and not draw.arguments["log_target"]:
            b = np.where(draw.target == 0, a, b)  # NaN: see there
        yield Finding(f"gradient of {what}", error_of(a, b, each=True), bound)


def _in_single(draw: Loss) -> Loss:
    def single(value: Any) -> Any:
        is_floating = isinstance(value, np.ndarray) and value.dtype.kind == "f"
        return value.astype(np.float32) if is_floating else value

    arguments = {key: single(value) for key, value in draw.arguments.items()}
    return Loss(arguments, single(draw.input), single(draw.target), draw.has_classes)


def _cotangent(draw: Loss) -> np.ndarray:
    drawn = np.random.default_rng(0).normal(size=draw.input.shape)
    return np.asarray(drawn, draw.input.dtype)


def _ours(name: str, draw: Loss) -> tuple[Any, Any]:
    def objective(*arrays: Any) -> Any:
        found = getattr(losses, name)(*arrays, **options)
        return jnp.sum(found * _cut(_cotangent(draw), found.shape)), found

    options = {
        key: jnp.asarray(value) if isinstance(value, np.ndarray) else value
        for key, value in draw.arguments.items()
    }
    places = (0, 1) if draw.target.dtype.kind == "f" else (0,)
    gradient = jax.jit(jax.grad(objective, places, has_aux=True))
    slopes, found = gradient(jnp.asarray(draw.input), jnp.asarray(draw.target))
    return found, slopes


def _torchs(name: str, draw: Loss) -> tuple[Any, Any]:
    options = {
        key: torch.tensor(value) if isinstance(value, np.ndarray) else value
        for key, value in draw.arguments.items()
    }
    given = [torch.tensor(draw.input), torch.tensor(draw.target)]
    floats = [each.requires_grad_() for each in given if each.is_floating_point()]
    if draw.has_classes:
        given = [
            each.movedim(-1, 1).contiguous() if _has(each, draw.input) else each for each in given
        ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of kl_div's mean
        found = getattr(torch.nn.functional, name)(*given, **options)
    (found * torch.tensor(_cut(_cotangent(draw), tuple(found.shape)))).sum().backward()
    return found.detach().numpy(), [each.grad.numpy() for each in floats]


def _has(tensor: torch.Tensor, input: np.ndarray) -> bool:
    """Whether it has classes, which are on an axis before the last in torch."""
    return tensor.shape == input.shape and input.ndim > 2


def _cut(cotangent: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """As many of its numbers as a loss of this shape has."""
    return cotangent.ravel()[: int(np.prod(shape))].reshape(shape)

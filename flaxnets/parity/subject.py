"""The two sides of a comparison, brought to the same weights."""

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import optax
import torch

from flaxnets import data, interop
from flaxnets.training.evaluation import Loss
from flaxnets.interop.layout import as_numpy
from flaxnets.models import MODELS, Network
from flaxnets.parity.records import Lane
from flaxnets.parity.reference import LOSSES, REFERENCES, SHAPES
from flaxnets.training.step import train_step


@dataclasses.dataclass(frozen=True)
class Subject:
    """The Flax side: what is compared with torch. A mutant is one with a mistake in it.

    Attributes:
        name: the network's, in ``MODELS`` and ``REFERENCES``.
        model: the network.
        loss: maps outputs and labels of a batch to one loss an example.
        from_torch: maps the model and a ``state_dict`` to variables.
        adam: maps a learning rate to an optimizer.
        step: the training step.
    """

    name: str
    model: Network
    loss: Loss
    from_torch: Callable[..., Any] = interop.from_torch
    adam: Callable[..., optax.GradientTransformation] = optax.adam
    step: Callable[..., Any] = train_step


def subject(name: str) -> Subject:
    """The network as it is. Raises ValueError for an unknown name."""
    if name not in MODELS:
        raise ValueError(f"unknown model {name!r}: choose from {', '.join(MODELS)}")
    return Subject(name, MODELS[name](), MODELS[name].loss)


class Pair:
    """A network of torch, and the subject with its weights, in one precision.

    To be made and used within the lane's context.
    """

    def __init__(self, subject: Subject, lane: Lane, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.subject, self.lane = subject, lane
        self.dtype = getattr(torch, np.dtype(lane.dtype).name)
        self.net = REFERENCES[subject.name]().to(self.dtype).eval()
        self.model = subject.model.clone(dtype=lane.dtype, param_dtype=lane.dtype)
        self.variables = jax.tree.map(jax.numpy.asarray, self.convert(self.net.state_dict()))
        self.apply: Callable[..., jax.Array] = jax.jit(self.model.apply, static_argnames="train")

    def convert(self, state_dict: Any) -> Any:
        """torch's names and layouts -> the model's variables, by the subject's way."""
        return self.subject.from_torch(self.model, state_dict)

    def torch_images(self, images: np.ndarray) -> torch.Tensor:
        """(N, 28, 28) -> what the reference takes."""
        return torch.tensor(images.reshape(SHAPES[self.subject.name]), dtype=self.dtype)

    def torch_loss(self, outputs: torch.Tensor, labels: np.ndarray) -> torch.Tensor:
        """The tutorial's loss: the mean over the batch."""
        return LOSSES[self.subject.name](outputs, torch.tensor(labels, dtype=torch.int64))


def examples(n: int) -> tuple[np.ndarray, np.ndarray]:
    """The first digits: images (n, 28, 28) float64 in [0, 1], and labels (n,)."""
    train = data.load("digits").train
    return train.images[:n] / 255, train.labels[:n]


def as_ours(tensor: torch.Tensor) -> np.ndarray:
    """torch's (N, C, H, W) as (N, H, W, C), anything else as it is."""
    array = as_numpy(tensor)
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


def record_masks(net: torch.nn.Module, run: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    """What a call of a network in training gives, and the dropout masks that torch drew for it.

    Returns:
        The result of ``run()``, and ``{"dropout1": {"keep": mask}, ...}`` in flaxnets' shapes.
    """
    states: dict[str, torch.Tensor] = {}
    masks: dict[str, Any] = {}

    def before(name: str) -> Callable[..., None]:
        def hook(*_: Any) -> None:
            states[name] = torch.get_rng_state()

        return hook

    def after(name: str) -> Callable[..., None]:
        def hook(layer: Any, inputs: Any, _: Any) -> None:
            with torch.random.fork_rng(devices=[]):
                torch.set_rng_state(states[name])  # the same draw again, where nothing is zero
                drawn = torch.nn.functional.dropout2d(torch.ones_like(inputs[0]), layer.p)
            masks[name] = {"keep": as_ours(_one_place(drawn) != 0)}

        return hook

    dropouts = {n: m for n, m in net.named_modules() if isinstance(m, torch.nn.Dropout2d)}
    hooks = [m.register_forward_pre_hook(before(n)) for n, m in dropouts.items()]
    hooks += [m.register_forward_hook(after(n)) for n, m in dropouts.items()]
    try:
        return run(), masks
    finally:
        for hook in hooks:
            hook.remove()


def _one_place(drawn: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) -> (N, C, 1, 1): a channel goes as a whole."""
    return drawn[:, :, :1, :1] if drawn.ndim == 4 else drawn


def torch_layers(net: torch.nn.Module, x: torch.Tensor) -> dict[str, np.ndarray]:
    """The output of every named layer, in our layout, and the network's as ``output``."""
    found: dict[str, np.ndarray] = {}

    def keep(name: str) -> Callable[..., None]:
        return lambda _, __, out: found.__setitem__(name, as_ours(out.detach()))

    hooks = [m.register_forward_hook(keep(n)) for n, m in net.named_modules() if n]
    try:
        found["output"] = as_ours(net(x).detach())
    finally:
        for hook in hooks:
            hook.remove()
    return found


def flax_layers(model: nn.Module, variables: Any, x: Any, **options: Any) -> dict[str, np.ndarray]:
    """The same of the Flax side, compiled as training and prediction are."""

    @jax.jit
    def run(variables: Any, x: Any) -> dict[str, jax.Array]:
        found: dict[str, Any] = {}

        def keep(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
            out = call(*args, **kwargs)
            if context.method_name == "__call__" and context.module.path:
                found[".".join(context.module.path)] = out
            return out

        with nn.intercept_methods(keep):
            found["output"] = model.apply(variables, x, **options)
        return found

    return {name: np.asarray(value) for name, value in run(variables, x).items()}

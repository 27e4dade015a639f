"""The central noun: a pair, and its two sides brought to the same weights in one precision."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import optax
import torch

from flaxnets import interop
from flaxnets.interop.layout import as_numpy
from flaxnets.parity.bounds import Lane
from flaxnets.training import train_step
from flaxnets.training.call import Loss

Examples = tuple[np.ndarray, np.ndarray]
"""Inputs in torch's layout, float64 (N, ...), and labels (N,)."""


def channels_last(array: np.ndarray) -> np.ndarray:
    """torch's (N, C, H, W) as (N, H, W, C), anything else as it is."""
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


@dataclasses.dataclass(frozen=True)
class Pair:
    """A network of torch and its twin here, and all that is needed to hold them together.

    Attributes:
        name: what reports call it.
        net: makes the network of torch, with initial weights of its own.
        model: the twin.
        torch_loss: of torch's outputs and labels, the mean over the batch.
        loss: of the twin's outputs and labels, one an example.
        shape: of one input in torch, as (C, H, W).
        examples: so many inputs and labels.
        to_flax: inputs in torch's layout -> the twin's. By default channels last.
        from_torch: maps the model and a ``state_dict`` to variables.
        adam: maps a learning rate to the twin's optimizer.
        step: the twin's training step.
        free: steps of training until rounding has grown too far to compare, if it does.

    The last four are as in ``flaxnets``, if they are not given; a mutant has them otherwise.
    """

    name: str
    net: Callable[[], torch.nn.Module]
    model: nn.Module
    torch_loss: Callable[..., torch.Tensor]
    loss: Loss
    shape: tuple[int, ...]
    examples: Callable[[int], Examples]
    to_flax: Callable[[np.ndarray], np.ndarray] = channels_last
    from_torch: Callable[..., Any] = interop.from_torch
    adam: Callable[..., optax.GradientTransformation] = optax.adam
    step: Callable[..., Any] = train_step
    free: int | None = None

    def images(self, stored: np.ndarray) -> np.ndarray:
        """Images of a dataset, uint8 (N, H, W), as inputs in torch's layout, in [0, 1]."""
        return stored.reshape(-1, *self.shape) / 255


class Sides:
    """A pair in one precision: torch's network, the twin with its weights.

    To be made and used within the lane's context.
    """

    def __init__(self, pair: Pair, lane: Lane, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.pair, self.lane = pair, lane
        self.dtype = getattr(torch, np.dtype(lane.dtype).name)
        self.net = pair.net().to(self.dtype).eval()
        dtypes = {"dtype", "param_dtype"} & {f.name for f in dataclasses.fields(pair.model)}
        self.model: Any = pair.model.clone(**dict.fromkeys(dtypes, lane.dtype))
        self.variables = jax.tree.map(jax.numpy.asarray, self.convert(self.net.state_dict()))
        self.apply: Callable[..., jax.Array] = jax.jit(self.model.apply, static_argnames="train")

    def convert(self, state_dict: Mapping[str, Any]) -> Any:
        """torch's names and layouts -> the model's variables, by the pair's way."""
        return self.pair.from_torch(self.model, state_dict)

    def torch_inputs(self, inputs: np.ndarray) -> torch.Tensor:
        """In the precision of this side."""
        return torch.tensor(inputs, dtype=self.dtype)

    def inputs(self, inputs: np.ndarray) -> jax.Array:
        """The same for the twin."""
        return jax.numpy.asarray(self.pair.to_flax(inputs), self.lane.dtype)

    def torch_loss(self, outputs: torch.Tensor, labels: np.ndarray) -> torch.Tensor:
        """The mean over the batch."""
        return self.pair.torch_loss(outputs, torch.tensor(labels, dtype=torch.int64))


def as_ours(tensor: torch.Tensor) -> np.ndarray:
    """What torch gives, in our layout."""
    return channels_last(as_numpy(tensor))

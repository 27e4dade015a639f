"""The central noun: a pair."""

import copy
import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import optax
import torch

from flaxnets import interop
from flaxnets.parity.bounds import Lane
from flaxnets.parity.layouts import Inputs, all_channels_first, all_channels_last
from flaxnets.parity.trees import along
from flaxnets.parity.twin import Twin
from flaxnets.training import train_step

Examples = tuple[Inputs, Any]
"""Inputs in torch's layout, in float64 where they are floating, and what the loss takes beside the
outputs: labels (N,), or any tree of arrays."""


@dataclasses.dataclass(frozen=True)
class Pair:
    """A network of torch and its twin here, and all that is needed to hold them together.

    Attributes:
        name: what reports call it.
        net: makes the network of torch, with initial weights of its own; None if nobody can.
        model: the twin.
        torch_loss: of torch's outputs and labels, the mean over the batch.
        loss: of the twin's outputs, in torch's layout, and labels: one an example, or their mean.
            None if there is none but torch's, which then says by which gradient of the outputs the
            twin goes on.
        shape: of one input in torch, as (C, H, W), for what is trained on a dataset.
        examples: so many inputs and labels.
        to_flax: inputs in torch's layout -> the same tuple, dict or array for the twin, of NumPy's
            or JAX's arrays, traced ones too. By default channels last where there are four axes.
        from_flax: the twin's outputs -> the same tree in torch's layout, likewise.
        inner: the name of a module, the number of its call, from 1, and an array, or one of the
            arrays, that this call of the twin's module gives -> that in torch's layout; a
            permutation of its elements. By default whichever of torch's usual layouts fits.
        from_torch: maps the model and a ``state_dict`` to variables.
        to_torch: maps the model and variables to a ``state_dict``.
        adam: maps a learning rate to the twin's optimizer.
        step: the twin's training step, for what is trained on a dataset.
        free: steps of training until rounding has grown too far to compare, if it does.
        given: the network of torch with the weights that are compared; by default what ``net``
            makes. It is copied, never changed.
        variables: those of the twin, by default what ``from_torch`` makes of the network's.
        batch: how many examples the levels look at, but for those that count masks.
        other: another number of examples, for level 11; None if torch's network takes no other.
        drawn: of a step of training, from 0, inputs and labels; by default the same ``examples``.
        prints: whether the twin prints as torch's network does.
        own_draws: whether the twin may begin otherwise where the network's own code, and no layer
            of torch, draws what it begins with: it is named then, and fails nothing.

    Those that have a default are as in ``flaxnets``, if they are not given; a mutant has them
    otherwise.
    """

    name: str
    net: Callable[[], torch.nn.Module] | None
    model: nn.Module
    torch_loss: Callable[..., torch.Tensor]
    loss: Callable[..., jax.Array] | None
    examples: Callable[[int], Examples]
    shape: tuple[int, ...] = ()
    to_flax: Callable[[Inputs], Inputs] = all_channels_last
    from_flax: Callable[[Any], Any] = all_channels_first
    inner: Callable[[str, int, Any], Any] | None = None
    from_torch: Callable[..., Any] = interop.from_torch
    to_torch: Callable[..., Any] = interop.to_torch
    adam: Callable[..., optax.GradientTransformation] = optax.adam
    step: Callable[..., Any] = train_step
    free: int | None = None
    given: torch.nn.Module | None = None
    variables: Mapping[str, Any] | None = None
    batch: int = 32
    other: int | None = None
    drawn: Callable[[int], Examples] | None = None
    prints: bool = True
    own_draws: bool = False

    def images(self, stored: np.ndarray) -> np.ndarray:
        """Images of a dataset, uint8 (N, H, W), as inputs in torch's layout, in [0, 1]."""
        return stored.reshape(-1, *self.shape) / 255

    def network(self) -> torch.nn.Module:
        """torch's, which may be changed: a copy of what was given, or a new one."""
        if self.given is not None:
            return copy.deepcopy(self.given).to("cpu")
        if self.net is None:
            raise ValueError(f"{self.name}: a pair needs a network, or how it is made")
        return self.net()

    def twin(self, lane: Lane) -> Twin:
        """Of this precision, compiled once."""
        if lane not in self._twins:
            self._twins[lane] = self._new_twin(lane)
        return self._twins[lane]

    @functools.cached_property
    def _twins(self) -> dict[Lane, Twin]:
        return {}

    @functools.cached_property
    def update(self) -> Callable[..., tuple[Any, Any]]:
        """A step of the twin's optimizer: the rate, gradients, its state, and parameters -> these
        and the state after it. Compiled once."""

        @jax.jit
        def update(rate: Any, gradients: Any, state: Any, params: Any) -> tuple[Any, Any]:
            updates, state = self.adam(rate).update(gradients, state, params)
            return optax.apply_updates(params, updates), state

        return update

    def _new_twin(self, lane: Lane) -> Twin:
        dtypes = {"dtype", "param_dtype"} & {f.name for f in dataclasses.fields(self.model)}
        model = self.model.clone(**dict.fromkeys(dtypes, lane.dtype))
        return Twin(model, self.to_flax, self.from_flax, self.loss or along)

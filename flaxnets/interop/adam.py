"""The state of Adam to and from PyTorch, whose settings are arguments of ``optax.adam``."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import optax

from flaxnets.interop.held import parameters
from flaxnets.interop.optimizers import filled, kind_of, optimizer_to_torch

# torch's settings of an Adam that nobody has changed.
DEFAULTS = {
    "betas": (0.9, 0.999),
    "eps": 1e-8,
    "weight_decay": 0,
    "amsgrad": False,
    "maximize": False,
    "foreach": None,
    "capturable": False,
    "differentiable": False,
    "fused": None,
    "decoupled_weight_decay": False,
}


def adam_from_torch(model: nn.Module, optimizer: Mapping[str, Any]) -> optax.OptState:
    """The state of ``torch.optim.Adam`` -> that of ``optax.adam``.

    Args:
        model: the network that it belongs to, whose parameters were given to it in their order.
        optimizer: ``optimizer.state_dict()``, or what ``load_optimizer`` gives.

    Returns:
        What ``optax.adam(...).init(params)`` has, with NumPy arrays of the stored dtype, shaped as
        the parameters of ``model.init``. Settings such as the learning rate are not part of it:
        they are arguments of ``optax.adam``, and ``optimizer_from_torch`` returns that too.

    Raises:
        ValueError: for another class, settings that ``optax.adam`` does not have, as a weight
            decay, or a state that does not fit the model.
        TypeError: for a model that is not built from flaxnets' layers.
    """
    for group in optimizer["param_groups"]:
        if (kind := kind_of(group)) != "Adam":
            raise ValueError(
                f"the optimizer is {kind}: only Adam can be carried over into optax.adam; "
                "optimizer_from_torch takes AdamW and SGD too"
            )
        if decay := group["weight_decay"]:
            raise ValueError(
                f"an Adam with weight_decay={decay} cannot be carried over into optax.adam, which "
                "has none: optimizer_from_torch returns the optax that goes on as it"
            )
    return filled(model, optimizer, optax.adam(0.0))


def adam_to_torch(
    model: nn.Module, opt_state: optax.OptState, learning_rate: float = 1e-3
) -> dict[str, Any]:
    """The state of ``optax.adam`` -> that of ``torch.optim.Adam``: the inverse of the above.

    Args:
        model: the network that it belongs to.
        opt_state: a state of optax with one Adam in it, as also a chain has.
        learning_rate: for the ``param_groups``, whose other settings are torch's defaults.

    Returns:
        What ``optimizer_to_torch`` gives, NumPy arrays of the same dtypes, shaped as torch's
        parameters.

    Raises:
        ValueError: if there is no Adam in it, or more than one, or it does not fit the model.
        TypeError: for a model that is not built from flaxnets' layers.
    """
    places = list(range(len(parameters(model))))
    group = {"lr": learning_rate, **DEFAULTS, "params": places}
    return optimizer_to_torch(model, opt_state, {"param_groups": [group]})

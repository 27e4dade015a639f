"""Adam's state to and from PyTorch: moments go through the same layout rules as weights."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from flaxnets.interop.layout import from_torch, leaves, to_torch

MOMENTS = {"exp_avg": "mu", "exp_avg_sq": "nu"}  # torch's names, and optax's
# Which classes have a setting of this name in their param_groups.
OTHERS = {
    "nesterov": "SGD",
    "momentum_decay": "NAdam",
    "centered": "RMSprop",
    "rho": "Adadelta",
    "lr_decay": "Adagrad",
    "etas": "Rprop",
    "line_search_fn": "LBFGS",
}
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
        they are arguments of ``optax.adam``.

    Raises:
        ValueError: for another class, settings that optax's Adam does not have, a state that does
            not fit the model.
        TypeError: for a model that is not built from flaxnets' layers.
    """
    _check_class(optimizer["param_groups"])
    names = [leaf.name for leaf in leaves(model)]
    places = [place for group in optimizer["param_groups"] for place in group["params"]]
    if len(places) != len(names):
        raise ValueError(
            f"the optimizer has {len(places)} parameters, {type(model).__name__} {len(names)}"
        )
    states = dict(zip(names, (optimizer["state"].get(i, {}) for i in places), strict=True))
    if not any(states.values()):  # no step was taken
        shapes = {leaf.name: np.zeros(leaf.shape, np.float32) for leaf in leaves(model)}
        return optax.adam(0.0).init(from_torch(model, shapes)["params"])
    _check_states(states)
    moments = {
        ours: from_torch(model, {name: state[theirs] for name, state in states.items()})["params"]
        for theirs, ours in MOMENTS.items()
    }
    count = jnp.asarray(int(states[names[0]]["step"]), jnp.int32)
    return optax.ScaleByAdamState(count, **moments), optax.EmptyState()


def _check_class(groups: Any) -> None:
    for group in groups:
        name = next((OTHERS[key] for key in group if key in OTHERS), None)
        if name or not {"params", "amsgrad", "weight_decay"} <= group.keys():
            raise ValueError(f"the optimizer is {name or 'no Adam'}: only Adam can be carried over")
        if group["amsgrad"] or group.get("maximize"):  # which older versions of torch have not
            setting = "amsgrad" if group["amsgrad"] else "maximize"
            raise ValueError(f"an Adam with {setting}=True cannot be carried over: optax has none")
        if group.get("decoupled_weight_decay") and group["weight_decay"]:
            raise ValueError("the optimizer is AdamW: only Adam can be carried over")


def _check_states(states: Mapping[str, Any]) -> None:
    wanted = {"step", *MOMENTS}
    offences = [
        f"{name} has {', '.join(state) or 'nothing'}, expected {', '.join(sorted(wanted))}"
        for name, state in states.items()
        if set(state) != wanted
    ]
    steps = {int(state["step"]) for state in states.values() if "step" in state}
    if len(steps) > 1:
        offences.append(f"parameters are at different steps: {sorted(steps)}")
    if offences:
        raise ValueError("this is not the state of an Adam: " + "; ".join(offences))


def adam_to_torch(
    model: nn.Module, opt_state: optax.OptState, learning_rate: float = 1e-3
) -> dict[str, Any]:
    """The state of ``optax.adam`` -> that of ``torch.optim.Adam``: the inverse of the above.

    Args:
        model: the network that it belongs to.
        opt_state: a state of optax with one Adam in it, as also a chain has.
        learning_rate: for the ``param_groups``, whose other settings are torch's defaults.

    Returns:
        torch's ``{"state": ..., "param_groups": ...}`` with NumPy arrays of the same dtypes, shaped
        as torch's parameters; ``step`` is a float32 scalar. To load it::

            state = jax.tree.map(torch.from_numpy, adam["state"])
            optimizer.load_state_dict({**adam, "state": state})

    Raises:
        ValueError: if there is no Adam in it, or more than one, or it does not fit the model.
        TypeError: for a model that is not built from flaxnets' layers.
    """
    nodes = jax.tree.leaves(opt_state, is_leaf=_is_adam)
    found = [node for node in nodes if _is_adam(node)]
    if len(found) != 1:
        raise ValueError(f"the state holds {len(found)} of optax's Adam; expected one")
    moments = {
        theirs: to_torch(model, {"params": getattr(found[0], ours)})
        for theirs, ours in MOMENTS.items()
    }
    state = {
        i: {
            "step": np.asarray(found[0].count, np.float32),
            **{kind: arrays[leaf.name] for kind, arrays in moments.items()},
        }
        for i, leaf in enumerate(leaves(model))
    }
    group = {"lr": learning_rate, **DEFAULTS, "params": list(state)}
    return {"state": state, "param_groups": [group]}


def _is_adam(node: Any) -> bool:
    return isinstance(node, optax.ScaleByAdamState)

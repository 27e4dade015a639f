"""The state of optimizers to and from PyTorch: Adam, AdamW, and SGD with momentum.

What they keep of each parameter goes by the same layouts as the parameters.
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from flaxnets.interop.held import parameters
from flaxnets.interop.layout import named, placed

# What torch keeps of a parameter, and what optax calls it.
ADAM = {"exp_avg": "mu", "exp_avg_sq": "nu"}
SGD = {"momentum_buffer": "trace"}
# Which classes have a setting of this name in their param_groups.
OTHERS = {
    "momentum_decay": "NAdam",
    "centered": "RMSprop",
    "rho": "Adadelta",
    "lr_decay": "Adagrad",
    "etas": "Rprop",
    "line_search_fn": "LBFGS",
}


def optimizer_from_torch(
    model: nn.Module, optimizer: Mapping[str, Any]
) -> tuple[optax.GradientTransformation, optax.OptState]:
    """``torch.optim.Adam``, ``AdamW`` or ``SGD`` -> the optax that goes on as it would, its state.

    Args:
        model: the network that it belongs to, whose parameters were given to it in their order.
        optimizer: ``optimizer.state_dict()``, or what ``load_optimizer`` gives.

    Returns:
        The transformation with torch's settings, learning rate and weight decay among them, and
        its state, NumPy arrays of the stored dtype, shaped as the parameters of ``model.init``.

    Raises:
        ValueError: for another class, settings that optax has no twin for or that differ between
            groups of parameters, or a state that does not fit the model.
        TypeError: for a model that is not built from flaxnets' layers.
    """
    first, *others = groups = optimizer["param_groups"]
    kinds = [kind_of(group) for group in groups]
    names = [name for name in first if name != "params"]
    if differ := [n for n in names if any(group.get(n) != first[n] for group in others)]:
        raise ValueError(
            f"the groups of parameters differ in {', '.join(differ)}: "
            "only those with the same settings can be carried over"
        )
    twin = _twin(kinds[0], first)
    return twin, filled(model, optimizer, twin)


def optimizer_to_torch(
    model: nn.Module, opt_state: optax.OptState, optimizer: Mapping[str, Any]
) -> dict[str, Any]:
    """A state of optax -> that of an optimizer of ``torch.optim``, whose settings it keeps.

    Args:
        model: the network that both belong to.
        opt_state: a state of optax with one Adam in it, for ``Adam`` and ``AdamW``, or one
            momentum, for ``SGD``; it may be within a chain.
        optimizer: ``optimizer.state_dict()`` of torch's, for its ``param_groups``.

    Returns:
        torch's ``{"state": ..., "param_groups": ...}`` with NumPy arrays of the same dtypes, shaped
        as torch's parameters; ``step`` is a float32 scalar. To load it::

            state = jax.tree.map(torch.from_numpy, found["state"])
            optimizer.load_state_dict({**found, "state": state})

    Raises:
        ValueError: for another class, if there is no such state in it, or more than one, or it does
            not fit the model.
        TypeError: for a model that is not built from flaxnets' layers.
    """
    groups = optimizer["param_groups"]
    is_sgd = kind_of(groups[0]) == "SGD"
    kinds, wanted = (SGD, optax.TraceState) if is_sgd else (ADAM, optax.ScaleByAdamState)
    nodes = jax.tree.leaves(opt_state, is_leaf=lambda node: isinstance(node, wanted))
    found = [node for node in nodes if isinstance(node, wanted)]
    if len(found) != 1:
        what = "momentum" if is_sgd else "Adam"
        raise ValueError(f"the state holds {len(found)} of optax's {what}; expected one")
    held = parameters(model)
    moments = {
        theirs: named(held, {"params": getattr(found[0], ours)}, _misfit(model))
        for theirs, ours in kinds.items()
    }
    state = {
        place: {kind: arrays[leaf.name] for kind, arrays in moments.items()}
        for place, leaf in zip(_places(model, optimizer), held, strict=True)
    }
    for of_one in () if is_sgd else state.values():  # an array each: torch counts in place
        of_one["step"] = np.array(found[0].count, np.float32)
    return {"state": state, "param_groups": groups}


def kind_of(group: Mapping[str, Any]) -> str:
    """Adam, AdamW or SGD. Raises ValueError for another class, or what optax has not of these."""
    name = next((OTHERS[key] for key in group if key in OTHERS), None)
    if {"momentum", "dampening", "nesterov"} <= group.keys():  # Muon has the first and the last
        name = "SGD"
    elif name or not {"params", "amsgrad", "weight_decay"} <= group.keys():
        raise ValueError(
            f"the optimizer is {name or 'no Adam'}: only Adam, AdamW and SGD can be carried over"
        )
    for setting in ("amsgrad", "maximize", "dampening"):  # the second older versions have not
        if group.get(setting):
            raise ValueError(
                f"{'SGD' if name else 'an Adam'} with {setting}={group[setting]} "
                "cannot be carried over: optax has none"
            )
    if name or not group["weight_decay"]:
        return name or "Adam"
    if "decoupled_weight_decay" not in group:
        raise ValueError(
            "the optimizer is Adam or AdamW, with a weight decay: this file of an older torch does "
            "not say which; load it in a newer one, and save it there"
        )
    return "AdamW" if group["decoupled_weight_decay"] else "Adam"


def _twin(kind: str, group: Mapping[str, Any]) -> optax.GradientTransformation:
    """optax's transformation with torch's settings."""
    decay, rate = group["weight_decay"], float(group["lr"])
    if kind == "SGD":
        twin = optax.sgd(rate, group["momentum"] or None, group["nesterov"])
    else:
        settings = dict(zip(("b1", "b2"), group["betas"], strict=True), eps=group["eps"])
        if kind == "AdamW":
            return optax.adamw(rate, **settings, weight_decay=decay)
        twin = optax.adam(rate, **settings)
    return optax.chain(optax.add_decayed_weights(decay), twin) if decay else twin


def filled(
    model: nn.Module, optimizer: Mapping[str, Any], twin: optax.GradientTransformation
) -> optax.OptState:
    """The state of ``twin``, with what torch keeps of each parameter in its place."""
    held, places = parameters(model), _places(model, optimizer)
    zeros = {leaf.name: np.zeros(leaf.shape, np.float32) for leaf in held}
    fresh = twin.init(placed(held, zeros, "")["params"])
    kept = (dict(optimizer["state"].get(place, {})) for place in places)
    states = dict(zip((leaf.name for leaf in held), kept, strict=True))
    if not any(value is not None for state in states.values() for value in state.values()):
        return fresh  # no step was taken, or it keeps nothing

    def fill(node: Any) -> Any:
        if not _keeps(node):
            return node
        is_adam = isinstance(node, optax.ScaleByAdamState)
        kinds = ADAM if is_adam else SGD
        _check_states(states, {*kinds, "step"} if is_adam else {*kinds})
        found = {
            ours: placed(held, {n: s[theirs] for n, s in states.items()}, _misfit(model))["params"]
            for theirs, ours in kinds.items()
        }
        if is_adam:
            found["count"] = jnp.asarray(int(states[held[0].name]["step"]), jnp.int32)
        return node._replace(**found)

    return jax.tree.map(fill, fresh, is_leaf=_keeps)


def _keeps(node: Any) -> bool:
    return isinstance(node, optax.ScaleByAdamState | optax.TraceState)


def _places(model: nn.Module, optimizer: Mapping[str, Any]) -> list[Any]:
    """What torch's optimizer calls each of the model's parameters, in their order."""
    places = [place for group in optimizer["param_groups"] for place in group["params"]]
    if len(places) != (count := len(parameters(model))):
        raise ValueError(
            f"the optimizer has {len(places)} parameters, {type(model).__name__} {count}"
        )
    return places


def _misfit(model: nn.Module) -> str:
    return f"this state of an optimizer does not fit {type(model).__name__}"


def _check_states(states: Mapping[str, Any], wanted: set[str]) -> None:
    offences = [
        f"{name} has {', '.join(state) or 'nothing'}, expected {', '.join(sorted(wanted))}"
        for name, state in states.items()
        if set(state) != wanted
    ]
    steps = {int(state["step"]) for state in states.values() if "step" in state}
    if len(steps) > 1:
        offences.append(f"parameters are at different steps: {sorted(steps)}")
    if offences:
        raise ValueError("this is not the state of its optimizer: " + "; ".join(offences))

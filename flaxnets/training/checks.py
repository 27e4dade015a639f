"""What is checked before a training or an evaluation begins, so that nothing goes wrong later."""

import inspect
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from flaxnets.switch import SWITCHES, field, omitted, passed_on, switches
from flaxnets.training.batches import Examples, in_short, is_pair
from flaxnets.training.call import (
    Loss,
    Variables,
    apply,
    apply_in_training,
    are_classes,
    mixing,
    mode,
    statistics,
)
from flaxnets.training.config import Config


def check_splits(splits: Sequence[Any]) -> None:
    """Raise ValueError for another form than two pairs."""
    if not (is_pair(splits) and all(map(is_pair, splits))):
        raise ValueError(
            "splits must be ((images, labels), (images, labels)), to train on and to test on; "
            f"got {in_short(splits)}"
        )


def check_optimizer(optimizer: optax.GradientTransformation | None, config: Config) -> None:
    """Raise TypeError for another thing, ValueError if the config has settings of it too."""
    if optimizer is None:
        return
    if not (hasattr(optimizer, "init") and hasattr(optimizer, "update")):
        raise TypeError(f"optimizer must be one of optax's, got {type(optimizer).__name__}")
    names = ("learning_rate", "schedule")
    given = [name for name in names if getattr(config, name) != getattr(Config(), name)]
    if given:
        raise ValueError(
            "an optimizer has its own learning rate and schedule: leave out Config's "
            + " and ".join(given)
        )


def check_variables(model: nn.Module, given: Variables, expected: Variables) -> None:
    """Raise ValueError if a collection is missing that the model has."""
    if lacking := expected.keys() - given.keys():
        raise ValueError(
            f"variables have {', '.join(given)}, but {type(model).__name__} also needs "
            f"{', '.join(sorted(lacking))}"
        )


def check(model: nn.Module, loss: Loss, variables: Variables, examples: Examples) -> None:
    """Raise TypeError or ValueError for what would go wrong without a word, or deep inside."""
    images, labels = examples
    outputs = jax.eval_shape(lambda x: apply(model, variables, x, False), images)
    try:
        losses = jax.eval_shape(loss, outputs, labels)
    except (TypeError, ValueError, AssertionError, AttributeError, LookupError) as error:
        shapes = [f"{array.dtype} {array.shape}" for array in jax.tree.leaves(outputs)]
        raise TypeError(
            f"the loss does not take labels of {labels.dtype} {labels.shape} "
            f"and outputs of {', '.join(shapes)}"
        ) from error
    if (found := getattr(losses, "shape", type(losses).__name__)) != labels.shape[:1]:
        raise ValueError(f"loss must give one value an example, {labels.shape[:1]}; got {found}")
    own = loss == getattr(model, "loss", None)  # another may have a use for other labels
    if own and are_classes(labels, outputs):
        low, high, classes = labels.min(), labels.max(), outputs.shape[-1]
        if low < 0 or high >= classes:
            raise ValueError(
                f"labels run from {low} to {high}, but the model has {classes} outputs"
            )


def check_shares(sizes: Iterable[int], devices: int, statistics: Sequence[str]) -> None:
    """Raise ValueError for a batch that devices cannot share, if statistics are taken of it."""
    for size in sizes:
        if size % devices:
            raise ValueError(
                f"{devices} devices cannot share a batch of {size} evenly, and what would fill it "
                f"up would enter {', '.join(statistics)}: choose another batch_size, or one device"
            )


def check_evaluation(
    model: nn.Module, variables: Variables, images: Any, size: int, devices: int, option: str
) -> None:
    """Raise ValueError if something fills up a batch of which statistics are taken."""
    n = len(images)
    if not (n % size or size % devices):
        return
    if names := mixing(model, variables, images):
        raise ValueError(
            f"{', '.join(names)} takes statistics of each batch in evaluation too, and what fills "
            f"up one of {size} to share out {n} examples would enter them: choose a {option} that "
            f"divides {n}" + (f" and that {devices} devices divide" if devices > 1 else "")
        )


def check_training(model: nn.Module, variables: Variables, images: Any) -> None:
    """Raise ValueError for what would be called in training as in evaluation, without a word.

    And for what takes statistics of a batch of such images and finds one value a channel, or leaves
    a collection in another form than it found it in.
    """
    offences: list[str] = []
    told = mode(model, True) != (model, {})

    def look(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        module, out = context.module, call(*args, **kwargs)
        if module.path:
            name = f"{'.'.join(module.path)} ({type(module).__name__})"
            offences.extend(f"{name} {what}" for what in _ails(module, call, args, kwargs, told))
        return out

    def run(x: Any) -> Any:
        return apply_in_training(model, variables, x, {"dropout": jax.random.key(0)})[1]

    with nn.intercept_methods(look):
        changed = jax.eval_shape(run, images)
    offences += [
        f"{n} changes its form in a call"
        for n in changed
        if _form(changed[n]) != _form(variables[n])
    ]
    if offences:
        what = "; ".join(dict.fromkeys(offences))
        raise ValueError(f"{type(model).__name__} cannot be trained as it is: {what}")


def _form(tree: Any) -> Any:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return [(jax.tree_util.keystr(path), leaf.shape, leaf.dtype) for path, leaf in leaves]


def _ails(module: nn.Module, call: Any, args: Any, kwargs: Any, told: bool) -> Iterator[str]:
    """What is wrong with a call in training; ``told``: the whole has a switch."""
    for name in omitted(call, args, kwargs) if passed_on() is None else ():
        if _is_evaluations(module, call, name) and field(module, name) is None:
            yield f"takes {name}, which is not passed on to it: it would be off in training too"
    trains = _trains(module, call, args, kwargs)
    if trains is False and not told and (field(module, "rate") or field(module, "p")):
        yield "drops nothing, since the whole takes no switch for training"
    if trains and _is_single(module, args):
        yield "can take no variance of one value a channel"


def _is_evaluations(module: nn.Module, call: Any, name: str) -> bool:
    """Whether the default of a switch is that of evaluation; linen's own ask if it is None."""
    default = inspect.signature(call).parameters[name].default
    is_linens = type(module).__module__.startswith("flax.")
    return default is (not SWITCHES[name]) or (default is None and not is_linens)


def _trains(module: nn.Module, call: Any, args: Any, kwargs: Any) -> bool | None:
    """What a module is told, by its call or else its field; None if it has no switch."""
    if not (names := switches(call)):
        return None
    try:
        bound = inspect.signature(call).bind(*args, **kwargs)
    except TypeError:
        return None
    bound.apply_defaults()
    given = [(name, bound.arguments[name]) for name in names]
    if passed_on() is not None and omitted(call, args, kwargs):
        return passed_on()
    values = [(name, field(module, name) if value is None else value) for name, value in given]
    return any(value is SWITCHES[name] for name, value in values)


def _is_single(module: nn.Module, args: Any) -> bool:
    """Whether it keeps statistics of the last axis, and its input has one value of each."""
    own = (tree for name, tree in module.variables.items() if name in statistics(module.variables))
    kept = [value for tree in own for value in tree.values() if hasattr(value, "dtype")]
    x = args[0] if args and hasattr(args[0], "shape") else jnp.zeros((2, 0))
    sizes = {v.shape for v in kept if jnp.issubdtype(v.dtype, jnp.floating)}
    return (x.shape[-1:] in sizes) and math.prod(x.shape[:-1]) == 1

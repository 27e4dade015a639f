"""What is checked before a training or an evaluation begins, so that nothing goes wrong later."""

import inspect
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import optax

from flaxnets.switch import SWITCHES, omitted, passed_on
from flaxnets.training.batches import Examples, in_short, is_pair
from flaxnets.training.call import Loss, Variables, apply, are_classes, statistics
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
    except (TypeError, ValueError, AssertionError) as error:
        shapes = [f"{array.dtype} {array.shape}" for array in jax.tree.leaves(outputs)]
        raise TypeError(
            f"the loss does not take labels of {labels.dtype} {labels.shape} "
            f"and outputs of {', '.join(shapes)}"
        ) from error
    if losses.shape != labels.shape[:1]:
        raise ValueError(
            f"loss must give one value an example, {labels.shape[:1]}; got {losses.shape}"
        )
    own = loss == getattr(model, "loss", None)  # another may have a use for other labels
    if own and are_classes(labels, outputs):
        low, high, classes = labels.min(), labels.max(), outputs.shape[-1]
        if low < 0 or high >= classes:
            raise ValueError(
                f"labels run from {low} to {high}, but the model has {classes} outputs"
            )


def check_shares(sizes: Iterable[int], devices: int, variables: Variables) -> None:
    """Raise ValueError for a batch that devices cannot share, if statistics are taken of it."""
    for size in sizes:
        if size % devices:
            raise ValueError(
                f"{devices} devices cannot share a batch of {size} evenly, and what would fill it "
                f"up would enter {', '.join(statistics(variables))}: choose another batch_size, or "
                "one device"
            )


def check_training(model: nn.Module, variables: Variables, images: Any) -> None:
    """Raise ValueError for what would be called in training as in evaluation, without a word.

    And for what takes statistics of a batch of such images and finds one value a channel.
    """
    offences: list[str] = []

    def look(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        module = context.module
        if context.method_name == "__call__" and module.path:
            name = f"{'.'.join(module.path)} ({type(module).__name__})"
            offences.extend(f"{name} takes {lost}" for lost in _lost(module, call, args, kwargs))
            if _is_single(module, args):
                offences.append(f"{name} can take no variance of one value a channel")
        return call(*args, **kwargs)

    def run(x: Any) -> Any:
        rngs = {"dropout": jax.random.key(0)}
        return apply(model, variables, x, True, rngs, mutable=statistics(variables))

    with nn.intercept_methods(look):
        jax.eval_shape(run, images)
    if offences:
        what = "; ".join(dict.fromkeys(offences))
        raise ValueError(f"{type(model).__name__} cannot be trained as it is: {what}")


def _lost(module: nn.Module, call: Any, args: Any, kwargs: Any) -> Iterator[str]:
    """The switches that nobody gives to a module, and whose defaults are those of evaluation."""
    parameters = inspect.signature(call).parameters
    for name in omitted(call, args, kwargs) if passed_on() is None else ():
        default = parameters[name].default
        if default is (not SWITCHES[name]) and getattr(module, name, None) is None:
            yield f"{name}, which is not passed on to it: it would be off in training too"


def _is_single(module: nn.Module, args: Any) -> bool:
    own = (tree for name, tree in module.variables.items() if name in statistics(module.variables))
    holds = any(not isinstance(value, Mapping) for tree in own for value in tree.values())
    return holds and bool(args) and math.prod(args[0].shape[:-1]) == 1

"""A step of training, and a run of steps as one compiled program.

The batches of an epoch lie on the devices, images as they are stored; a step normalises its own.
"""

import functools
import inspect
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from flaxnets.training.batches import Batch
from flaxnets.training.call import Loss, apply_in_training, sum_losses
from flaxnets.training.state import TrainState


def train_step(
    model: nn.Module,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    batch: Batch,
    key: jax.Array,
    masks: Any = None,
) -> tuple[TrainState, jax.Array]:
    """One step on the mean loss of a batch: a pure function, to be compiled by the caller.

    It does what ``backward()`` and a step of an optimizer of ``torch.optim`` do. Nothing is checked
    here: labels out of range, for one, make the loss NaN.

    Args:
        model: a linen module, which is told that it trains as in ``fit``.
        loss: maps the outputs and the labels to one loss an example, (N,) of a floating dtype.
        optimizer: any of optax, as ``optax.adam(1e-3)``.
        state: parameters, other collections and the optimizer's state, as the step finds them.
        batch: images (N, ...), uint8 or floating as in ``fit``; labels (N,) of an integer dtype, or
            what the loss takes; weights (N,) floating, 0 for what only fills up the batch.
        key: what dropout draws its masks with.
        masks: the collection ``masks``, for dropout to take instead of drawing.

    Returns:
        The state after the step, of the same shapes and dtypes, and the sum of the examples' losses
        before it, a scalar of float32 at least.

    Raises:
        TypeError, ValueError: what the model and the loss raise of arrays that do not fit them, as
            those of ``flaxnets.models`` do of another shape of images or of labels in floating
            point.
    """

    def objective(params: Any) -> tuple[jax.Array, tuple[jax.Array, Any]]:
        variables = {**state.variables, "params": params, **({"masks": masks} if masks else {})}
        outputs, changed = apply_in_training(model, variables, batch.images, {"dropout": key})
        loss_sum = sum_losses(loss(outputs, batch.labels), batch)
        return loss_sum / jnp.sum(batch.weights), (loss_sum, changed)

    (mean, (loss_sum, changed)), gradients = jax.value_and_grad(objective, has_aux=True)(
        state.params
    )
    more = {"value": mean, "grad": gradients, "value_fn": lambda params: objective(params)[0]}
    update = optax.with_extra_args_support(optimizer).update
    asked = _asked_for(update, more)
    updates, opt_state = update(gradients, state.opt_state, state.params, **asked)
    params = optax.apply_updates(state.params, _after(gradients, updates))
    collections = {**state.collections, **changed}
    return TrainState(params, opt_state, state.step + 1, collections), loss_sum


def _asked_for(update: Any, more: dict[str, Any]) -> dict[str, Any]:
    """What an optimizer asks for beside gradients, state and parameters, as L-BFGS does."""
    parameters = inspect.signature(update).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return more
    return {p.name: more[p.name] for p in parameters if p.name in more}


def _after(gradients: Any, updates: Any) -> Any:
    """The updates as they are, but known only when all gradients are.

    So they overwrite no weights that the backward pass still needs; else XLA copies these at each
    step, a twentieth of the MLP's time on a CPU (benchmarks/LOG.md).
    """
    some = sum(jnp.sum(leaf.ravel()[:1]) for leaf in jax.tree.leaves(gradients))
    nothing = jnp.where(some > 0, 0.0, -0.0)  # whatever it is: infinite and NaN too
    return jax.tree.map(lambda update: update + nothing.astype(update.dtype), updates)


@functools.partial(jax.jit, static_argnames=("model", "loss", "optimizer"))
def run_steps(
    model: nn.Module,
    loss: Loss,
    optimizer: optax.GradientTransformation | None,
    batches: Batch,
    key: jax.Array,
    rates: jax.Array,
    state: TrainState,
    start: jax.Array,
    stop: jax.Array,
) -> tuple[TrainState, jax.Array]:
    """Steps ``start`` to ``stop`` of an epoch, and the sum of the losses of their examples.

    ``batches`` has the epoch's, one after the other. Without an optimizer it is Adam, and ``rates``
    has the learning rate of each step.
    """

    def step(i: jax.Array, carry: tuple[TrainState, jax.Array]) -> tuple[TrainState, jax.Array]:
        state, total = carry
        batch = jax.tree.map(lambda array: array[i], batches)
        step_key = jax.random.fold_in(key, state.step)
        chosen = optax.adam(rates[i]) if optimizer is None else optimizer
        state, added = train_step(model, loss, chosen, state, batch, step_key)
        return state, total + added.astype(total.dtype)

    first = (state, jnp.zeros((), float))
    last: tuple[TrainState, jax.Array] = jax.lax.fori_loop(start, stop, step, first)
    return last


@functools.partial(jax.jit, static_argnames="n")
def epoch_order(key: jax.Array, n: int) -> jax.Array:
    """(n,) int32: the order in which an epoch takes the examples."""
    return jax.random.permutation(key, n)

"""A step of training, and a run of steps as one compiled program.

The batches of an epoch lie on the devices, images as they are stored; a step normalises its own.
"""

import functools
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from flaxnets.training.batches import Batch
from flaxnets.training.evaluation import Loss, apply, sum_losses


class TrainState(NamedTuple):
    """All that a step of training changes.

    ``params`` are the parameters, arrays shaped as ``model.init`` gives them, float32 at least;
    ``opt_state`` is that of ``optax.adam``, twice as many arrays of the same shapes and dtypes;
    ``step`` is an int32 scalar.
    """

    params: Any
    opt_state: optax.OptState
    step: jax.Array  # int32 scalar: the steps taken so far

    @property
    def variables(self) -> dict[str, Any]:
        """What ``model.apply`` takes."""
        return {"params": self.params}


def initial_state(params: Any) -> TrainState:
    """The state before the first step, in single precision at least."""

    # What is stored in half precision is trained in single: Adam's steps are too small for it.
    def at_least_single(leaf: Any) -> jax.Array:
        array = jnp.asarray(leaf)
        return array.astype(jnp.promote_types(array.dtype, jnp.float32))

    params = jax.tree.map(at_least_single, params)
    return TrainState(params, optax.adam(0.0).init(params), jnp.zeros((), jnp.int32))


def train_step(
    model: nn.Module,
    loss: Loss,
    state: TrainState,
    batch: Batch,
    key: jax.Array,
    learning_rate: float | jax.Array,
    masks: Any = None,
) -> tuple[TrainState, jax.Array]:
    """One step of Adam on the mean loss of a batch: a pure function, to be compiled by the caller.

    It does what ``backward()`` and a step of ``torch.optim.Adam`` do. Nothing is checked here:
    labels out of range, for one, make the loss NaN.

    Args:
        model: a linen module. If its ``__call__`` takes ``train``, that is True.
        loss: maps the outputs and the labels to one loss an example, (N,) of a floating dtype.
        state: parameters and Adam's state, as the step finds them.
        batch: images (N, ...), uint8 or floating as in ``fit``; labels (N,) of an integer dtype, or
            what the loss takes; weights (N,) floating, 0 for what only fills up the batch.
        key: what dropout draws its masks with.
        learning_rate: Adam's in this step.
        masks: the collection ``masks``, for dropout to take instead of drawing.

    Returns:
        The state after the step, of the same shapes and dtypes, and the sum of the examples' losses
        before it, a scalar of float32 at least.

    Raises:
        TypeError, ValueError: what the model and the loss raise of arrays that do not fit them, as
            those of ``flaxnets.models`` do of another shape of images or of labels in floating
            point.
    """

    def objective(params: Any) -> tuple[jax.Array, jax.Array]:
        variables = {"params": params, **({"masks": masks} if masks else {})}
        outputs = apply(model, variables, batch.images, True, {"dropout": key})
        loss_sum = sum_losses(loss(outputs, batch.labels), batch)
        return loss_sum / jnp.sum(batch.weights), loss_sum

    gradients, loss_sum = jax.grad(objective, has_aux=True)(state.params)
    optimizer = optax.adam(learning_rate + _waited(gradients))
    updates, opt_state = optimizer.update(gradients, state.opt_state)
    params = optax.apply_updates(state.params, updates)
    return TrainState(params, opt_state, state.step + 1), loss_sum


def _waited(gradients: Any) -> jax.Array:
    """Zero, known only when the first layer's gradient is, the last of the backward pass.

    An update that waits for it overwrites no weights that the backward pass still needs; without
    it XLA copies them at each step, a twentieth of the MLP's time on a CPU (benchmarks/LOG.md).
    """
    first = jax.tree.leaves(gradients)[0]
    return 0 * jnp.sum(first.ravel()[:1])


@functools.partial(jax.jit, static_argnames=("model", "loss"))
def run_steps(
    model: nn.Module,
    loss: Loss,
    batches: Batch,
    key: jax.Array,
    rates: jax.Array,
    state: TrainState,
    start: jax.Array,
    stop: jax.Array,
) -> tuple[TrainState, jax.Array]:
    """Steps ``start`` to ``stop`` of an epoch, and the sum of the losses of their examples.

    ``batches`` has the epoch's, one after the other; ``rates`` the learning rate of each step.
    """

    def step(i: jax.Array, carry: tuple[TrainState, jax.Array]) -> tuple[TrainState, jax.Array]:
        state, total = carry
        batch = jax.tree.map(lambda array: array[i], batches)
        step_key = jax.random.fold_in(key, state.step)
        state, added = train_step(model, loss, state, batch, step_key, rates[i])
        return state, total + added.astype(total.dtype)

    first = (state, jnp.zeros((), float))
    last: tuple[TrainState, jax.Array] = jax.lax.fori_loop(start, stop, step, first)
    return last


@functools.partial(jax.jit, static_argnames="n")
def epoch_order(key: jax.Array, n: int) -> jax.Array:
    """(n,) int32: the order in which an epoch takes the examples."""
    return jax.random.permutation(key, n)

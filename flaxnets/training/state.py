"""What a training changes, and what it gives as it goes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax


class TrainState(NamedTuple):
    """All that a step of training changes.

    ``params`` are the parameters, arrays shaped as ``model.init`` gives them, float32 at least;
    ``opt_state`` is that of the optimizer, of ``optax.adam`` by default: twice as many arrays of
    the same shapes and dtypes; ``step`` is an int32 scalar; ``collections`` are the other variables
    by their names, as ``batch_stats``.
    """

    params: Any
    opt_state: optax.OptState
    step: jax.Array  # int32 scalar: the steps taken so far
    collections: dict[str, Any] = {}  # noqa: RUF012 - none, and never written to

    @property
    def variables(self) -> dict[str, Any]:
        """What ``model.apply`` takes."""
        return {"params": self.params, **self.collections}


def initial_state(
    variables: Mapping[str, Any], optimizer: optax.GradientTransformation | None = None
) -> TrainState:
    """The state before the first step, in single precision at least; by default of Adam."""

    # What is stored in half precision is trained in single: steps are too small for it.
    def at_least_single(leaf: Any) -> jax.Array:
        array = jnp.asarray(leaf)
        wide = jnp.issubdtype(array.dtype, jnp.floating)
        return array.astype(jnp.promote_types(array.dtype, jnp.float32)) if wide else array

    collections = jax.tree.map(at_least_single, dict(flax.core.unfreeze(dict(variables))))
    params = collections.pop("params", {})
    opt_state = (optimizer or optax.adam(0.0)).init(params)
    return TrainState(params, opt_state, jnp.zeros((), jnp.int32), collections)


class Metrics(NamedTuple):
    """What is known at the end of an epoch, in Python's numbers.

    Where it is, ``epoch`` and ``step``; how well it does, ``train_loss``, ``test_loss`` and
    ``test_accuracy``; how fast it was, ``seconds`` and ``images_per_second``.
    """

    epoch: int  # from 1
    step: int  # steps taken since the beginning
    train_loss: float  # the mean over the epoch's examples, as they were trained on
    test_loss: float  # the mean over all test examples
    test_accuracy: float  # a fraction; NaN if the labels are not classes
    seconds: float  # spent training, without compilation and evaluation
    images_per_second: float


class Epoch(NamedTuple):
    """What ``fit`` yields: after an epoch its ``state``, and the ``metrics`` of it."""

    state: TrainState
    metrics: Metrics


class Snapshot(NamedTuple):
    """All that a training needs to go on from where it is, to the bit.

    Arrays: ``state``, a ``TrainState``; ``keys``, (2, 2) uint32; ``order``, (N,) int32 for N
    examples to train on. And Python's numbers: ``epoch`` and ``position``, which say where it is;
    ``loss_sum`` and ``seconds`` of the epoch so far.
    """

    state: TrainState
    keys: np.ndarray  # the data of two keys: of the order of the examples, and of dropout
    order: np.ndarray | jax.Array  # (N,) int32: the order of the running epoch
    epoch: int  # the running one, from 1; 0 before the first
    position: int  # the steps taken in it
    loss_sum: float  # of the examples that it has trained on
    seconds: float  # spent training in it


class Chunk(NamedTuple):
    """What ``chunks`` yields: the steps since the one before.

    ``epoch`` is the running one, ``step`` the steps since the beginning; ``train_loss`` is the mean
    over the examples of the chunk, and ``images_per_second`` their number over the time they took.
    ``metrics`` and ``snapshot`` are a ``Metrics``, or None within an epoch, and a ``Snapshot``.
    """

    epoch: int
    step: int
    train_loss: float
    images_per_second: float
    metrics: Metrics | None  # at the end of an epoch
    snapshot: Snapshot  # what ``chunks`` can go on from

    @property
    def state(self) -> TrainState:
        """After the steps."""
        return self.snapshot.state

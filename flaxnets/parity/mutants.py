"""Mutants: porting mistakes made on purpose, each to be caught by the level that should."""

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from flaxnets import interop
from flaxnets.layers import Conv2d, Dropout2d, Linear, max_pool2d
from flaxnets.models import CNN, MLP
from flaxnets.parity.pair import Pair
from flaxnets.parity.tutorials import TUTORIALS
from flaxnets.training import train_step


class Mutant(NamedTuple):
    """A change, and the level that must see it: None if it changes nothing."""

    name: str
    level: int | None
    pair: Pair


class FaultyDropout(Dropout2d):
    """Dropout2d with a fault."""

    fault: str = ""

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the mask for an input of this shape."""
        right = super().mask_shape(shape)
        if self.fault == "by element":
            return shape
        return (1, *right[1:]) if self.fault == "one mask for the batch" else right

    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        if self.fault == "on in evaluation":
            key = jax.random.key(0)
            return (
                x * jax.random.bernoulli(key, 1 - self.p, self.mask_shape(x.shape)) / (1 - self.p)
            )
        x = super().__call__(x, train)
        return x * (1 - self.p) if self.fault == "not rescaled" and train else x


class FaultyCNN(CNN):
    """The CNN with a fault in it, or written otherwise."""

    fault: str = ""
    dropout: str = ""

    def setup(self) -> None:
        dtypes: dict[str, Any] = {"dtype": self.dtype, "param_dtype": self.param_dtype}
        self.conv1 = Conv2d(1, 32, 3, 1, **dtypes)
        self.conv2 = Conv2d(32, 64, 3, 1, **dtypes)
        self.dropout1 = FaultyDropout(0.25, fault=self.dropout)
        self.dropout2 = FaultyDropout(0.5, fault=self.dropout)
        self.fc1 = Linear(9216, 128, flattened_from=(12, 12, 64), **dtypes)
        self.fc2 = Linear(128, 10, **dtypes)

    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        x = x.reshape(-1, 28, 28, 1)
        if self.fault == "SAME padding":
            x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        x = self.conv1(x)
        x = x if self.fault == "a ReLU missing" else nn.relu(x)
        x = self.conv2(x)
        if self.fault == "pooling before ReLU":
            x = nn.relu(max_pool2d(x, 2))
        elif self.fault == "average pooling":
            x = nn.avg_pool(nn.relu(x), (2, 2), (2, 2))
        else:
            x = max_pool2d(nn.relu(x), 2)
        x = self.dropout1(x[:, :12, :12], train)
        x = nn.relu(self.fc1(x.reshape(len(x), -1)))
        x = self.fc2(self.dropout2(x, train))
        if self.fault == "softmax missing":
            return x
        return nn.log_softmax(x, axis=0 if self.fault == "softmax over the batch" else 1)


class ZeroBiasMLP(MLP):
    """Biases start at zero, as Flax's own do."""

    def init(self, rngs: Any, *args: Any, **kwargs: Any) -> Any:
        """As a module's ``init``."""
        return _map_params(
            lambda name, a: a * (name != "bias"), super().init(rngs, *args, **kwargs)
        )


class LecunMLP(MLP):
    """Weights start as Flax's own do."""

    def init(self, rngs: Any, *args: Any, **kwargs: Any) -> Any:
        """As a module's ``init``."""
        draw = nn.initializers.lecun_normal()
        key = rngs["params"] if isinstance(rngs, Mapping) else rngs
        return _map_params(
            lambda name, a: draw(key, a.shape) if name == "kernel" else a,
            super().init(rngs, *args, **kwargs),
        )


def _map_params(change: Any, variables: Any) -> Any:
    return jax.tree_util.tree_map_with_path(lambda path, a: change(path[-1].key, a), variables)


def _unpermuted(model: Any, state_dict: Any) -> Any:
    variables = interop.from_torch(model, state_dict)
    weight = np.array(interop.layout.as_numpy(state_dict["fc1.weight"]))
    variables["params"]["fc1"]["kernel"] = weight.T
    return variables


def _reshaped(model: Any, state_dict: Any, kind: int) -> Any:
    """Kernels of so many axes in torch's order, as if that were linen's."""
    variables = interop.from_torch(model, state_dict)
    weights = {leaf.path: leaf for leaf in interop.leaves(model)}

    def change(path: Any, ours: Any) -> Any:
        leaf = weights[tuple(key.key for key in path)]
        theirs = interop.layout.as_numpy(state_dict[leaf.name])
        return np.array(theirs).reshape(ours.shape) if theirs.ndim == kind else ours

    return jax.tree_util.tree_map_with_path(change, variables)


def _uncorrected(rate: float) -> optax.GradientTransformation:
    """Adam without its bias correction."""
    right = optax.scale_by_adam()

    def update(gradient: Any, state: Any, params: Any = None) -> Any:
        _, state = right.update(gradient, state, params)
        return jax.tree.map(lambda m, v: m / (jnp.sqrt(v) + 1e-8), state.mu, state.nu), state

    return optax.chain(
        optax.GradientTransformation(right.init, update), optax.scale_by_learning_rate(rate)
    )


def _full_weight(
    model: Any, loss: Any, optimizer: Any, state: Any, batch: Any, *args: Any, **kwargs: Any
) -> Any:
    """The rows that only fill up a batch count as well."""
    batch = batch._replace(weights=jnp.ones_like(batch.weights))
    return train_step(model, loss, optimizer, state, batch, *args, **kwargs)


def _naive(outputs: jax.Array, labels: jax.Array) -> jax.Array:
    """Cross-entropy as the books write it: the logarithm of a probability that may be 0."""
    chosen = jax.nn.one_hot(labels, outputs.shape[-1])
    return -jnp.sum(chosen * jnp.log(nn.softmax(outputs)), axis=-1)


def _summed(outputs: jax.Array, labels: jax.Array) -> jax.Array:
    return CNN.loss(outputs, labels) * len(labels)


def mutants() -> list[Mutant]:
    """All of them; the last ones are equivalent to the network as it is."""
    cnn, mlp = TUTORIALS["cnn"].pair, TUTORIALS["mlp"].pair

    def fault(name: str) -> Pair:
        return replace(cnn, model=FaultyCNN(fault=name))

    def dropout(name: str) -> Pair:
        return replace(cnn, model=FaultyCNN(dropout=name))

    reshaped = {kind: functools.partial(_reshaped, kind=kind) for kind in (2, 4)}
    root = functools.partial(optax.adam, eps=0.0, eps_root=1e-8)
    return [
        Mutant("fc1 not permuted to H, W, C", 3, replace(cnn, from_torch=_unpermuted)),
        Mutant("SAME padding", 3, fault("SAME padding")),
        Mutant("kernels read as O, I, H, W", 3, replace(cnn, from_torch=reshaped[4])),
        Mutant("Linear not transposed", 3, replace(mlp, from_torch=reshaped[2])),
        Mutant("biases start at zero", 2, replace(mlp, model=ZeroBiasMLP())),
        Mutant("lecun-normal weights", 2, replace(mlp, model=LecunMLP())),
        Mutant("dropout by element", 6, dropout("by element")),
        Mutant("one mask for the batch", 6, dropout("one mask for the batch")),
        Mutant("dropout on in evaluation", 6, dropout("on in evaluation")),
        Mutant("dropout not rescaled", 6, dropout("not rescaled")),
        Mutant("epsilon inside Adam's root", 8, replace(mlp, adam=root)),
        Mutant("no bias correction", 8, replace(mlp, adam=_uncorrected)),
        Mutant("beta2 = 0.99", 8, replace(mlp, adam=functools.partial(optax.adam, b2=0.99))),
        Mutant("average pooling", 3, fault("average pooling")),
        Mutant("a ReLU missing", 3, fault("a ReLU missing")),
        Mutant("softmax over the batch", 4, fault("softmax over the batch")),
        Mutant("softmax missing", 4, fault("softmax missing")),
        Mutant("the logarithm of a softmax", 4, replace(mlp, loss=_naive)),
        Mutant("loss summed over the batch", 7, replace(cnn, loss=_summed)),
        Mutant("last batch weighted like a full one", 9, replace(mlp, step=_full_weight)),
        Mutant("pooling before ReLU", None, fault("pooling before ReLU")),
        Mutant("log_softmax twice", None, replace(cnn, loss=MLP.loss)),
    ]

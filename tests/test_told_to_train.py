"""``fit`` tells a module that it trains, or refuses what would not be told."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flaxnets import layers, training

X = np.random.default_rng(0).normal(size=(22, 3)).astype(np.float32)
SPLITS = ((X, X[:, 0]), (X, X[:, 0]))


def fit(model):
    config = training.Config(epochs=1, batch_size=4)
    return list(training.fit(model, SPLITS, config, loss=squared))


def squared(outputs, targets):
    return (outputs[:, 0] - targets) ** 2


def switched(name, value):
    """A module that drops everything in training, and whose author calls the switch so."""
    code = f"def call(self, x, {name}={not value}):\n    return self.body(x, {name}=={value})\n"
    space = {}
    exec(code, space)

    class Named(nn.Module):
        def setup(self):
            self.dense, self.drop = nn.Dense(1), nn.Dropout(1.0)

        def body(self, x, trains):
            return self.dense(self.drop(x, deterministic=not trains))

        __call__ = space["call"]

    return Named()


@pytest.mark.parametrize(
    ("name", "value"),
    [("train", True), ("training", True), ("is_training", True), ("deterministic", False)],
)
def test_a_switch_is_honoured_whatever_its_author_calls_it(name, value):
    (epoch,) = fit(switched(name, value))
    # where all inputs are dropped, no gradient reaches the kernel
    kernel = epoch.state.params["dense"]["kernel"]
    first = switched(name, value).init(jax.random.split(jax.random.key(0), 3)[0], X[:1])
    np.testing.assert_array_equal(kernel, first["params"]["dense"]["kernel"])


def test_a_switch_among_the_fields_is_honoured():
    class Field(nn.Module):
        training: bool = False

        @nn.compact
        def __call__(self, x):
            x = nn.Dropout(1.0, deterministic=not self.training)(x)
            return nn.Dense(1, kernel_init=nn.initializers.ones)(x)

    (epoch,) = fit(Field())
    np.testing.assert_array_equal(epoch.state.params["Dense_0"]["kernel"], np.ones((3, 1)))


class Lost(nn.Module):
    """Takes no switch, and so gives none to what it calls."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(layers.Sequential([layers.Dropout(0.5)])(x))


def test_what_would_not_be_told_that_it_trains_is_refused_by_name():
    with pytest.raises(ValueError, match=r"Lost cannot be trained as it is: .*Sequential_0 \("):
        fit(Lost())

    class Deep(nn.Module):
        @nn.compact
        def __call__(self, x, train=False):
            return Lost()(x)

    with pytest.raises(ValueError, match=r"Lost_0.Sequential_0 \(Sequential\) takes train, which"):
        fit(Deep())


class Silent(nn.Module):
    """Its author has left dropout switched off."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(nn.Dropout(0.5, deterministic=True)(x))


class Later(nn.Module):
    """Takes a switch that is None unless it is given."""

    @nn.compact
    def __call__(self, x, train=None):
        return nn.Dropout(0.5, deterministic=not train)(x)


class Sown(nn.Module):
    """Adds to a collection at each call."""

    @nn.compact
    def __call__(self, x, train=False):
        self.sow("losses", "squares", jnp.sum(x**2))
        return nn.Dense(1)(x)


class Outer(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
        return nn.Dense(1)(Later()(x))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Silent(), "Dropout_0 .* drops nothing, since the whole takes no switch for training"),
        (Outer(), "Later_0 .* takes train, which is not passed on to it"),
        (Sown(), "losses changes its form in a call"),
    ],
)
def test_dropout_that_is_off_and_collections_that_grow_are_refused_by_name(model, message):
    with pytest.raises(ValueError, match=message):
        fit(model)

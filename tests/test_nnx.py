"""The networks inside ``flax.nnx`` code, as docs/import.md shows it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import flaxnets

IMAGES = jax.random.uniform(jax.random.key(0), (4, 28, 28))


def bridged(network):
    return nnx.bridge.ToNNX(network(), rngs=nnx.Rngs(params=0, dropout=1)).lazy_init(IMAGES)


@pytest.mark.parametrize("name", flaxnets.MODELS)
def test_outputs_equal_those_of_linen(name):
    network = flaxnets.MODELS[name]
    variables = network().init(jax.random.key(7), IMAGES)
    module = bridged(network)
    nnx.update(module, variables["params"])
    np.testing.assert_array_equal(module(IMAGES), network().apply(variables, IMAGES))


def test_dropout_draws_anew_at_each_call_from_its_own_key():
    one, two = bridged(flaxnets.CNN), bridged(flaxnets.CNN)
    first, second = one(IMAGES, train=True), one(IMAGES, train=True)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, two(IMAGES, train=True))  # the same seed
    np.testing.assert_array_equal(one(IMAGES), one(IMAGES))  # none in evaluation


def test_dropout_with_a_given_key_is_that_of_linen():
    module = bridged(flaxnets.CNN)
    params = {"params": nnx.to_pure_dict(nnx.state(module, nnx.Param))}
    key = nnx.Rngs(dropout=5).dropout()  # the stream's first
    ours = flaxnets.CNN().apply(params, IMAGES, train=True, rngs={"dropout": key})
    theirs = module(IMAGES, train=True, rngs=nnx.Rngs(dropout=5))
    np.testing.assert_array_equal(theirs, ours)


def test_a_bridged_network_trains_inside_a_module_of_nnx():
    class Classifier(nnx.Module):
        def __init__(self, rngs):
            self.net = nnx.bridge.ToNNX(flaxnets.MLP(), rngs=rngs).lazy_init(IMAGES)

        def __call__(self, x):
            return self.net(x)

    model = Classifier(nnx.Rngs(params=0))
    optimizer = nnx.Optimizer(model, optax.adam(1e-3), wrt=nnx.Param)
    labels = jnp.arange(4)

    @nnx.jit
    def step(model, optimizer):
        def loss(model):
            return flaxnets.MLP.loss(model(IMAGES), labels).mean()

        value, gradients = nnx.value_and_grad(loss)(model)
        optimizer.update(model, gradients)
        return value

    losses = [float(step(model, optimizer)) for _ in range(20)]
    assert losses[-1] < losses[0] / 2  # four images: they are learned by heart

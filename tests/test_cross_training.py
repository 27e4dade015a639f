"""Training begun in one framework and gone on with in the other: the recipe of docs/interop.md."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

import flaxnets
from flaxnets import data, interop
from flaxnets.parity.bounds import FLOAT64
from flaxnets.parity.masks import mask_places, replayed
from flaxnets.parity.recording import record_masks
from flaxnets.parity.tutorials import TUTORIALS

RATE = 1e-3


def batches(n, size):
    train = data.load("digits").train
    order = np.random.default_rng(0).permutation(n * size) % len(train.labels)
    return [(train.images[i] / 255, train.labels[i]) for i in order.reshape(n, size)]


def train_in_torch(name, net, optimizer, steps):
    """Returns the dropout masks of each step, as the twin takes them."""
    net.train()
    model, masks = flaxnets.MODELS[name](), []
    variables = interop.from_torch(model, net.state_dict())
    places = mask_places(model, variables, jnp.asarray(steps[0][0]))
    for images, labels in steps:
        optimizer.zero_grad()
        x = torch.tensor(images.reshape(-1, *TUTORIALS[name].pair.shape))
        outputs, drawn = record_masks(net, functools.partial(net, x))
        TUTORIALS[name].pair.torch_loss(outputs, torch.tensor(labels, dtype=torch.int64)).backward()
        optimizer.step()
        masks.append(replayed(drawn, places))
    return masks


def train_in_flax(model, variables, opt_state, steps, masks):
    optimizer = optax.adam(RATE)

    @jax.jit
    def step(params, opt_state, images, labels, drawn):
        def loss(params):
            outputs = model.apply({"params": params, "masks": drawn}, images, train=True)
            return model.loss(outputs, labels).mean()

        updates, opt_state = optimizer.update(jax.grad(loss)(params), opt_state)
        return optax.apply_updates(params, updates), opt_state

    params = variables["params"]
    for (images, labels), drawn in zip(steps, masks, strict=True):
        params, opt_state = step(params, opt_state, jnp.asarray(images), labels, drawn)
    return {"params": params}, opt_state


def assert_close(ours, net):
    for name, tensor in net.state_dict().items():
        np.testing.assert_allclose(ours[name], tensor.numpy(), atol=1e-10, rtol=0)


# Steps before and after, and the size of a batch. The CNN's are for its layouts and masks alone.
CASES = [("mlp", 20, 200, 32), ("cnn", 2, 3, 4)]
# torch's word on the tutorials' Dropout2d before fc2
pytestmark = pytest.mark.filterwarnings("ignore:dropout2d")


@pytest.mark.parametrize(("name", "before", "after", "size"), CASES)
def test_begun_in_torch_and_ended_in_flax_it_arrives_where_torch_alone_arrives(
    name, before, after, size
):
    torch.manual_seed(0)
    with FLOAT64():
        steps = batches(before + after, size)
        net = TUTORIALS[name].pair.net().double()
        optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
        train_in_torch(name, net, optimizer, steps[:before])
        model = flaxnets.MODELS[name](dtype=jnp.float64, param_dtype=jnp.float64)
        variables = interop.from_torch(model, net.state_dict())
        opt_state = interop.adam_from_torch(model, optimizer.state_dict())

        masks = train_in_torch(name, net, optimizer, steps[before:])  # torch alone
        variables, opt_state = train_in_flax(model, variables, opt_state, steps[before:], masks)
        assert_close(interop.to_torch(model, variables), net)
        assert int(opt_state[0].count) == before + after


@pytest.mark.parametrize(("name", "before", "after", "size"), CASES)
def test_begun_in_flax_and_ended_in_torch_it_arrives_where_torch_alone_arrives(
    name, before, after, size
):
    torch.manual_seed(0)
    with FLOAT64():
        steps = batches(before + after, size)
        alone, other = TUTORIALS[name].pair.net().double(), TUTORIALS[name].pair.net().double()
        model = flaxnets.MODELS[name](dtype=jnp.float64, param_dtype=jnp.float64)
        variables = interop.from_torch(model, alone.state_dict())
        optimizer = torch.optim.Adam(alone.parameters(), lr=RATE)
        masks = train_in_torch(name, alone, optimizer, steps[:before])
        opt_state = optax.adam(RATE).init(variables["params"])
        variables, opt_state = train_in_flax(model, variables, opt_state, steps[:before], masks)

        theirs = jax.tree.map(torch.from_numpy, interop.to_torch(model, variables))
        other.load_state_dict(theirs)
        adam = interop.adam_to_torch(model, opt_state, learning_rate=RATE)
        resumed = torch.optim.Adam(other.parameters())
        resumed.load_state_dict({**adam, "state": jax.tree.map(torch.from_numpy, adam["state"])})
        state = torch.get_rng_state()
        train_in_torch(name, alone, optimizer, steps[before:])
        torch.set_rng_state(state)  # the same masks again
        train_in_torch(name, other, resumed, steps[before:])
        assert_close({k: v.numpy() for k, v in other.state_dict().items()}, alone)

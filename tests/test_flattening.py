"""Maps flattened otherwise than torch flattens them: refused by name, and nothing else is."""

from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import IMAGES, Flat, Reader, flat, initialised, refused

from flaxnets import layers

RAW = (
    "fc reads maps (3, 4, 2) flattened as they lie, H, W, C; torch flattens C, H, W: say "
    "flattened_from=(3, 4, 2) in that Linear, or flatten by flaxnets.layers.Flatten()"
)


def scaled(x):
    """What a batch normalisation does."""
    x = (x - x.mean((0, 1, 2))) * jax.lax.rsqrt(x.var((0, 1, 2), keepdims=True) + 1e-5)
    return x * jnp.ones(x.shape[-1]) + jnp.zeros(x.shape[-1])


def scanned(x):
    """Maps that a loop has passed on, and rows that it has looked at one by one."""
    x = jax.lax.fori_loop(0, 3, lambda _, x: x + 1, x)
    return jax.lax.map(nn.relu, x)


RAW_FORMS = {
    "reshape": flat,
    "ravel by vmap": jax.vmap(jnp.ravel),
    "relu": lambda x: flat(nn.relu(x)),
    "gelu under jit": lambda x: flat(jax.jit(nn.gelu)(x)),
    "under remat": jax.checkpoint(flat),
    "scaling": lambda x: flat(scaled(x)),
    "swapped and back": lambda x: flat(x.transpose(0, 3, 2, 1).transpose(0, 3, 2, 1)),
    "rolled": lambda x: flat(jnp.roll(jnp.flip(x, 1), 1, 2)),
    "a where": lambda x: flat(jnp.where(x > 0, x, 0.1 * x)),
    "a loop": lambda x: flat(scanned(x)),
    "a branch": lambda x: flat(jax.lax.cond(x.sum() > 0, nn.relu, jnp.negative, x)),
    "in steps": lambda x: flat(x.reshape(x.shape[0], 12, 2).reshape(-1, 3, 4, 1, 2)),
    "an index": lambda x: flat(x[:, jnp.array([2, 0, 1])]),
    "channels from halves": lambda x: flat(jnp.concatenate([x[..., :1], x[..., 1:]], -1)),
    "a half and its negative": lambda x: flat(jnp.concatenate([x[..., :1], -x[..., :1]], -1)),
    "a sort of channels": lambda x: flat(jnp.sort(x)),
    "written into": lambda x: flat(jax.lax.dynamic_update_slice(x, x[:, :1], (0, 0, 0, 0))),
    "scattered into": lambda x: flat(x.at[:, jnp.array([0, 2])].set(x[:, 1:] * 2)),
    "a Fourier transform": lambda x: flat(jnp.fft.fft(x, axis=1).real),
    "attention over places": lambda x: flat(attended(x.reshape(x.shape[0], 12, 2))),
    "squeeze and excitation": lambda x: flat(x * nn.sigmoid(x.mean((1, 2), keepdims=True))),
}


def attended(x):
    return nn.softmax(x @ x.transpose(0, 2, 1)) @ x


@pytest.mark.parametrize("between", RAW_FORMS.values(), ids=RAW_FORMS)
def test_maps_flattened_as_they_lie_are_refused_with_the_remedy(between):
    assert refused(Reader(between)).startswith(RAW)


POOLS = {
    "max_pool2d": (lambda x: layers.max_pool2d(x, 2), (1, 2, 2)),
    "nn.max_pool": (lambda x: nn.max_pool(x, (2, 2)), (2, 3, 2)),
    "nn.avg_pool": (lambda x: nn.avg_pool(x, (2, 2), (1, 2)), (2, 2, 2)),
    "steps": (lambda x: x[:, ::2, ::2], (2, 2, 2)),
    "a crop": (lambda x: jax.lax.dynamic_slice(x, (0, 0, 0, 0), (*x.shape[:2], 2, 2)), (3, 2, 2)),
    "a border": (lambda x: jnp.pad(x, ((0, 0), (1, 1), (0, 0), (0, 0))), (5, 4, 2)),
}


@pytest.mark.parametrize(("pool", "maps"), POOLS.values(), ids=POOLS)
def test_the_maps_that_are_named_are_those_that_a_pool_has_left(pool, maps):
    net = Reader(lambda x: flat(pool(x)), int(np.prod(maps)))
    assert f"reads maps {maps} flattened as they lie" in refused(net)
    initialised(Reader(net.between, net.features, declared=maps))


ENLARGED = {
    "nearest": lambda x: jax.image.resize(x, (x.shape[0], 6, 8, 2), "nearest"),
    "linear": lambda x: jax.image.resize(x, (x.shape[0], 6, 8, 2), "linear"),
    "repeat": lambda x: x.repeat(2, 1).repeat(2, 2),
}


@pytest.mark.parametrize("enlarge", ENLARGED.values(), ids=ENLARGED)
def test_maps_that_were_enlarged_are_maps(enlarge):
    assert "reads maps (6, 8, 2)" in refused(Reader(lambda x: flat(enlarge(x)), 96))
    initialised(Reader(lambda x: flat(enlarge(x).transpose(0, 3, 1, 2)), 96))


class Inner(layers.Module):
    maps: nn.Module

    def __call__(self, x, train=False):
        return flat(self.maps(x))


class Rows(layers.Module):
    """Maps of another shape, that a layer of one's own makes."""

    makes_maps: ClassVar[bool] = True

    def __call__(self, x):
        return x[:, :, :, 0]


NESTED = {
    "dropout": [layers.Conv2d(1, 2, 2), layers.Dropout2d(0.5), Flat(), layers.Linear(24, 3)],
    "a module": [Inner(layers.Conv2d(1, 2, 2)), layers.Linear(24, 3)],
    "a pool": [layers.Conv2d(1, 2, 2), layers.MaxPool2d(1), Flat(), layers.Linear(24, 3)],
    "an input": [Flat(), layers.Sequential([layers.ReLU(), layers.Linear(24, 3)])],
}


@pytest.mark.parametrize("name", NESTED)
def test_a_flattening_is_seen_through_modules(name):
    x = jax.ShapeDtypeStruct((2, 3, 4, 2), jnp.float32) if name == "an input" else IMAGES
    message = refused(layers.Sequential(NESTED[name]), x, train=True)
    assert "reads maps (3, 4, 2) flattened as they lie, H, W, C" in message
    assert message.startswith("1.1 " if name == "an input" else f"{len(NESTED[name]) - 1} ")


def test_rows_of_maps_have_an_order_too():
    x = jax.ShapeDtypeStruct((2, 4, 5, 1), jnp.float32)
    message = refused(layers.Sequential([Rows(), Flat(), layers.Linear(20, 3)]), x)
    assert "0" not in message.split()[0]
    assert "maps (4, 5) flattened as they lie, L, C; torch flattens C, L" in message
    assert "Flatten()" not in message  # it leaves them as they are
    initialised(layers.Sequential([Rows(), Flat(), layers.Linear(20, 3, flattened_from=(4, 5))]), x)


OTHERS = {
    "two of them, one behind the other": (lambda x: jnp.concatenate([flat(x)] * 2, -1), 48),
    "one of them beside torch's": (lambda x: jnp.concatenate([flat(x), torchs(x)], -1), 48),
    "a sum with torch's": (lambda x: flat(x) + torchs(x), 24),
    "what Python has computed": (lambda x: flat(called_back(x)), 24),
}


def called_back(x):
    return jax.pure_callback(lambda x: x, jax.ShapeDtypeStruct(x.shape, x.dtype), x)


def torchs(x):
    return x.transpose(0, 3, 1, 2).reshape(x.shape[0], -1)


@pytest.mark.parametrize(("between", "features"), OTHERS.values(), ids=OTHERS)
def test_what_cannot_be_followed_is_refused_as_that(between, features):
    message = refused(Reader(between, features))
    assert message.startswith("fc reads what was made of maps in a way in which their order cannot")


@pytest.mark.parametrize(
    ("between", "order"),
    [
        (lambda x: flat(x.transpose(0, 2, 1, 3)), "W 4, H 3, C 2"),
        (lambda x: flat(x.transpose(0, 3, 2, 1)), "C 2, W 4, H 3"),
        (lambda x: flat(x.transpose(0, 1, 3, 2)), "H 3, C 2, W 4"),
    ],
)
def test_orders_that_neither_side_has_are_named(between, order):
    assert f"fc reads maps flattened in the order {order}; torch" in refused(Reader(between))

"""What is said of a flattening, and what is made maps of: right, or refused by name."""

from collections.abc import Callable
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from helpers import Flat, Reader, flat, initialised, refused

from flaxnets import interop, layers


def torchs(x):
    return x.transpose(0, 3, 1, 2).reshape(x.shape[0], -1)


@pytest.mark.parametrize(
    ("between", "maps", "read"),
    [
        (flat, (4, 3, 2), "H 3, W 4, C 2"),
        (flat, (12, 2), "H 3, W 4, C 2"),
        (torchs, (3, 4, 2), "C 2, H 3, W 4"),
        (lambda x: flat(x.transpose(0, 2, 1, 3)), (3, 4, 2), "W 4, H 3, C 2"),
        (lambda x: flat(x) + torchs(x), (3, 4, 2), "24 features of an order that"),
    ],
)
def test_what_is_declared_must_be_what_is_read(between, maps, read):
    message = refused(Reader(between, declared=maps))
    assert message.startswith(f"fc says flattened_from={maps}, but reads {read}")


class TwoReaders(layers.Module):
    def setup(self):
        self.flatten = layers.Flatten()
        self.first = layers.Linear(24, 3, flattened_from=(3, 4, 2))
        self.second = layers.Linear(24, 3)

    def __call__(self, x):
        x = self.flatten(x)
        return self.first(x) + self.second(x)


def test_of_two_that_read_the_same_both_must_say_so():
    message = refused(TwoReaders(), jax.ShapeDtypeStruct((2, 3, 4, 2), jnp.float32))
    assert message.startswith("second reads maps (3, 4, 2)")


class Decoder(layers.Module):
    """Features of a Linear, made maps."""

    as_maps: Callable
    declared: tuple | None = None

    def setup(self):
        self.fc = layers.Linear(5, 24, flattened_from=self.declared)
        self.conv = layers.Conv2d(2, 3, 2)

    def __call__(self, x):
        return self.conv(nn.relu(self.as_maps(self.fc(x))))


FEATURES = jax.ShapeDtypeStruct((2, 5), jnp.float32)
WRONG_SPLITS = [
    lambda x: x.reshape(-1, 3, 4, 2),
    lambda x: x.reshape(-1, 3, 2, 4).transpose(0, 1, 3, 2),
    lambda x: x.reshape(-1, 2, 3, 4).transpose(0, 3, 2, 1),
    lambda x: jax.image.resize(x.reshape(-1, 3, 4, 2), (x.shape[0], 6, 8, 2), "linear"),
]


def test_a_linear_over_channels_leaves_it_open_how_torch_has_them():
    stack = [layers.Conv2d(1, 2, 2), layers.Linear(2, 2), Flat()]
    message = refused(layers.Sequential([*stack, layers.Linear(24, 3)]))
    assert message.startswith("3 reads features of the places of maps, (3, 4, 2), flattened as")
    for declared in [(), (3, 4, 2)]:
        initialised(layers.Sequential([*stack, layers.Linear(24, 3, flattened_from=declared)]))


@pytest.mark.parametrize("split", WRONG_SPLITS)
def test_features_that_are_made_maps_channels_last_are_refused(split):
    assert "torch's view is (N, C, H, W)" in refused(Decoder(split), FEATURES)
    initialised(Decoder(split, declared=()), FEATURES)


def test_an_empty_declaration_takes_what_comes_and_converts_it_so():
    net = Reader(flat, declared=())
    rising = jax.tree.map(lambda a: np.arange(a.size).reshape(a.shape), initialised(net))
    kept = rising["params"]["fc"]["kernel"]
    assert kept.shape == (24, 3)
    np.testing.assert_array_equal(interop.to_torch(net, rising)["fc.weight"], kept.T)


def test_sizes_may_be_numpys():
    initialised(Reader(flat, declared=tuple(np.array([3, 4, 2]))))
    refused(Reader(flat, declared=tuple(np.array([4, 3, 2]))))


def test_grey_images_that_lie_as_torchs_are_flattened_as_torch_does():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 3)).double()
    model = layers.Sequential([layers.Flatten(), layers.Linear(16, 3)])
    x = np.random.default_rng(0).normal(size=(2, 1, 4, 4))
    with jax.enable_x64(True):
        variables = interop.from_torch(model, net.state_dict())
        for images in (x, x[:, 0], x.transpose(0, 2, 3, 1)):
            out = model.apply(variables, jnp.asarray(images))
            # sums of sixteen in float64
            np.testing.assert_allclose(out, net(torch.tensor(x)).detach(), rtol=1e-12, atol=1e-14)


def test_maps_that_only_look_like_grey_images_are_refused():
    """One row of four places and four channels, made by a convolution."""
    x = jax.ShapeDtypeStruct((2, 1, 4, 1), jnp.float32)
    stack = [layers.Conv2d(1, 4, 1), layers.Flatten(), layers.Linear(16, 3)]
    assert "by flaxnets.layers.Flatten(of_maps=True)" in refused(layers.Sequential(stack), x)
    stack[1] = layers.Flatten(of_maps=True)
    initialised(layers.Sequential(stack), x)


class Rows(layers.Module):
    """(N, L, C), as of a Conv1d."""

    makes_maps: ClassVar[bool] = True

    def __call__(self, x):
        return x


@pytest.mark.parametrize("declared", [None, (4, 5)])
def test_rows_are_flattened_as_torchs_where_a_flatten_is_told_that_they_are_maps(declared):
    reader = layers.Linear(20, 3, flattened_from=declared)
    model = layers.Sequential([Rows(), layers.Flatten(of_maps=True), reader])
    net = torch.nn.Linear(20, 3).double()
    weights = {f"2.{name}": value for name, value in net.state_dict().items()}
    x = np.random.default_rng(0).normal(size=(2, 4, 5))
    with jax.enable_x64(True):
        out = model.apply(interop.from_torch(model, weights), jnp.asarray(x))
    expected = net(torch.tensor(x.swapaxes(1, 2)).flatten(1)).detach()
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-14)  # sums of twenty in float64


def test_an_unflatten_that_would_split_maps_flattened_as_they_lie_is_refused():
    """Of both readers only the Linear has weights that could be permuted."""
    stack = [
        layers.Conv2d(1, 2, 2),
        layers.Flatten(),
        layers.Unflatten(1, (2, 3, 4)),
        layers.Conv2d(2, 2, 1),
        layers.Flatten(),
        layers.Linear(24, 3),
    ]
    initialised(layers.Sequential(stack))
    stack[5] = layers.Linear(24, 3, flattened_from=(3, 4, 2))
    message = refused(layers.Sequential(stack))
    assert message.startswith("2 splits H 3, W 4, C 2; torch flattens C, H, W: transpose")


def test_what_is_refused_is_named_as_torch_names_it():
    class Nested(layers.Module):
        stack: dict

        def __call__(self, x):
            return self.stack["heads"][0](flat(self.stack["conv"](x)))

    stack = {"conv": layers.Conv2d(1, 2, 2), "heads": [layers.Linear(24, 3)]}
    assert refused(Nested(stack)).startswith("stack.heads.0 reads maps (3, 4, 2)")

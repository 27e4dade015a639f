"""Networks that torch's weights fit: let through by the look at their flattenings, and right."""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from flaxnets import MODELS, interop, layers

KEYS = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
# float64 sums of a few dozen terms of order one
CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def flat(x):
    return x.reshape(x.shape[0], -1)


def torchs(x):
    return flat(x.transpose(0, 3, 1, 2))


class Network(layers.Module):
    """Layers by torch's names, and how they are called."""

    stack: dict
    call: Callable

    def __call__(self, x):
        return self.call(self.stack, x)


def beside_torch(stack, ours, theirs, x):
    """The same layers, called by ``ours`` on an array and by ``theirs`` on torch's."""
    twins = {name: TWINS[type(layer)](layer) for name, layer in stack.items()}
    weights = {f"stack.{k}": v for k, v in torch.nn.ModuleDict(twins).double().state_dict().items()}
    model, image = Network(stack, ours), torch.tensor(np.moveaxis(x, -1, 1) if x.ndim == 4 else x)
    with jax.enable_x64(True):
        variables = interop.from_torch(model, weights)
        found = jax.jit(model.apply)(variables, x)
    np.testing.assert_allclose(found, theirs(twins, image).detach(), **CLOSE)


TWINS = {
    layers.Linear: lambda layer: torch.nn.Linear(layer.in_features, layer.out_features),
    layers.Conv2d: lambda layer: torch.nn.Conv2d(
        layer.in_channels, layer.out_channels, layer.kernel_size
    ),
    layers.Flatten: lambda layer: torch.nn.Flatten(layer.start_dim, layer.end_dim),
    layers.Unflatten: lambda layer: torch.nn.Unflatten(layer.dim, layer.unflattened_size),
}
CONV, FC = layers.Conv2d(2, 3, 2), layers.Linear(36, 4)


RIGHT_FORMS = {
    "Flatten": (
        {"conv": CONV, "flatten": layers.Flatten(), "fc": FC},
        lambda m, x: m["fc"](m["flatten"](m["conv"](x))),
        lambda m, x: m["fc"](m["flatten"](m["conv"](x))),
    ),
    "Flatten, its reader declared": (
        {
            "conv": CONV,
            "flatten": layers.Flatten(),
            "fc": layers.Linear(36, 4, flattened_from=(3, 4, 3)),
        },
        lambda m, x: m["fc"](m["flatten"](m["conv"](x))),
        lambda m, x: m["fc"](m["flatten"](m["conv"](x))),
    ),
    "declared": (
        {"conv": CONV, "fc": layers.Linear(36, 4, flattened_from=(3, 4, 3))},
        lambda m, x: m["fc"](flat(nn.relu(m["conv"](x)))),
        lambda m, x: m["fc"](torch.relu(m["conv"](x)).flatten(1)),
    ),
    "transposed": (
        {"conv": CONV, "fc": FC},
        lambda m, x: m["fc"](torchs(m["conv"](x))),
        lambda m, x: m["fc"](m["conv"](x).flatten(1)),
    ),
    "two transposed, one behind the other, and features": (
        {"conv": CONV, "fc": layers.Linear(75, 4)},
        lambda m, x: m["fc"](
            jnp.concatenate([torchs(m["conv"](x))] * 2 + [x.mean((1, 2, 3))[:, None]] * 3, -1)
        ),
        lambda m, x: m["fc"](
            torch.cat([m["conv"](x).flatten(1)] * 2 + [x.mean((1, 2, 3))[:, None]] * 3, 1)
        ),
    ),
    "global average": (
        {"conv": CONV, "fc": layers.Linear(3, 4)},
        lambda m, x: m["fc"](m["conv"](x).mean((1, 2))),
        lambda m, x: m["fc"](m["conv"](x).mean((2, 3))),
    ),
    "average and maximum": (
        {"conv": CONV, "fc": layers.Linear(6, 4)},
        lambda m, x: m["fc"](
            jnp.concatenate([m["conv"](x).mean((1, 2)), m["conv"](x).max((1, 2))], 1)
        ),
        lambda m, x: m["fc"](torch.cat([m["conv"](x).mean((2, 3)), m["conv"](x).amax((2, 3))], 1)),
    ),
    "a convolution of 1 x 1": (
        {"conv": CONV, "fc": layers.Linear(3, 4)},
        lambda m, x: m["fc"](m["conv"](x)),
        lambda m, x: m["fc"](m["conv"](x).permute(0, 2, 3, 1)),
    ),
    "squeeze and excitation": (
        {"conv": CONV, "down": layers.Linear(3, 2), "up": layers.Linear(2, 3), "fc": FC},
        lambda m, x: m["fc"](
            torchs(excited(m, m["conv"](x), (1, 2), nn.sigmoid, lambda s: s[:, None, None]))
        ),
        lambda m, x: m["fc"](
            excited(m, m["conv"](x), (2, 3), torch.sigmoid, lambda s: s[:, :, None, None]).flatten(
                1
            )
        ),
    ),
    "a residual block of 1 x 1": (
        {"conv": CONV, "up": layers.Linear(3, 5), "down": layers.Linear(5, 3), "fc": FC},
        lambda m, x: m["fc"](torchs(m["conv"](x) + m["down"](m["up"](m["conv"](x))))),
        lambda m, x: m["fc"](
            (
                m["conv"](x)
                + m["down"](m["up"](m["conv"](x).permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
            ).flatten(1)
        ),
    ),
    "places one by one": (
        {"conv": CONV, "fc": layers.Linear(3, 4)},
        lambda m, x: m["fc"](m["conv"](x).reshape(-1, 3)).reshape(-1, 3, 4, 4).mean((1, 2)),
        lambda m, x: (
            m["fc"](m["conv"](x).permute(0, 2, 3, 1).reshape(-1, 3)).reshape(-1, 12, 4).mean(1)
        ),
    ),
    "a Linear over the places": (
        {"conv": CONV, "fc": layers.Linear(12, 4)},
        lambda m, x: m["fc"](m["conv"](x).reshape(-1, 12, 3).swapaxes(1, 2)),
        lambda m, x: m["fc"](m["conv"](x).flatten(2)),
    ),
    "maps of 1 x 1": (
        {"conv": layers.Conv2d(2, 3, (4, 5)), "fc": layers.Linear(3, 4)},
        lambda m, x: m["fc"](flat(m["conv"](x))),
        lambda m, x: m["fc"](m["conv"](x).flatten(1)),
    ),
    "one channel": (
        {"conv": layers.Conv2d(2, 1, 2), "fc": layers.Linear(12, 4)},
        lambda m, x: m["fc"](flat(m["conv"](x))),
        lambda m, x: m["fc"](m["conv"](x).flatten(1)),
    ),
    "a decoder": (
        {"conv": CONV, "fc": layers.Linear(3, 24), "out": layers.Conv2d(2, 1, 2)},
        lambda m, x: flat(
            m["out"](m["fc"](m["conv"](x).mean((1, 2))).reshape(-1, 2, 3, 4).transpose(0, 2, 3, 1))
        ),
        lambda m, x: m["out"](m["fc"](m["conv"](x).mean((2, 3))).reshape(-1, 2, 3, 4)).flatten(1),
    ),
    "Flatten and Unflatten": (
        {
            "conv": CONV,
            "flatten": layers.Flatten(),
            "unflatten": layers.Unflatten(1, (3, -1, 4)),
            "out": layers.Conv2d(3, 3, 1),
            "fc": FC,
        },
        lambda m, x: m["fc"](m["flatten"](m["out"](m["unflatten"](m["flatten"](m["conv"](x)))))),
        lambda m, x: m["fc"](m["flatten"](m["out"](m["unflatten"](m["flatten"](m["conv"](x)))))),
    ),
    "Flatten of the places": (
        {"conv": CONV, "flatten": layers.Flatten(2), "fc": layers.Linear(3, 4)},
        lambda m, x: m["fc"](m["flatten"](m["conv"](x))),
        lambda m, x: m["fc"](m["flatten"](m["conv"](x)).swapaxes(1, 2)),
    ),
    "Flatten of all but the width": (
        {"conv": CONV, "flatten": layers.Flatten(1, 2), "fc": layers.Linear(9, 4)},
        lambda m, x: m["fc"](m["flatten"](m["conv"](x))),
        lambda m, x: m["fc"](m["flatten"](m["conv"](x)).swapaxes(1, 2)),
    ),
    "attention over the places": (
        {
            "conv": layers.Conv2d(2, 6, 2),
            "q": layers.Linear(6, 6),
            "k": layers.Linear(6, 6),
            "out": layers.Linear(6, 6),
            "fc": layers.Linear(6, 4),
        },
        lambda m, x: m["fc"](
            attending(m, m["conv"](x).reshape(-1, 12, 6), nn.softmax, jnp.einsum).mean(1)
        ),
        lambda m, x: m["fc"](
            attending(
                m, m["conv"](x).flatten(2).swapaxes(1, 2), lambda x: x.softmax(-1), torch.einsum
            ).mean(1)
        ),
    ),
}


def excited(m, x, places, sigmoid, spread):
    return x * spread(sigmoid(m["up"](m["down"](x.mean(places)))))


def attending(m, x, softmax, einsum):
    """Of two heads; the values are the keys."""
    q, k = (m[name](x).reshape(*x.shape[:2], 2, 3) for name in "qk")
    weights = softmax(einsum("nqhd,nkhd->nhqk", q, k))
    return x + m["out"](einsum("nhqk,nkhd->nqhd", weights, k).reshape(x.shape))


@pytest.mark.parametrize(("stack", "ours", "theirs"), RIGHT_FORMS.values(), ids=RIGHT_FORMS)
def test_what_is_right_is_let_through(stack, ours, theirs):
    beside_torch(stack, ours, theirs, np.random.default_rng(0).normal(size=(2, 4, 5, 2)))


def test_tokens_that_come_from_no_maps_are_let_through():
    stack = {name: layers.Linear(6, 6) for name in ("q", "k", "out")}
    x = np.random.default_rng(0).normal(size=(2, 5, 6))
    beside_torch(
        {**stack, "fc": layers.Linear(30, 4)},
        lambda m, x: m["fc"](flat(attending(m, x, nn.softmax, jnp.einsum))),
        lambda m, x: m["fc"](attending(m, x, lambda x: x.softmax(-1), torch.einsum).flatten(1)),
        x,
    )


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 1), (1, 28, 28)])
def test_the_tutorials_networks_take_images_of_all_their_shapes(name, shape):
    model = MODELS[name](**({"channels": (2, 3)} if name == "cnn" else {}))
    x = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    jax.eval_shape(functools.partial(model.init, train=True), KEYS, x)

"""Of activations what no option says: infinities, half precision, flattenings, training."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from draws.activations import LAYERS

from flaxnets import interop, layers

EXTREME = np.array([np.inf, -np.inf, np.nan, 1e30, -1e30, 0.0, -0.0])
ALONG = {"Softmax", "Softmin", "LogSoftmax", "Softmax2d", "GLU"}
ELEMENTWISE = sorted(LAYERS.keys() - ALONG)


def pair(name):
    return LAYERS[name].pair(name, LAYERS[name].examples[0].arguments)


@pytest.mark.parametrize("name", [name for name in ELEMENTWISE if name != "PReLU"])
def test_infinities_and_what_is_no_number_become_what_torch_makes_of_them(name):
    ours, theirs = pair(name)
    with jax.enable_x64(True):
        out = ours.apply({}, jnp.asarray(EXTREME))
    expected = theirs.eval()(torch.tensor(EXTREME))
    np.testing.assert_allclose(out, expected, rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", [name for name in ELEMENTWISE if name != "PReLU"])
def test_half_precision_is_computed_in_single_and_given_back(name, dtype):
    ours, theirs = pair(name)
    x = jnp.arange(-16, 17).astype(dtype) / 4
    out = ours.apply({}, x)
    expected = theirs.eval()(torch.tensor(np.float32(x)).to(getattr(torch, dtype))).float()
    assert out.dtype == dtype
    # one rounding apart, and Softsign, whose steps torch rounds one by one, three
    places = (3 if name == "Softsign" else 1) * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(np.float32(out), expected, rtol=places, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in ELEMENTWISE if name not in ("ReLU", "PReLU")])
def test_whole_numbers_are_refused(name):
    with pytest.raises(ValueError, match="takes floating numbers, got int32"):
        pair(name)[0].apply({}, jnp.arange(3))


def test_rrelu_refuses_to_train():
    with pytest.raises(ValueError, match=r"RReLU\(.*\): in training torch draws its slopes"):
        layers.RReLU().apply({}, jnp.ones(3), train=True)


@pytest.mark.parametrize("name", ["Softmax", "Softmin", "LogSoftmax", "GLU"])
def test_an_axis_of_four_is_to_be_said_to_be_torchs_or_not(name):
    kind, x = getattr(layers, name), jnp.ones((2, 4, 4, 4))
    for dim in (1, 2, -1, -3):
        with pytest.raises(ValueError, match=f"{name}.*: say of_maps=True if these are maps"):
            kind(dim).apply({}, x)
    assert kind(0).apply({}, x).shape[1:] == x.shape[1:]


@pytest.mark.parametrize("name", ["Softmax", "Softmin", "LogSoftmax"])
def test_an_axis_that_torch_would_guess_is_to_be_said(name):
    with pytest.raises(ValueError, match=f"{name}: say the axis, dim=None lets torch guess it"):
        getattr(layers, name)(None)


def test_slopes_of_flattened_maps_are_permuted():
    theirs = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.PReLU(24))
    theirs[1].weight.data = torch.rand(24)
    ours = layers.Sequential([layers.PReLU(24, flattened_from=(2, 3, 4))])
    state = {"0.weight": theirs[1].weight}
    x = np.float32(np.random.default_rng(0).normal(size=(5, 2, 3, 4)))
    out = ours.apply(interop.from_torch(ours, state), x.reshape(5, -1)).reshape(x.shape)
    expected = theirs(torch.tensor(x.transpose(0, 3, 1, 2))).detach().reshape(5, 4, 2, 3)
    np.testing.assert_allclose(out, expected.numpy().transpose(0, 2, 3, 1), rtol=1e-6)


def test_slopes_refuse_maps_that_are_flattened_as_they_lie_but_a_single_one_takes_them():
    class Net(layers.Module):
        slopes: int

        def setup(self):
            self.conv, self.act = layers.Conv2d(1, 4, 2), layers.PReLU(self.slopes)

        def __call__(self, x):
            x = self.conv(x)
            return self.act(x.reshape(x.shape[0], -1))

    x = jnp.ones((2, 4, 4, 1))
    assert Net(1).init_with_output(jax.random.key(0), x)[0].shape == (2, 36)
    with pytest.raises(ValueError, match="act reads maps"):
        Net(36).init(jax.random.key(0), x)

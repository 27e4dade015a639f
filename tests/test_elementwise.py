"""What torch has for tensors: values, and derivatives at kinks, beside torch's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from flaxnets import layers

RNG = np.random.default_rng(0)
HALVES = np.array([-np.inf, *np.arange(-4, 5) / 2, np.inf])
VECTORS = np.stack(
    [*RNG.normal(size=(2, 5)), np.zeros(5), [0, 0, 1, -1, 1], [1e-13, 0, -1e-13, 0, 0]]
)


def beside_torch(ours, theirs, x):
    """Values and gradients in float64: sums of five numbers of order one."""
    weights = RNG.normal(size=x.shape)
    given = torch.tensor(x, requires_grad=True)
    out = theirs(given)
    (out * torch.tensor(weights)).sum().backward()
    with jax.enable_x64(True):
        slope = jax.jit(jax.grad(lambda x: jnp.sum(ours(x) * weights)))(x)
        np.testing.assert_allclose(ours(x), out.detach(), rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(slope, given.grad, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("bounds", [(-1, 1), (None, 0.5), (0.0, None), (1, -1)])
def test_clamp_is_torchs(bounds):
    beside_torch(lambda x: layers.clamp(x, *bounds), lambda x: torch.clamp(x, *bounds), HALVES)


def test_absolute_is_torchs():
    beside_torch(layers.absolute, torch.abs, HALVES)


@pytest.mark.parametrize("p", [2.0, 1.0, 3.0, 0.5, np.inf])
def test_normalize_is_torchs(p):
    theirs = torch.nn.functional.normalize
    beside_torch(lambda x: layers.normalize(x, p), lambda x: theirs(x, p, -1), VECTORS)
    beside_torch(lambda x: layers.normalize(x, p, 0, 0.5), lambda x: theirs(x, p, 0, 0.5), VECTORS)


@pytest.mark.parametrize("name", ["max", "min"])
@pytest.mark.parametrize("keepdims", [False, True])
def test_extremes_along_an_axis_are_torchs_and_of_equals_the_first_has_the_gradient(name, keepdims):
    x = np.round(RNG.normal(size=(4, 6)) * 2) / 2  # many are equal
    ours = getattr(layers, name)
    theirs = getattr(torch, name)
    given = torch.tensor(x, requires_grad=True)
    out = theirs(given, 1, keepdim=keepdims)
    out.values.sum().backward()
    found = ours(x, 1, keepdims)
    np.testing.assert_array_equal(found.values, out.values.detach())
    np.testing.assert_array_equal(found.indices, out.indices)
    slope = jax.grad(lambda x: ours(x, 1, keepdims).values.sum())(jnp.asarray(x))
    np.testing.assert_array_equal(slope, given.grad)  # ones, at the same places


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int32"])
def test_dtypes_stay(dtype):
    x = jnp.arange(-3, 4).astype(dtype)
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        assert layers.clamp(x, -1, 2).dtype == layers.absolute(x).dtype == x.dtype
        if dtype != "int32":
            assert layers.normalize(x).dtype == x.dtype


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: layers.clamp(1.0), "say min, max or both"),
        (lambda: layers.clamp(True, 0, 1), "clamp takes real numbers, got bool"),
        (lambda: layers.absolute(1j), "absolute takes real numbers, got complex64"),
        (lambda: layers.normalize(jnp.ones(3), 0.0), "p must be above 0, got 0.0"),
        (lambda: layers.normalize(jnp.arange(3)), "takes floating numbers, got int32"),
    ],
)
def test_what_has_no_meaning_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()

"""Each layer against its torch twin: values, gradients, initial distribution, text."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from layer_check import check_layer
from scipy import stats

from flaxnets import interop, layers

# float64 sums of a few hundred terms of order one: each side is within about 1e-14.
CLOSE = {"rtol": 1e-12, "atol": 1e-12}
KEY = jax.random.key(0)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def channels_first(x):
    return torch.tensor(np.moveaxis(np.asarray(x), -1, 1).copy())


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (layers.ReLU(), torch.nn.Softmax(dim=-1)),
        (layers.Linear(7, 5), torch.nn.Linear(7, 4)),
        (layers.Linear(7, 7, use_bias=False), torch.nn.Sequential()),
    ],
)
def test_another_layer_is_no_twin(ours, theirs):
    with pytest.raises((AssertionError, ValueError)):
        check_layer(ours, theirs, (3, 7))


def test_max_pool_passes_nan_on_as_torch_does():
    x = np.ones((1, 4, 4, 4))
    for channel, (i, j) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        x[0, i, j, channel] = np.nan
    ours = layers.max_pool2d(jnp.asarray(x), 2)
    theirs = torch.nn.functional.max_pool2d(channels_first(x), 2)
    np.testing.assert_array_equal(np.isnan(np.moveaxis(ours, -1, 1)), torch.isnan(theirs))


@pytest.mark.parametrize("large", [1.0, 1e4])
def test_softmax_and_log_softmax_agree_with_torch_and_each_other(large):
    x = np.float32(large * normal(6, 10))
    x[0] = 0  # all equal
    soft, log = layers.Softmax(dim=1)(jnp.asarray(x)), layers.LogSoftmax(dim=1)(jnp.asarray(x))
    eps = np.finfo(np.float32).eps
    # Both sides subtract the same maximum first, with the same rounding: what is left are the
    # errors of exp and of a sum of ten terms, some eps.
    np.testing.assert_allclose(soft, torch.softmax(torch.tensor(x), 1), rtol=1e-5, atol=eps)
    np.testing.assert_allclose(log, torch.log_softmax(torch.tensor(x), 1), rtol=8 * eps, atol=1e-6)
    np.testing.assert_allclose(np.sum(soft, axis=1), 1, rtol=10 * eps)
    np.testing.assert_allclose(np.exp(log), soft, rtol=1e-5, atol=eps)


def test_softmax_does_not_change_when_all_logits_shift():
    x = jnp.asarray(np.float32(normal(4, 10)))
    # a shift by a power of two costs at most eps * 64 in a logit
    np.testing.assert_allclose(layers.Softmax()(x + 64), layers.Softmax()(x), rtol=64 * 1.2e-7)


@pytest.mark.parametrize(("shape", "mask"), [((64, 6, 6, 32), (64, 1, 1, 32)), ((64, 128),) * 2])
def test_dropout2d_drops_channels_of_maps_and_elements_of_vectors(shape, mask):
    layer = layers.Dropout2d(0.25)
    out, drawn = layer.apply(
        {}, jnp.ones(shape), train=True, rngs={"dropout": KEY}, mutable=["masks"]
    )
    keep = drawn["masks"]["keep"]
    assert keep.shape == mask
    np.testing.assert_array_equal(out, np.broadcast_to(keep / np.float32(0.75), shape))
    # 99.99 % of all draws of so many independent masks lie in this interval
    low, high = stats.binom.interval(0.9999, keep.size, 0.75)
    assert low <= keep.sum() <= high


def test_dropout_draws_a_mask_a_key_and_none_in_evaluation():
    layer, x = layers.Dropout(0.5), jnp.ones((8, 100))
    one, same, other = (
        layer.apply({}, x, train=True, rngs={"dropout": jax.random.key(seed)}) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    np.testing.assert_array_equal(layer.apply({}, x), x)


def test_a_given_mask_is_used_and_one_of_another_shape_refused():
    layer, x = layers.Dropout(0.5), jnp.ones((2, 3))
    mask = jnp.asarray([[True, False, True], [False, False, True]])
    out = layer.apply({"masks": {"keep": mask}}, x, train=True)
    np.testing.assert_array_equal(out, 2 * mask)
    with pytest.raises(ValueError, match=r"must be shaped \(2, 3\), got \(1, 3\)"):
        layer.apply({"masks": {"keep": mask[:1]}}, x, train=True)


def test_initialising_in_training_mode_leaves_no_mask_to_be_replayed():
    keys = {"params": KEY, "dropout": KEY}
    assert "masks" not in layers.Dropout(0.5).init(keys, jnp.ones((2, 3)), train=True)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (layers.Linear(20, 30), torch.nn.Linear(20, 30)),
        (layers.Conv2d(4, 8, 3), torch.nn.Conv2d(4, 8, 3)),
    ],
)
def test_weights_and_biases_are_drawn_from_torchs_distribution(ours, theirs):
    x = jnp.ones((1, 5, 5, 4)) if isinstance(ours, layers.Conv2d) else jnp.ones((1, 20))
    keys = jax.random.split(KEY, 50)
    variables = jax.vmap(ours.init, (0, None))(keys, x)
    torch.manual_seed(0)
    bound = 1 / np.sqrt(theirs.weight[0].numel())
    for name, leaf in [("weight", "kernel"), ("bias", "bias")]:
        draws = np.ravel(variables["params"][leaf])
        reference = []
        for _ in range(50):
            theirs.reset_parameters()
            reference.append(getattr(theirs, name).detach().numpy().ravel().copy())
        assert np.abs(draws).max() <= bound
        assert stats.ks_2samp(draws, np.concatenate(reference)).pvalue > 0.001


def test_layers_without_bias_print_and_compute_as_torchs_do():
    for ours, theirs in [
        (layers.Linear(3, 4, use_bias=False), torch.nn.Linear(3, 4, bias=False)),
        (layers.Conv2d(3, 4, 2, use_bias=False), torch.nn.Conv2d(3, 4, 2, bias=False)),
    ]:
        assert repr(ours) == repr(theirs)
        x = jnp.ones((1, 4, 4, 3)) if isinstance(ours, layers.Conv2d) else jnp.ones((1, 3))
        assert list(ours.init(KEY, x)["params"]) == ["kernel"]


def test_sequential_of_the_tutorial_gives_torchs_names_and_values():
    flatten, linear = torch.nn.Flatten(), torch.nn.Linear(784, 20)
    theirs = torch.nn.Sequential(flatten, linear, torch.nn.ReLU(), torch.nn.Linear(20, 10)).double()
    ours = layers.Sequential(
        [layers.Flatten(), layers.Linear(784, 20), layers.ReLU(), layers.Linear(20, 10)]
    )
    x = normal(3, 28, 28)
    assert repr(ours) == repr(theirs)
    with jax.enable_x64(True):
        out = ours.apply(interop.from_torch(ours, theirs.state_dict()), jnp.asarray(x))
    np.testing.assert_allclose(out, theirs(torch.tensor(x)).detach(), **CLOSE)


def test_a_layer_names_the_axis_that_does_not_fit():
    with pytest.raises(ValueError, match=r"last axis of 7, got an input of shape \(3, 8\)"):
        layers.Linear(7, 5).init(KEY, jnp.ones((3, 8)))


@pytest.mark.parametrize("stored", [jnp.float16, jnp.bfloat16])
def test_parameters_stored_in_half_precision_are_computed_with_in_single(stored):
    layer = layers.Linear(7, 5, param_dtype=stored)
    variables = layer.init(KEY, jnp.ones((1, 7)))
    assert variables["params"]["kernel"].dtype == stored
    assert layer.apply(variables, jnp.ones((1, 7), stored)).dtype == jnp.float32
    half = layers.Linear(7, 5, dtype=stored)
    assert half.apply(variables, jnp.ones((1, 7))).dtype == stored

"""Norms: what the check of every layer does not state: precision, maps, JAX's modes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from draws.draw import Draw, normal
from jax import export
from layer_check import check_layer

from flaxnets import interop, layers

KEY = jax.random.key(0)


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def channels_first(x):
    return torch.tensor(np.moveaxis(np.asarray(x), -1, 1).copy())


FAR = [
    ("BatchNorm1d", (8,), (4000, 8), False),
    ("InstanceNorm2d", (8,), (2, 50, 40, 8), True),
    ("GroupNorm", (2, 8), (2, 50, 40, 8), True),
    ("LayerNorm", (4000,), (8, 4000), False),
]


@pytest.mark.parametrize(("name", "arguments", "shape", "maps"), FAR)
def test_at_a_mean_of_1000_float32_is_as_near_as_torchs(name, arguments, shape, maps):
    """A variance of one pass is 0.1 off there: of 1e6 float32 has no digits behind the point."""
    x = (1000 + random(*shape)).astype(np.float32)
    as_torchs = channels_first(x) if maps else torch.tensor(x)
    theirs, ours = getattr(torch.nn, name)(*arguments), getattr(layers, name)(*arguments)
    variables = interop.from_torch(ours, theirs.state_dict())
    near = theirs(as_torchs).detach().numpy()
    exact = theirs.double()(as_torchs.double()).detach().numpy()
    train = {"train": True, "mutable": ["batch_stats"]} if name == "BatchNorm1d" else {}
    found = ours.apply(variables, x, **train)
    found = np.asarray(found[0] if train else found)
    error = np.abs((np.moveaxis(found, -1, 1) if maps else found) - exact).max()
    assert error <= max(np.abs(near - exact).max(), 1e-5)  # some float32 roundings of 4


def test_a_value_far_from_the_others_takes_no_digits_from_them():
    """Wherever it is: the others, about 0.03 then, have an error of their own roundings."""
    for place in (0, 500):
        x = random(1, 1024).astype(np.float32)
        x[0, place] = 1000
        found = np.delete(layers.LayerNorm(1024, elementwise_affine=False).apply({}, x), place)
        exact = np.delete((x - np.mean(x, dtype=float)) / np.sqrt(np.var(x, dtype=float)), place)
        assert np.abs(found - exact).max() < 1e-7
    ends = np.float32([[3e38], [-3e38], [1], [3]])  # whose variance float32 has not
    one = layers.BatchNorm1d(1, affine=False, track_running_stats=False)
    expected = torch.nn.functional.batch_norm(torch.tensor(ends), None, None, training=True)
    np.testing.assert_array_equal(one.apply({}, ends), expected)


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("shape", [(0, 3), (0, 4, 3), (2, 0, 3)])
def test_a_batch_of_nothing_is_counted_and_moves_no_statistics(momentum, shape):
    ours, theirs = layers.BatchNorm1d(3, momentum=momentum), torch.nn.BatchNorm1d(3, 1e-5, momentum)
    variables = interop.from_torch(ours, theirs.state_dict())
    with jax.debug_nans(True):
        out, changed = ours.apply(variables, jnp.ones(shape), train=True, mutable=["batch_stats"])
    assert theirs(channels_first(out)).shape == np.moveaxis(out, -1, 1).shape
    state = interop.to_torch(ours, {**variables, **changed})
    for name, tensor in theirs.state_dict().items():
        np.testing.assert_array_equal(state[name], tensor)


HALF = [
    (layers.BatchNorm1d(6, affine=False, track_running_stats=False), (8, 6)),
    (layers.InstanceNorm2d(6), (2, 9, 8, 6)),
    (layers.GroupNorm(2, 6, affine=False), (2, 9, 8, 6)),
    (layers.LayerNorm(600, elementwise_affine=False), (2, 600)),
    (layers.RMSNorm(600, elementwise_affine=False), (2, 600)),
    (layers.LocalResponseNorm(3, alpha=1.0), (2, 9, 8, 6)),
]


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
@pytest.mark.parametrize(("layer", "shape"), HALF)
def test_what_comes_in_half_is_computed_in_single_and_given_back_in_half(layer, shape, dtype):
    x = jnp.asarray(300 * random(*shape), dtype)  # whose squares float16 does not hold
    out, exact = layer.apply({}, x), layer.apply({}, x.astype(jnp.float32))
    assert (out.dtype, exact.dtype) == (dtype, jnp.float32)
    np.testing.assert_array_equal(out, exact.astype(dtype))


def test_parameters_and_dtype_say_in_what_dtype_the_output_is():
    x = jnp.asarray(random(4, 3, 6), jnp.bfloat16)
    for layer in (layers.LayerNorm(6), layers.RMSNorm(6), layers.BatchNorm1d(6)):
        half = layer.clone(param_dtype=jnp.bfloat16)
        variables = half.init(KEY, x)
        assert all(leaf.dtype == jnp.bfloat16 for leaf in jax.tree.leaves(variables["params"]))
        assert half.apply(variables, x).dtype == jnp.float32
        assert half.clone(dtype=jnp.bfloat16).apply(variables, x).dtype == jnp.bfloat16
    statistics = variables["batch_stats"]
    assert (statistics["mean"].dtype, statistics["var"].dtype) == (jnp.float32, jnp.float32)


def test_statistics_keep_the_dtype_that_they_are_stored_in():
    layer, x = layers.BatchNorm1d(6, momentum=None), jnp.asarray(random(4, 6), jnp.float32)
    stored = jax.tree.map(lambda leaf: leaf.astype(jnp.float16), layer.init(KEY, x))
    stored["batch_stats"]["num_batches_tracked"] = jnp.zeros((), jnp.int32)
    _, changed = layer.apply(stored, x, train=True, mutable=["batch_stats"])
    kinds = jax.tree.map(lambda leaf: leaf.dtype, changed["batch_stats"])
    assert kinds == jax.tree.map(lambda leaf: leaf.dtype, stored["batch_stats"])


# (C, L) of maps, features of maps, and as they lie although there are three sizes.
OWN = {
    "maps of one axis": ("LayerNorm", ((3, 5),), {"of_maps": True}, (5, 3), True),
    "their root": ("RMSNorm", ((3, 5),), {"of_maps": True}, (5, 3), True),
    "no maps": ("LayerNorm", ((3, 4, 5),), {"of_maps": False}, (3, 4, 5), False),
}


@pytest.mark.parametrize(("name", "arguments", "own", "shape", "maps"), OWN.values(), ids=OWN)
def test_a_layer_norm_of_maps_and_of_none_is_its_twin(name, arguments, own, shape, maps):
    theirs = getattr(torch.nn, name)(*arguments)
    with torch.no_grad():
        theirs.weight.copy_(torch.tensor(random(*theirs.weight.shape)))
    check_layer(getattr(layers, name)(*arguments, **own), theirs, Draw({}, normal(*shape), maps))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: layers.LayerNorm(5, of_maps=True),
            r"of_maps=True takes .*\(C, L\) or \(C, H, W\)",
        ),
        (
            lambda: layers.RMSNorm((3, 4), flattened_from=(2, 3, 2)),
            "flattened_from takes .* of one",
        ),
        (lambda: layers.LayerNorm(()), "normalized_shape must have one size at least"),
        (
            lambda: layers.BatchNorm1d(12, flattened_from=(2, 3, 2)).init(
                KEY, jnp.ones((2, 4, 12))
            ),
            "leave flattened_from out",
        ),
        (
            lambda: layers.LayerNorm((3, 4, 5)).init(KEY, jnp.ones((2, 3, 4, 5))),
            r"takes maps \(N, 4, 5, 3\), got .* \(2, 3, 4, 5\); of_maps=False if they are no maps",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_another_number_of_channels_without_values_for_them_is_let_through_with_torchs_warning():
    theirs, x = torch.nn.InstanceNorm1d(4), random(2, 5, 3)
    with pytest.warns(UserWarning, match="does not match num_features"):
        expected = theirs(channels_first(x))
    with pytest.warns(UserWarning, match=r"takes a last axis of 4, got 3.*affine=False"):
        found = layers.InstanceNorm1d(4).apply({}, np.float32(x))
    np.testing.assert_allclose(np.moveaxis(found, -1, 1), expected, rtol=1e-5, atol=1e-5)


FUNCTIONS = [
    ("layer_norm", ((5,),), (4, 3, 5), False),
    ("rms_norm", ((3, 5),), (4, 3, 5), False),
    ("group_norm", (3,), (2, 4, 4, 6), True),
    ("local_response_norm", (2, 1.0), (2, 4, 4, 6), True),
]


@pytest.mark.parametrize(("name", "arguments", "shape", "maps"), FUNCTIONS)
def test_functions_are_torchs_on_what_they_are_given(name, arguments, shape, maps):
    x = random(*shape).astype(np.float32)
    expected = getattr(F, name)(channels_first(x) if maps else torch.tensor(x), *arguments)
    found = np.asarray(getattr(layers, name)(x, *arguments))
    found = np.moveaxis(found, -1, 1) if maps else found
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)  # float32


MODES = [
    (layers.BatchNorm2d(4), (3, 2, 2, 4)),
    (layers.InstanceNorm2d(4, affine=True, track_running_stats=True), (3, 2, 2, 4)),
    (layers.GroupNorm(2, 4), (3, 2, 2, 4)),
    (layers.LayerNorm((4, 2, 2)), (3, 2, 2, 4)),
    (layers.RMSNorm(4), (3, 2, 4)),
    (layers.LocalResponseNorm(3), (3, 2, 2, 4)),
]


@pytest.mark.parametrize(("layer", "shape"), MODES)
def test_ranks_and_dtypes_are_never_mixed_unsaid_and_the_batch_may_be_symbolic(layer, shape):
    tracks = isinstance(layer, layers.BatchNorm2d | layers.InstanceNorm2d)
    train = {"train": True, "mutable": ["batch_stats"]} if tracks else {}

    def call(variables, x):
        return layer.apply(variables, x, **train)

    def curved(variables, x):
        return jax.hessian(lambda x: jnp.sum(jax.tree.leaves(call(variables, x))[-1] ** 2))(x)

    x = jax.ShapeDtypeStruct(shape, jnp.float32)
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        variables = jax.eval_shape(layer.init, KEY, x)
        for dtype in (jnp.float32, jnp.bfloat16):
            jax.eval_shape(call, variables, jax.ShapeDtypeStruct(shape, dtype))
        jax.eval_shape(curved, variables, x)
    like = jax.ShapeDtypeStruct(export.symbolic_shape(f"n, {str(shape[1:])[1:-1]}"), x.dtype)
    export.export(jax.jit(call))(variables, like)


def test_statistics_of_a_symbolic_batch_are_those_of_its_size():
    layer, x = layers.BatchNorm1d(4), jnp.asarray(random(5, 4), jnp.float32)
    call = jax.jit(functools.partial(layer.apply, train=True, mutable=["batch_stats"]))
    like = jax.ShapeDtypeStruct(export.symbolic_shape("n, 4"), x.dtype)
    variables = layer.init(KEY, x)
    found = export.export(call)(variables, like).call(variables, x)
    close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)  # float32
    jax.tree.map(close, found, call(variables, x))


@pytest.mark.parametrize(
    "norm",
    [
        lambda x: layers.layer_norm(x, (3,)),
        lambda x: layers.rms_norm(x, (3,)),
        lambda x: layers.group_norm(x, 1),
        lambda x: layers.local_response_norm(x[None], 2),
    ],
)
def test_whole_numbers_are_refused_by_the_functions(norm):
    with pytest.raises(ValueError, match="takes floating numbers, got int32"):
        norm(jnp.ones((2, 3), jnp.int32))

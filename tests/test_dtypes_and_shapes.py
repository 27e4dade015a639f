"""Dtypes and shapes that torch does not take either: refused by each layer and function."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from flaxnets import interop, layers

KEYS = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
FLOATING = [  # each with an input that has its shape
    (layers.Linear(4, 2), (3, 4)),
    (layers.Conv1d(4, 2, 2), (3, 5, 4)),
    (layers.Conv2d(4, 2, 2), (3, 5, 5, 4)),
    (layers.ConvTranspose1d(4, 2, 2), (3, 5, 4)),
    (layers.ConvTranspose2d(4, 2, 2), (3, 5, 5, 4)),
    (layers.BatchNorm1d(4), (3, 4)),
    (layers.BatchNorm2d(4, affine=False), (3, 5, 5, 4)),
    (layers.InstanceNorm1d(4), (3, 5, 4)),
    (layers.LayerNorm(4), (3, 4)),
    (layers.LayerNorm(4, elementwise_affine=False), (3, 4)),
    (layers.RMSNorm(4), (3, 4)),
    (layers.GroupNorm(2, 4), (3, 4)),
    (layers.LocalResponseNorm(2), (3, 5, 4)),
    (layers.PReLU(), (3, 4)),
    (layers.RNN(4, 2), (3, 2, 4)),
    (layers.LSTMCell(4, 2), (3, 4)),
    (layers.TransformerEncoderLayer(4, 2, 8), (3, 2, 4)),
    (layers.TransformerEncoderLayer(4, 2, 8, norm_first=True), (3, 2, 4)),
    (layers.AvgPool2d(2), (3, 5, 5, 4)),
    (layers.AdaptiveAvgPool1d(2), (3, 5, 4)),
    (layers.Softmax(), (3, 4)),
]


@pytest.mark.parametrize(("layer", "shape"), FLOATING, ids=lambda case: str(case)[:30])
def test_what_computes_takes_no_whole_numbers_nor_bools(layer, shape):
    for dtype in (jnp.int32, jnp.bool_):
        x = jax.ShapeDtypeStruct(shape, dtype)
        with pytest.raises(ValueError, match=f"takes floating numbers, got {jnp.dtype(dtype)}"):
            jax.eval_shape(layer.init, KEYS, x)


def test_attention_takes_none_as_key_or_value():
    layer, x = layers.MultiheadAttention(4, 2), jnp.ones((3, 2, 4))
    with pytest.raises(ValueError, match="MultiheadAttention takes floating numbers, got int32"):
        jax.eval_shape(layer.init, KEYS, x, x, x.astype(int))


COMPARING = [layers.ReLU(), layers.MaxPool2d(2), layers.AdaptiveMaxPool2d(1)]


@pytest.mark.parametrize("layer", COMPARING)
def test_what_compares_takes_whole_numbers_but_no_bools(layer):
    x = jnp.ones((2, 4, 4, 3), int)
    assert layer.apply({}, x).dtype == x.dtype
    for dtype in (bool, jnp.complex64):
        with pytest.raises(ValueError, match=r"takes real numbers, got (bool|complex64)"):
            layer.apply({}, x.astype(dtype))


DROPPING = ["Dropout", "Dropout1d", "AlphaDropout", "FeatureAlphaDropout", "StochasticDepth"]


@pytest.mark.parametrize("name", DROPPING)
def test_whole_numbers_are_not_scaled_by_dropouts_but_go_through_where_none_are(name):
    kind, x = getattr(layers, name), jnp.ones((2, 3, 4), int)
    with pytest.raises(ValueError, match=f"{name} takes floating numbers, got int32"):
        kind(0.5).apply({}, x, train=True, rngs=KEYS)
    np.testing.assert_array_equal(kind(0.5).apply({}, x), x)
    np.testing.assert_array_equal(kind(0.0).apply({}, x, train=True), x)
    np.testing.assert_array_equal(kind(1.0).apply({}, x, train=True, rngs=KEYS), 0 * x)


MAPS, KERNEL = np.ones((2, 5, 5, 3), np.float32), np.ones((2, 2, 3, 4), np.float32)
ROWS = np.ones((2, 5, 8), np.float32)


def vector(*shape):
    return jnp.ones(shape)


SHAPES = {
    "conv2d, a bias for all": (lambda: layers.conv2d(MAPS, KERNEL, vector(1)), "bias must be"),
    "conv2d, a matrix": (lambda: layers.conv2d(MAPS, KERNEL, vector(2, 2)), "bias must be"),
    "conv_transpose2d": (lambda: layers.conv_transpose2d(MAPS, KERNEL, vector(1)), "bias must be"),
    "conv2d, half a kernel": (
        lambda: layers.conv2d(MAPS, KERNEL.astype(np.float16)),
        "must be of the maps' float32, got float16",
    ),
    "conv2d, whole": (lambda: layers.conv2d(MAPS.astype(int), KERNEL.astype(int)), "floating"),
    "group_norm": (lambda: layers.group_norm(MAPS, 1, vector(1)), "weight must be shaped"),
    "group_norm, no groups": (lambda: layers.group_norm(MAPS, 0), "num_groups=0"),
    "group_norm, fewer": (lambda: layers.group_norm(MAPS, -3), "num_groups=-3"),
    "group_norm, a number": (lambda: layers.group_norm(vector(), 1), r"shape \(\)"),
    "layer_norm": (lambda: layers.layer_norm(ROWS, (8,), vector(8), vector(1)), "bias must be"),
    "layer_norm, one axis": (lambda: layers.layer_norm(ROWS, (5, 8), vector(8)), "weight must be"),
    "rms_norm": (lambda: layers.rms_norm(ROWS, (8,), vector(1)), "weight must be shaped"),
    "prelu": (lambda: layers.prelu(ROWS, vector(2, 4)), r"prelu with weights \(2, 4\)"),
    "prelu, half": (
        lambda: layers.prelu(ROWS, jnp.ones(1, jnp.float16)),
        "takes a weight of float32",
    ),
    "Linear of a number": (lambda: layers.Linear(1, 2).init(KEYS, vector()), "last axis of 1"),
    "GroupNorm of a number": (lambda: layers.GroupNorm(1, 1).init(KEYS, vector()), "last axis"),
}


@pytest.mark.parametrize("case", SHAPES)
def test_arrays_that_do_not_fit_are_not_broadcast(case):
    call, message = SHAPES[case]
    with pytest.raises(ValueError, match=message):
        call()


NEGATIVE = [
    lambda: layers.Linear(-1, 2),
    lambda: layers.Linear(2, -1),
    lambda: layers.BatchNorm1d(-1),
    lambda: layers.InstanceNorm2d(-1),
    lambda: layers.LayerNorm((2, -1)),
    lambda: layers.RMSNorm(-1),
    lambda: layers.GroupNorm(1, -1),
    lambda: layers.Embedding(-1, 2),
    lambda: layers.EmbeddingBag(2, -1),
    lambda: layers.PReLU(-1),
]


@pytest.mark.parametrize("make", NEGATIVE)
def test_negative_sizes_are_refused_when_a_layer_is_made(make):
    with pytest.raises(ValueError, match="negative"):
        make()


def test_a_linear_of_no_features_gives_its_bias_which_is_zero():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch has nothing to draw
        theirs, layer = torch.nn.Linear(0, 2), layers.Linear(0, 2)
    out, variables = layer.init_with_output(KEYS, jnp.ones((3, 0)))
    np.testing.assert_array_equal(out, theirs(torch.ones(3, 0)).detach())
    for name, array in interop.to_torch(layer, variables).items():
        np.testing.assert_array_equal(array, theirs.state_dict()[name])


INDICES, TABLE = np.array([[0, 2], [1, 1]], np.int32), np.float32([[1, 2], [3, 4], [5, 6]])


def test_embeddings_take_arrays_of_numpys():
    np.testing.assert_array_equal(layers.embedding(INDICES, TABLE, 1), TABLE[INDICES])
    found = layers.embedding_bag(INDICES, TABLE, mode="max")
    np.testing.assert_array_equal(found, TABLE[INDICES].max(1))


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_without_places_are_refused_as_in_torch_and_no_bags_are_none(mode):
    theirs = torch.nn.EmbeddingBag(3, 2, mode=mode)
    with pytest.raises(RuntimeError):
        theirs(torch.zeros(4, 0, dtype=torch.long))
    with pytest.raises(ValueError, match=r"bags of an index at least.* \(4, 0\)"):
        layers.embedding_bag(INDICES[:, :0].repeat(2, 0), TABLE, mode=mode)
    assert layers.embedding_bag(INDICES[:0], TABLE, mode=mode).shape == (0, 2)


@pytest.mark.parametrize("dtype", [np.int32, np.float16])
def test_factors_in_bags_are_of_the_dtype_of_the_matrix(dtype):
    factors = np.ones((2, 2), dtype)
    with pytest.raises(ValueError, match="per_sample_weights must be of the matrix's float32"):
        layers.embedding_bag(INDICES, TABLE, mode="sum", per_sample_weights=factors)
    if dtype == np.int32:
        with pytest.raises(ValueError, match="EmbeddingBag takes floating numbers, got int32"):
            layers.EmbeddingBag(3, 2, mode="sum").init(KEYS, INDICES, None, factors)

"""Layers that make maps of maps without weights: pools, resizing, shuffling, padding."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jax import export
from torch.nn import functional

from flaxnets import layers

KEY = jax.random.key(0)
LAYERS = [
    layers.MaxPool2d(3, 2, 1, ceil_mode=True),
    layers.MaxPool2d(2),
    layers.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
    layers.AdaptiveAvgPool2d((4, 3)),
    layers.AdaptiveMaxPool2d((4, 3)),
    layers.Upsample(scale_factor=1.5),
    layers.Upsample(scale_factor=2, mode="bilinear"),
    layers.Upsample(size=(4, 5), mode="bicubic", align_corners=True),
    layers.UpsamplingNearest2d(scale_factor=2),
    layers.UpsamplingBilinear2d(size=7),
    layers.PixelShuffle(2),
    layers.PixelUnshuffle(2),
    layers.ZeroPad2d((1, -1, 2, 0)),
    layers.ConstantPad2d(1, 0.5),
    layers.ReflectionPad2d((1, 2, 0, -1)),
    layers.ReplicationPad2d(2),
    layers.CircularPad2d((1, 2, -1, 0)),
]
ROWS = [
    layers.MaxPool1d(3, 2, 1),
    layers.AvgPool1d(2),
    layers.AdaptiveAvgPool1d(4),
    layers.AdaptiveMaxPool1d(4),
    layers.Upsample(size=9, mode="linear"),
    layers.ZeroPad1d(1),
    layers.ConstantPad1d(1, 2),
    layers.ReflectionPad1d(1),
    layers.ReplicationPad1d(1),
    layers.CircularPad1d(1),
]
ALL = [(layer, (2, 6, 6, 8)) for layer in LAYERS] + [(layer, (2, 6, 8)) for layer in ROWS]


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def channels_first(x):
    return torch.tensor(np.moveaxis(np.asarray(x), -1, 1).copy())


def channels_last(x):
    return np.moveaxis(x.detach().numpy(), 1, -1)


def test_each_works_where_jax_is_strict_and_is_linear_where_it_is():
    def program(layer, x):
        out, slope = jax.jvp(layer, (x,), (x,))
        curve = jax.grad(lambda x: jnp.sum(jax.grad(lambda x: jnp.sum(layer(x)))(x)))(x)
        return out, slope, jax.vmap(layer)(x[:, None])[:, 0], curve

    with (
        jax.numpy_rank_promotion("raise"),
        jax.numpy_dtype_promotion("strict"),
        jax.debug_nans(True),
    ):
        inputs = [jnp.asarray(normal(*shape), jnp.bfloat16) for _, shape in ALL]
        run = jax.jit(lambda xs: [program(layer, x) for (layer, _), x in zip(ALL, xs, strict=True)])
        for (layer, _), (out, slope, one_by_one, curve) in zip(ALL, run(inputs), strict=True):
            assert out.dtype == slope.dtype == jnp.bfloat16, layer
            assert jnp.array_equal(one_by_one, out) and not curve.any(), layer


def test_maps_that_they_make_are_flattened_without_an_alarm():
    for layer, shape in ALL:
        x = jax.ShapeDtypeStruct(shape, jnp.float32)
        maps = jax.eval_shape(layer, x).shape[1:]
        for flattened_from in (maps, None):
            reader = layers.Linear(int(np.prod(maps)), 3, flattened_from=flattened_from)
            net = layers.Sequential([layer, layers.Flatten(of_maps=True), reader])
            jax.eval_shape(net.init, KEY, x)


class Shuffled(layers.Module):
    """By functions, which are no layers."""

    said: tuple[int, ...] | None

    def setup(self):
        self.fc = layers.Linear(288, 3, flattened_from=self.said)

    def __call__(self, x):
        x = layers.pixel_unshuffle(layers.pixel_shuffle(layers.max_pool2d(x, 3, 1, 1), 2), 2)
        return self.fc(layers.pad(x, (1, -1)).reshape(len(x), -1))


def test_maps_that_functions_make_are_seen_where_they_are_flattened():
    x = jax.ShapeDtypeStruct((2, 6, 6, 8), jnp.float32)
    jax.eval_shape(Shuffled((6, 6, 8)).init, KEY, x)
    with pytest.raises(ValueError, match=r"say flattened_from=\(6, 6, 8\)"):
        jax.eval_shape(Shuffled(None).init, KEY, x)


def test_a_batch_of_any_size_is_exported():
    def program(x):
        return [layer(x) for layer in LAYERS]

    (n,) = export.symbolic_shape("n")
    shape = jax.ShapeDtypeStruct((n, 6, 6, 8), jnp.float32)
    exported = export.export(jax.jit(program))(shape)
    x = jnp.asarray(normal(3, 6, 6, 8), jnp.float32)
    for found, expected in zip(exported.call(x), jax.jit(program)(x), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nearest_takes_the_place_that_torch_takes_where_rounding_decides(mode, dtype):
    awkward = [(8, 220), (10, 205), (16, 34), (97, 194), (141, 261), (207, 210), (178, 75)]
    for height, new in awkward:
        x = np.arange(height, dtype=dtype)[None, :, None]
        for option in ({"size": new}, {"scale_factor": (new + 0.5) / height}):
            theirs = channels_first(x).requires_grad_()
            out = functional.interpolate(theirs, mode=mode, **option)
            out.sum().backward()
            with jax.enable_x64(True):
                ours = partial(layers.interpolate, mode=mode, **option)
                found, slope = jax.jvp(ours, (jnp.asarray(x),), (jnp.asarray(x),))
                np.testing.assert_array_equal(found, channels_last(out))
            times = np.bincount(np.int64(slope).ravel(), minlength=height)
            np.testing.assert_array_equal(times, theirs.grad.numpy().ravel())


@pytest.mark.parametrize(
    "pool",
    [
        layers.AdaptiveAvgPool2d(1),
        layers.AdaptiveAvgPool2d(3),
        layers.AdaptiveMaxPool2d(1),
        layers.AdaptiveMaxPool2d(3),
        layers.MaxPool2d(50, 3, 25),
        layers.AvgPool2d(50, 3, 25),
        layers.AvgPool2d(100),
    ],
)
def test_large_windows_are_few_operations(pool):
    """One for each of their places would be minutes of compiling, if they are of 100."""
    x = jax.ShapeDtypeStruct((2, 100, 101, 3), jnp.float32)
    program = jax.jit(lambda x: pool.apply({}, x)).lower(x).as_text()
    assert program.count(" = stablehlo.") < 200


def test_what_is_not_finite_stays_in_its_windows():
    x = np.float32(normal(1, 9, 9, 1))
    x[0, 4, 4, 0] = np.inf
    for ours, theirs in [
        (layers.AvgPool2d(3, 2), torch.nn.AvgPool2d(3, 2)),
        (layers.AdaptiveAvgPool2d(4), torch.nn.AdaptiveAvgPool2d(4)),
        (layers.Upsample(size=14, mode="bilinear"), torch.nn.Upsample(size=14, mode="bilinear")),
    ]:
        np.testing.assert_allclose(
            ours(jnp.asarray(x)), channels_last(theirs(channels_first(x))), rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
def test_whole_numbers_go_through_what_takes_and_puts(dtype):
    x = np.random.default_rng(0).integers(0, 255, (2, 5, 4, 3)).astype(dtype)
    x = x - np.array(1000 if dtype == np.int32 else 0, dtype)  # below zero, where they can be
    for ours, theirs in [
        (layers.MaxPool2d(3, 1, 1), torch.nn.MaxPool2d(3, 1, 1)),
        (layers.ReflectionPad2d(1), torch.nn.ReflectionPad2d(1)),
        (layers.ConstantPad2d(1, 7.9), torch.nn.ConstantPad2d(1, 7.9)),
        (layers.PixelUnshuffle(1), torch.nn.PixelUnshuffle(1)),
    ]:
        out = ours(jnp.asarray(x))
        assert out.dtype == dtype
        np.testing.assert_array_equal(out, channels_last(theirs(channels_first(x))))
    for floating in (layers.AvgPool2d(2), layers.Upsample(size=3, mode="bilinear")):
        with pytest.raises(ValueError, match="floating"):
            floating(jnp.asarray(x))


@pytest.mark.parametrize("sides", [(1, 2), (1, 2, 3, -1), (0, 0, 0, 0, 2, 1), (0,) * 6 + (1, 1)])
def test_pad_counts_sides_from_the_width_on_then_channels_then_the_batch(sides):
    x = normal(2, 4, 5, 3)
    theirs = functional.pad(channels_first(x), sides, value=1.5)
    ours = layers.pad(jnp.asarray(x), sides, value=1.5)
    np.testing.assert_array_equal(ours, np.float32(channels_last(theirs)))


@pytest.mark.parametrize(
    ("refused", "says"),
    [
        (lambda x: layers.pad(x, (1, 1), "reflect"), "pad="),
        (lambda x: layers.pad(x, (1,) * 4, "reflect", 1.0), "value="),
        (lambda x: layers.pad(x, (1, 1), "edge"), "mode"),
        (lambda x: layers.pad(x[0, 0], (1, 1)), "expected maps"),
        (lambda x: layers.interpolate(x, 3, mode="bilinear", antialias=True), "antialias"),
        (lambda x: layers.MaxPool2d(2)(x[0]), "expected maps"),
        (lambda x: layers.AvgPool2d(2)(x[:, :0]), "expected maps"),
        (lambda x: layers.Upsample(size=2, mode="trilinear"), "mode"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(refused, says):
    with pytest.raises(ValueError, match=says):
        refused(jnp.ones((2, 4, 5, 3)))

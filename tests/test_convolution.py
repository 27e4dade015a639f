"""The convolution by patches against XLA's own: values, gradients, under every transformation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import run, with_our_modules
from jax import export

from flaxnets.layers import conv2d, conv_transpose2d
from flaxnets.layers.convolving.chunks import CHUNK
from flaxnets.parity.bounds import FLOAT64

# float32's rounding of sums of at most 2,000 products of normal numbers
CLOSE = {"rtol": 1e-4, "atol": 1e-4}


def arrays(batch=3, height=9, width=7, size=(3, 3), channels=(2, 4), dtype=np.float32):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(batch, height, width, channels[0])).astype(dtype)
    return jnp.asarray(images), jnp.asarray(rng.normal(size=(*size, *channels)).astype(dtype))


def by_patches(images, kernel, strides=(1, 1)):
    return conv2d(images, kernel, None, strides, implementation="patches")


def by_lax(images, kernel, strides=(1, 1)):
    return conv2d(images, kernel, None, strides, implementation="lax")


def by_shifts(images, kernel):
    """Each channel by itself."""
    return conv2d(images, kernel, groups=images.shape[-1], implementation="shifts")


def by_xlas_groups(images, kernel):
    return conv2d(images, kernel, groups=images.shape[-1], implementation="lax")


def assert_same(function, *arguments, both=(by_patches, by_lax), **tolerance):
    """A function of a convolution, compiled, applied to both."""
    ours, theirs = (jax.jit(function(convolve))(*arguments) for convolve in both)
    close = tolerance or CLOSE
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **close), ours, theirs)


def gradients(convolve, **options):
    """The value, and the gradients of a sum with unequal weights."""

    def value(images, kernel):
        outputs = convolve(images, kernel, **options)
        return jnp.sum(outputs * jnp.cos(jnp.arange(outputs.size).reshape(outputs.shape)))

    return jax.value_and_grad(value, (0, 1))


@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
@pytest.mark.parametrize("size", [(3, 3), (1, 1), (5, 2), (9, 7)])
def test_values_and_gradients_are_those_of_xla_for_every_size_and_stride(size, strides):
    assert_same(lambda c: gradients(c, strides=strides), *arrays(size=size))


# What is a way of its own: tiles, blocks of groups, shifts, strides of them, and phases of both.
WAYS = {
    "tiles": ((4, 5), (6, 4), "patches", {"stride": (2, 5), "padding": (1, 2)}),
    "no tiles": ((3, 3), (6, 4), "patches", {"stride": 2, "padding": 1, "dilation": 2}),
    "blocks": ((3, 2), (2, 36), "patches", {"padding": 1, "groups": 12}),
    "shifts": ((3, 2), (1, 12), "shifts", {"padding": 2, "dilation": (1, 2), "groups": 6}),
    "strides of shifts": ((3, 2), (1, 12), "shifts", {"padding": 1, "stride": 3, "groups": 6}),
    "phases": ((3, 5), (3, 4), "patches", {"stride": (2, 3), "dilation": (2, 1), "groups": 2}),
    "phases of shifts": ((4, 3), (1, 12), "shifts", {"stride": 2, "padding": 3, "groups": 6}),
}


@pytest.mark.parametrize("name", WAYS)
def test_every_way_gives_values_and_gradients_of_xlas(name):
    size, channels, implementation, options = WAYS[name]
    images, _ = arrays(CHUNK + 2, channels=(channels[0] * options.get("groups", 1), 1))
    _, kernel = arrays(size=size, channels=channels)
    convolve = conv_transpose2d if name.startswith("phases") else conv2d

    def function(by):
        way = implementation if by is by_patches else "lax"
        return gradients(functools.partial(convolve, implementation=way, **options))

    assert_same(function, images, kernel)


@pytest.mark.parametrize("batch", [1, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
def test_values_and_gradients_are_those_of_xla_for_every_batch(batch):
    assert_same(gradients, *arrays(batch))
    images, kernel = arrays(batch)
    np.testing.assert_allclose(by_patches(images, kernel), by_lax(images, kernel), **CLOSE)


def test_in_double_precision_it_is_right_to_1e_12():
    with FLOAT64():
        assert_same(gradients, *arrays(19, dtype=np.float64), rtol=1e-12, atol=1e-12)


def test_in_half_precision_it_is_as_near_as_xlas():
    """To the single-precision result of the same numbers: sums are not kept in eight bits."""
    images, kernel = (array.astype(jnp.bfloat16) for array in arrays(8 * CHUNK))
    exact = gradients(by_lax)(images.astype(jnp.float32), kernel.astype(jnp.float32))[1]
    ours, theirs = (gradients(c)(images, kernel)[1] for c in (by_patches, by_lax))
    # of the images' gradient nine parts are rounded before they are added
    for a, b, right, most in zip(ours, theirs, exact, (4, 2), strict=True):
        far = [np.abs(np.asarray(x, np.float32) - right).max() for x in (a, b)]
        assert far[0] <= most * far[1]


def scanned(convolve):
    def step(total, kernel, images):
        return total + gradients(convolve)(images, kernel)[1][1], None

    return lambda images, kernels: jax.lax.scan(
        lambda total, kernel: step(total, kernel, images[0]), jnp.zeros_like(kernels[0]), kernels
    )


# Of two batches (2, N, H, W, C) and two kernels (2, h, w, C, C').
TRANSFORMATIONS = {
    "vmap over kernels": lambda c: lambda x, k: jax.vmap(gradients(c), (None, 0))(x[0], k),
    "vmap over images": lambda c: lambda x, k: jax.vmap(gradients(c), (0, None))(x, k[0]),
    "vmap over both": lambda c: jax.vmap(gradients(c)),
    "scan": scanned,
    "jvp": lambda c: lambda x, k: jax.jvp(lambda k: c(x[0], k), (k[0],), (k[1],)),
    "jvp of grad": lambda c: (
        lambda x, k: jax.jvp(
            lambda k: jax.grad(lambda k: jnp.sum(c(x[0], k) ** 2))(k), (k[0],), (k[1],)
        )
    ),
}


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_every_transformation_gives_what_it_gives_of_xlas(name):
    images, kernel = arrays(2 * (CHUNK + 3))
    pairs = images.reshape(2, -1, *images.shape[1:]), jnp.stack([kernel, kernel[::-1]])
    assert_same(TRANSFORMATIONS[name], *pairs, rtol=1e-4, atol=1e-3)  # squares of sums: larger


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_every_transformation_of_shifts_gives_what_it_gives_of_xlas(name):
    images, kernel = arrays(6, channels=(1, 4))
    pairs = jnp.stack([images, -images]).repeat(2, -1), jnp.stack([kernel, kernel[::-1]])
    both = (by_shifts, by_xlas_groups)
    assert_same(TRANSFORMATIONS[name], *pairs, both=both, rtol=1e-4, atol=1e-3)


SHARDED = """
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from test_convolution import arrays, by_lax, by_patches, by_shifts, by_xlas_groups

def squares(convolve):
    return jax.value_and_grad(lambda x, k: jnp.sum(convolve(x, k) ** 2), (0, 1))

mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
patches, shifts = (by_patches, by_lax, 1), (by_shifts, by_xlas_groups, 2)
for batch, (way, xlas, groups) in ((16, patches), (64, patches), (64, shifts)):
    images, kernel = arrays(batch, channels=(2 // groups, 4))
    images = jnp.repeat(images, groups, -1)
    shared = jax.device_put(images, NamedSharding(mesh, PartitionSpec("data")))
    everywhere = jax.device_put(kernel, NamedSharding(mesh, PartitionSpec()))
    compiled = jax.jit(squares(way)).lower(shared, everywhere).compile()
    text = compiled.as_text()
    assert "all-reduce" in text  # the kernel's gradient is the sum of the devices'
    for moves in ("all-gather", "all-to-all", "collective-permute"):
        assert moves not in text, moves
    _, (dx, dk) = compiled(shared, everywhere)
    assert dx.sharding.spec[0] == "data"
    _, expected = squares(xlas)(images, kernel)
    for a, b in zip((dx, dk), expected):  # sums of thousands of terms
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-2)
print("four devices")
"""


def test_where_devices_share_the_batch_no_image_is_moved():
    flags = "--xla_force_host_platform_device_count=4"
    status, out, err = run("-c", SHARDED, env=with_our_modules(XLA_FLAGS=flags))
    assert (status, out) == (0, "four devices\n"), err


def test_convolution_takes_patches_where_the_default_device_is_a_cpu_and_lax_elsewhere(monkeypatch):
    x, kernel = jnp.ones((1, 5, 5, 1)), jnp.ones((3, 3, 1, 2))
    cpu = jax.devices("cpu")[0]
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert "conv_general_dilated" in str(jax.make_jaxpr(lambda *a: conv2d(*a))(x, kernel))
    with jax.default_device(cpu):
        assert "conv_general_dilated" not in str(jax.make_jaxpr(lambda *a: conv2d(*a))(x, kernel))


def test_each_channel_alone_is_by_shifts_on_a_cpu_and_others_are_refused_there():
    x, kernel = jnp.ones((1, 5, 5, 4)), jnp.ones((3, 3, 1, 8))
    assert "sum_of_shifts" in str(jax.make_jaxpr(lambda *a: conv2d(*a, groups=4))(x, kernel))
    with pytest.raises(ValueError, match="'shifts' takes groups of one channel, got 2"):
        conv2d(x, jnp.ones((3, 3, 2, 8)), groups=2, implementation="shifts")


def test_a_batch_may_be_of_symbolic_size():
    shapes = export.symbolic_shape("n, 5, 6, 4")
    for groups in (1, 4):
        kernel = arrays(channels=(4 // groups, 4))[1]
        whole = jax.jit(gradients(functools.partial(conv2d, groups=groups)))
        exported = export.export(whole)(jax.ShapeDtypeStruct(shapes, np.float32), kernel)
        for n in (3, CHUNK + 1):
            images, _ = arrays(n, 5, 6, channels=(4, 1))
            jax.tree.map(
                lambda a, b: np.testing.assert_allclose(a, b, **CLOSE),
                exported.call(images, kernel),
                whole(images, kernel),
            )


def test_an_unknown_convolution_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'fft' is not one of \['lax', 'patches', 'shifts'\]"):
        conv2d(jnp.ones((1, 5, 5, 1)), jnp.ones((3, 3, 1, 2)), implementation="fft")

"""The convolution by patches against XLA's own: values, gradients, under every transformation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import run, with_our_modules

from flaxnets.layers import conv2d
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


def assert_same(function, *arguments, **tolerance):
    """A function of a convolution, compiled, applied to both."""
    ours, theirs = (jax.jit(function(convolve))(*arguments) for convolve in (by_patches, by_lax))
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


SHARDED = """
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from test_convolution import arrays, by_lax, by_patches, gradients

mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
for batch in (16, 64):
    images, kernel = arrays(batch)
    shared = jax.device_put(images, NamedSharding(mesh, PartitionSpec("data")))
    everywhere = jax.device_put(kernel, NamedSharding(mesh, PartitionSpec()))
    compiled = jax.jit(gradients(by_patches)).lower(shared, everywhere).compile()
    text = compiled.as_text()
    assert "all-reduce" in text  # the kernel's gradient is the sum of the devices'
    for moves in ("all-gather", "all-to-all", "collective-permute"):
        assert moves not in text, moves
    _, (dx, dk) = compiled(shared, everywhere)
    assert dx.sharding.spec[0] == "data"
    _, expected = gradients(by_lax)(images, kernel)
    for a, b in zip((dx, dk), expected):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
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


def test_an_unknown_convolution_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'fft' is not one of \['lax', 'patches', 'shifts'\]"):
        conv2d(jnp.ones((1, 5, 5, 1)), jnp.ones((3, 3, 1, 2)), implementation="fft")

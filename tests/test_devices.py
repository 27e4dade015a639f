"""Training on several devices gives what it gives on one. The devices are forced host devices."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import flaxnets
from flaxnets import batches, data, training
from flaxnets.interop import to_torch

MANY = """
import sys
import jax, numpy as np
from flaxnets.batches import find_mesh
from test_devices import trained_in_double, first_losses, state_of_one_epoch

for leaf in jax.tree.leaves(state_of_one_epoch()):
    assert leaf.sharding.is_fully_replicated, leaf.sharding
    assert len(leaf.sharding.device_set) == jax.device_count() == int(sys.argv[2])
with jax.default_device(jax.devices()[1]):
    assert find_mesh().devices.tolist() == [jax.devices()[1]]
assert find_mesh().devices.tolist() == jax.devices()
losses = {f"loss {size}": first_losses(size) for size in (64, 3)}
np.savez(sys.argv[1], **losses, **trained_in_double())
"""


def trained_in_double():
    """The CNN's parameters after an epoch of digits in float64, batches of 60."""
    with jax.enable_x64(True):
        model = flaxnets.CNN(dtype=jnp.float64, param_dtype=jnp.float64)
        config = training.Config(epochs=1, batch_size=60)
        (epoch,) = training.fit(model, data.load("digits"), config)
        return to_torch(model, epoch.state.variables)


def first_losses(size):
    """The losses of the CNN's first twenty steps in float32."""
    config = training.Config(epochs=20, batch_size=size, log_interval=1)
    splits = [[array[: 20 * size] for array in split] for split in data.load("digits")]
    found = []
    for chunk in training.chunks(flaxnets.CNN(), splits, config):
        found.append(chunk.train_loss)
        if len(found) == 20:
            return np.array(found)
    raise AssertionError("twenty steps")


def state_of_one_epoch():
    splits = [[array[:40] for array in split] for split in data.load("digits")]
    (epoch,) = training.fit(flaxnets.MLP(), splits, training.Config(epochs=1, batch_size=7))
    return epoch.state


SLOW = [pytest.param(count, marks=pytest.mark.slow) for count in (4, 8)]


@pytest.fixture(scope="module", params=[2, *SLOW])
def many(request, tmp_path_factory):
    """What that many devices find."""
    path = tmp_path_factory.mktemp("many") / "found.npz"
    flags = f"--xla_force_host_platform_device_count={request.param}"
    environment = {**os.environ, "XLA_FLAGS": flags, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(
        [sys.executable, "-c", MANY, path, str(request.param)], env=environment, check=True
    )
    return dict(np.load(path))


def test_after_an_epoch_in_double_precision_parameters_are_those_of_one_device(many):
    for name, expected in trained_in_double().items():
        # 1e-10 allows sums in another order over 24 steps; other batches or masks give 1e-3
        np.testing.assert_allclose(many[name], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("size", [64, 3])  # devices divide the first only
def test_the_first_losses_are_those_of_one_device(size, many):
    # float32: later, rounding alone moves them
    np.testing.assert_allclose(many[f"loss {size}"], first_losses(size), rtol=1e-5)


def test_a_batch_is_padded_to_a_multiple_of_the_devices_with_what_weighs_nothing():
    mesh = batches.find_mesh()
    examples = batches.place((np.arange(10, dtype=np.float32), np.arange(10)), mesh)
    order = np.array([3, 1, 4, 0, 5, 9, 2, 6, 8, 7])
    arranged = batches._gather(examples, order, 4, 6, mesh)  # as on three devices
    assert arranged.images.shape == (3, 6)
    counted = [
        row[weight].tolist() for row, weight in zip(arranged.labels, arranged.weights, strict=True)
    ]
    assert counted == [[3, 1, 4, 0], [5, 9, 2, 6], [8, 7]]


def test_the_default_device_may_be_the_name_of_a_platform():
    with jax.default_device("cpu"):  # a device of several is chosen in MANY
        assert batches.find_mesh().devices.tolist() == jax.devices("cpu")

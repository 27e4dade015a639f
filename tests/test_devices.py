"""Training on several devices gives what it gives on one. The devices are forced host devices."""

import jax
import numpy as np
import pytest
from helpers import IN_DOUBLE, run, trained_in_double, with_our_modules

from flaxnets.training import batches

COUNT = 4  # which divides the last batch, of 20, and not those of 30

MANY = """
import sys
import jax, numpy as np
from flaxnets import MLP
from flaxnets.training.batches import find_mesh
from flaxnets.training import Config, fit
from helpers import IN_DOUBLE, SMALL_MLP, digits, trained_in_double

folder, count, *cases = sys.argv[1:]
(epoch,) = fit(MLP(**SMALL_MLP), digits(40), Config(epochs=1, batch_size=7))
for leaf in jax.tree.leaves(epoch.state):
    assert leaf.sharding.is_fully_replicated, leaf.sharding
    assert len(leaf.sharding.device_set) == jax.device_count() == int(count)
with jax.default_device(jax.devices()[1]):
    assert find_mesh().devices.tolist() == [jax.devices()[1]]
assert find_mesh().devices.tolist() == jax.devices()
for case in cases:
    np.savez(f"{folder}/{case}.npz", **trained_in_double(**IN_DOUBLE[case]))
"""


@pytest.mark.parametrize(
    "cases",
    [
        pytest.param(["dropping", "fewer examples than devices", "statistics"], id="plain"),
        pytest.param(["cnn"], id="cnn", marks=pytest.mark.slow),
    ],
)
def test_after_an_epoch_in_double_precision_parameters_are_those_of_one_device(cases, tmp_path):
    environment = with_our_modules(XLA_FLAGS=f"--xla_force_host_platform_device_count={COUNT}")
    status, _, err = run("-c", MANY, tmp_path, COUNT, *cases, env=environment)
    assert status == 0, err
    for case in cases:
        many = np.load(tmp_path / f"{case}.npz")
        for name, expected in trained_in_double(**IN_DOUBLE[case]).items():
            # 1e-10 allows sums in another order over 11 steps; other batches or masks give 1e-3
            np.testing.assert_allclose(many[name], expected, rtol=0, atol=1e-10)


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

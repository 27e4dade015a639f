"""Weights between torch and flaxnets: rules, round trips, files, refusals."""

import os

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import torch

import flaxnets
from flaxnets import interop, layers
from flaxnets.parity.tutorials import TUTORIALS

NAMES = list(flaxnets.MODELS)
DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]


def bits(array):
    return np.ascontiguousarray(array).view(np.uint8)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_torch_to_flax_to_torch_is_bit_for_bit_in_names_order_and_values(name, dtype):
    model, theirs = flaxnets.MODELS[name](), TUTORIALS[name].pair.net().to(dtype).state_dict()
    variables = interop.from_torch(model, theirs)
    back = interop.to_torch(model, variables)
    assert list(back) == list(theirs)
    for key, tensor in theirs.items():
        assert back[key].shape == tuple(tensor.shape)
        assert str(back[key].dtype) == str(dtype).removeprefix("torch.")
        np.testing.assert_array_equal(bits(back[key]), tensor.view(torch.uint8).numpy())
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {back[key].dtype}


@pytest.mark.parametrize(
    "model",
    [
        *(net() for net in flaxnets.MODELS.values()),
        flaxnets.CNN(num_classes=3, channels=(4, 8), hidden=16),
        flaxnets.MLP(hidden=(8,)),
    ],
)
def test_flax_to_torch_to_flax_is_bit_for_bit(model):
    variables = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 28, 28)))
    back = interop.from_torch(model, interop.to_torch(model, variables))
    jax.tree.map(np.testing.assert_array_equal, variables, back)


def test_fc1_takes_its_inputs_in_the_order_height_width_channel():
    model = flaxnets.CNN()
    variables = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 28, 28)))
    state_dict = interop.to_torch(model, variables)
    c, h, w = 5, 7, 11
    state_dict["fc1.weight"] = np.zeros((128, 9216), np.float32)
    state_dict["fc1.weight"][3, (c * 12 + h) * 12 + w] = 1
    kernel = interop.from_torch(model, state_dict)["params"]["fc1"]["kernel"]
    assert np.argwhere(kernel).tolist() == [[(h * 12 + w) * 64 + c, 3]]


def test_a_convolutions_axes_go_where_linen_has_them():
    layer = layers.Conv2d(2, 3, (4, 5))
    weight = np.arange(2 * 3 * 4 * 5).reshape(3, 2, 4, 5)
    kernel = interop.from_torch(layer, {"weight": weight, "bias": np.zeros(3)})["params"]["kernel"]
    assert kernel[1, 2, 0, 2] == weight[2, 0, 1, 2]
    assert kernel.shape == (4, 5, 2, 3)


def test_ones_own_module_on_flaxnets_layers_converts():
    class Own(layers.Module):
        def setup(self):
            self.body = layers.Sequential([layers.Linear(3, 4), layers.ReLU()])
            self.head = layers.Linear(4, 2, use_bias=False)

        def __call__(self, x):
            return self.head(self.body(x))

    model = Own()
    variables = model.init(jax.random.key(0), jnp.ones((1, 3)))
    state_dict = interop.to_torch(model, variables)
    assert list(state_dict) == ["body.0.weight", "body.0.bias", "head.weight"]
    jax.tree.map(np.testing.assert_array_equal, interop.from_torch(model, state_dict), variables)


def test_a_module_of_other_layers_is_refused():
    with pytest.raises(TypeError, match=r"Dense cannot be converted.*flaxnets.layers"):
        interop.from_torch(nn.Dense(3), {})


def test_every_key_that_does_not_fit_is_named_in_one_error():
    model = flaxnets.SoftmaxMLP()
    state_dict = {k: v.numpy() for k, v in TUTORIALS["softmax_mlp"].pair.net().state_dict().items()}
    del state_dict["fc1.bias"], state_dict["fc3.weight"]
    state_dict["fc9.bias"] = state_dict["fc2.bias"] = np.zeros(7)
    with pytest.raises(ValueError, match="does not fit SoftmaxMLP") as info:
        interop.from_torch(model, state_dict)
    for offence in (
        "missing fc1.bias",
        "missing fc3.weight",
        "unexpected fc9.bias",
        "fc2.bias is shaped (7,), expected (256,)",
    ):
        assert offence in str(info.value)
    with pytest.raises(ValueError, match=r"missing params/fc1/kernel.*; missing"):
        interop.to_torch(model, {"params": {}})


@pytest.mark.parametrize("suffix", interop.FORMATS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, ml_dtypes.bfloat16])
def test_files_keep_names_dtypes_and_bits_of_strided_arrays_too(suffix, dtype, tmp_path):
    strided = np.arange(12).reshape(3, 4).astype(dtype).T
    interop.save(tmp_path / f"a{suffix}", {"x.weight": strided, "b": torch.ones(2)})
    loaded = interop.load(tmp_path / f"a{suffix}")
    assert set(loaded) == {"x.weight", "b"}
    assert loaded["x.weight"].dtype == dtype
    np.testing.assert_array_equal(loaded["x.weight"], strided)


@pytest.mark.parametrize("suffix", interop.FORMATS)
def test_scalars_stay_scalars_and_any_name_can_be_saved(suffix, tmp_path):
    interop.save(tmp_path / f"a{suffix}", {"file": torch.tensor(3), "allow_pickle": np.ones(2)})
    loaded = interop.load(tmp_path / f"a{suffix}")
    assert loaded["file"].shape == ()
    assert loaded["file"] == 3
    np.testing.assert_array_equal(loaded["allow_pickle"], np.ones(2))


def test_converted_weights_share_no_memory_with_either_side():
    model, theirs = flaxnets.MLP(), TUTORIALS["mlp"].pair.net()
    variables = interop.from_torch(model, theirs.state_dict())
    before = jax.tree.map(np.copy, variables)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(1)
    jax.tree.map(np.testing.assert_array_equal, variables, before)
    ours = jax.tree.map(jnp.asarray, before)
    for array in interop.to_torch(model, ours).values():
        torch.from_numpy(array).add_(1)
    jax.tree.map(np.testing.assert_array_equal, ours, before)


def test_a_subclass_of_a_layer_converts_as_the_layer():
    class Own(layers.Linear):
        pass

    weights = {"weight": np.ones((4, 3)), "bias": np.zeros(4)}
    assert interop.from_torch(Own(3, 4), weights)["params"]["kernel"].shape == (3, 4)


def test_metadata_is_kept_in_safetensors(tmp_path):
    from safetensors import safe_open

    interop.save(tmp_path / "a.safetensors", {"x": np.ones(2)}, {"model": "cnn"})
    with safe_open(tmp_path / "a.safetensors", "np") as file:
        assert file.metadata() == {"model": "cnn"}


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def test_files_that_are_not_what_they_should_be_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for suffix in interop.FORMATS:
        interop.save(f"whole{suffix}", {"x": np.ones(1000)})
        whole = (tmp_path / f"whole{suffix}").read_bytes()
        for name, content in {
            "empty": b"",
            "short": whole[:-500],
            "foreign": b"not weights" * 9,
        }.items():
            (tmp_path / (name + suffix)).write_bytes(content)
            with pytest.raises(ValueError, match=f"{name}.*: not a (whole|file)"):
                interop.load(name + suffix)
        with pytest.raises(FileNotFoundError, match="no such file"):
            interop.load("nowhere" + suffix)
    with open("array.npz", "wb") as file:
        np.save(file, np.ones(3))
    with pytest.raises(ValueError, match=r"array.npz: not a whole .npz file.*single array"):
        interop.load("array.npz")
    np.savez("bomb.npz", x=np.array([Bomb()], dtype=object))
    with pytest.raises(ValueError, match=r"bomb.npz: not a whole .npz file of arrays"):
        interop.load("bomb.npz")
    assert not (tmp_path / "executed").exists()
    for act in (interop.load, lambda path: interop.save(path, {})):
        with pytest.raises(ValueError, match=r"net.onnx: the suffix must be one of"):
            act("net.onnx")


def test_a_failed_save_leaves_the_earlier_file_whole_and_nothing_else(tmp_path):
    path = tmp_path / "a.npz"
    interop.save(path, {"x": np.ones(2)})
    before = path.read_bytes()

    class Unreadable:
        def __array__(self, dtype=None, copy=None):
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        interop.save(path, {"x": Unreadable()})
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):  # in mid-file
        interop.save(path, {"x": np.ones(2), "y": np.array([None])})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask

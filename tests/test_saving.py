"""Models in files: what was saved is what is loaded, and nothing else is."""

import json

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from helpers import SMALL_CNN

import flaxnets
from flaxnets import interop
from flaxnets.parity.tutorials import TUTORIALS

WITH_METADATA = (".safetensors", ".npz")  # torch's files have no place for text
IMAGES = jnp.ones((2, 28, 28))
MODELS = [
    *(network() for network in flaxnets.MODELS.values()),
    flaxnets.CNN(num_classes=3, **SMALL_CNN),
    flaxnets.CNN(dtype=jnp.bfloat16, param_dtype=jnp.float16, **SMALL_CNN),
    flaxnets.MLP(hidden=(8, 9, 10)),
]


@pytest.mark.parametrize("suffix", WITH_METADATA)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_a_saved_model_comes_back_with_its_fields_and_bits(model, suffix, tmp_path):
    variables = jax.jit(model.init)(jax.random.key(0), IMAGES)
    flaxnets.save(tmp_path / f"net{suffix}", model, variables, dataset="mnist")
    loaded, weights = flaxnets.load(tmp_path / f"net{suffix}")
    assert loaded == model
    assert hash(loaded) == hash(model)
    jax.tree.map(np.testing.assert_array_equal, weights, variables)
    assert interop.metadata(tmp_path / f"net{suffix}")["dataset"] == "mnist"


def test_a_file_says_nothing_of_a_machines_tuning_and_that_of_an_old_one_is_not_heard(tmp_path):
    tuned = flaxnets.CNN(convolution="patches", **SMALL_CNN)
    flaxnets.save(tmp_path / "a.npz", tuned, jax.jit(tuned.init)(jax.random.key(0), IMAGES))
    assert "patches" not in str(interop.metadata(tmp_path / "a.npz"))
    assert flaxnets.load(tmp_path / "a.npz")[0] == flaxnets.CNN(**SMALL_CNN)
    fields = json.dumps({**SMALL_CNN, "convolution": "patches"})  # as version 0.1 has saved it
    state_dict = interop.load(tmp_path / "a.npz")
    interop.save(tmp_path / "b.npz", state_dict, {"model": "cnn", "fields": fields})
    assert flaxnets.load(tmp_path / "b.npz")[0] == flaxnets.CNN(**SMALL_CNN)


def test_the_folder_of_a_run_is_loaded(tmp_path):
    model = flaxnets.MLP()
    variables = model.init(jax.random.key(0), IMAGES)
    flaxnets.save(tmp_path / "params.safetensors", model, variables)
    loaded, weights = flaxnets.load(tmp_path)
    assert loaded == model
    jax.tree.map(np.testing.assert_array_equal, weights, variables)


@pytest.mark.parametrize("name", flaxnets.MODELS)
@pytest.mark.parametrize("suffix", interop.FORMATS)
def test_weights_of_torch_without_metadata_are_recognised(name, suffix, tmp_path):
    interop.save(tmp_path / f"net{suffix}", TUTORIALS[name].pair.net().state_dict())
    model, _ = flaxnets.load(tmp_path / f"net{suffix}")
    assert model == flaxnets.MODELS[name]()


@pytest.mark.parametrize("name", flaxnets.MODELS)
def test_named_parameters_are_those_of_torch_in_name_order_and_shape(name):
    model, theirs = flaxnets.MODELS[name](), TUTORIALS[name].pair.net()
    variables = interop.from_torch(model, theirs.state_dict())
    ours = list(flaxnets.named_parameters(model, variables))
    for (name, array), (expected, tensor) in zip(ours, theirs.named_parameters(), strict=True):
        assert name == expected
        np.testing.assert_array_equal(array, tensor.detach().numpy())


def test_the_tutorials_loop_over_named_parameters_prints_what_torch_prints():
    """Its line for a layer, but for the values, which torch prints its own way."""
    model = flaxnets.MLP()
    variables = model.init(jax.random.key(0), IMAGES)
    lines = [
        f"Layer: {name} | Size: {param.shape}"
        for name, param in flaxnets.named_parameters(model, variables)
    ]
    assert lines[0] == "Layer: linear_relu_stack.0.weight | Size: (512, 784)"
    assert lines[-1] == "Layer: linear_relu_stack.4.bias | Size: (10,)"


def refused(path, message, kind=ValueError):
    with pytest.raises(kind, match=message):
        flaxnets.load(path)


def with_metadata(path, **metadata):
    interop.save(path, TUTORIALS["mlp"].pair.net().state_dict(), metadata)
    return path


BAD_FIELDS = {
    "another model's": json.dumps({"channels": [1, 2]}),
    "of another type": json.dumps({"hidden": 5}),
    "of other sizes": json.dumps({"hidden": [512, 513]}),
    "no dtype": json.dumps({"dtype": "print"}),
    "no number": json.dumps({"dtype": "int8"}),
    "another thing of jax.numpy": json.dumps({"param_dtype": "object"}),
    "neither": json.dumps({"dtype": {"a": 1}}),
    "too many": json.dumps({"hidden": [1] * 1000}),
    "no JSON": "{",
    "a list": "[]",
    "nested": "[" * 3000,
}


@pytest.mark.parametrize("suffix", WITH_METADATA)
@pytest.mark.parametrize("case", BAD_FIELDS)
def test_fields_that_do_not_fit_are_refused(case, suffix, tmp_path):
    path = with_metadata(tmp_path / f"net{suffix}", model="mlp", fields=BAD_FIELDS[case])
    refused(path, rf"net\{suffix}: (the fields of its metadata are not|this state_dict does not)")


def test_what_holds_no_network_is_refused(tmp_path):
    refused(tmp_path, "holds no params.safetensors: it is not the folder of a run", OSError)
    refused(tmp_path / "net.npz", "net.npz: there is no such file", OSError)
    (tmp_path / "net.bin").touch()
    refused(tmp_path / "net.bin", "the suffix must be one of")
    refused(with_metadata(tmp_path / "a.npz", model="resnet"), "model 'resnet', which is none of")
    refused(with_metadata(tmp_path / "a.npz", model="cnn"), "does not fit CNN: missing conv1")
    interop.save(tmp_path / "b.safetensors", {"weight": np.ones(3)})
    refused(tmp_path / "b.safetensors", "names no model .* none of cnn, mlp, softmax_mlp")
    whole = with_metadata(tmp_path / "c.safetensors", model="mlp").read_bytes()
    (tmp_path / "c.safetensors").write_bytes(whole[:-10])
    refused(tmp_path / "c.safetensors", "not a whole safetensors file")
    (tmp_path / "d.npz").write_bytes(b"PK")
    refused(tmp_path / "d.npz", "d.npz: ")


def test_another_model_is_not_saved_as_one_of_ours(tmp_path):
    class Own(flaxnets.CNN):
        pass

    for model in (nn.Dense(3), Own()):
        with pytest.raises(TypeError, match="is none of cnn, mlp, softmax_mlp"):
            flaxnets.save(tmp_path / "net.npz", model, {"params": {}})
    assert not list(tmp_path.iterdir())


def test_torch_reads_what_was_saved(tmp_path):
    model = flaxnets.CNN()
    variables = model.init(jax.random.key(0), IMAGES)
    flaxnets.save(tmp_path / "net.safetensors", model, variables)
    from safetensors.torch import load_file

    theirs = TUTORIALS["cnn"].pair.net()
    theirs.load_state_dict(load_file(tmp_path / "net.safetensors"))
    with torch.no_grad():
        outputs = theirs.eval()(torch.ones(2, 1, 28, 28)).numpy()
    # float32 sums of up to 9,216 products in another order: about 1e-6
    np.testing.assert_allclose(model.apply(variables, IMAGES), outputs, atol=1e-5)

"""The three networks against the tutorials' torch definitions, and under JAX's transformations."""

import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from helpers import SMALL_CNN, SMALL_MLP

import flaxnets
from flaxnets import interop
from flaxnets.parity.tutorials import TUTORIALS

NAMES = list(flaxnets.MODELS)
KEY = jax.random.key(0)
# as small as shows what does not depend on the sizes
SMALL = {
    "cnn": flaxnets.CNN(**SMALL_CNN),
    "mlp": flaxnets.MLP(**SMALL_MLP),
    "softmax_mlp": flaxnets.SoftmaxMLP(**SMALL_MLP),
}
# Relative to the largest entry of a tensor: float64, sums of up to 10^4 terms (conv1's gradient
# more), each within eps of 2.2e-16.
FORWARD, GRADIENT = 1e-12, 1e-11


def images(n=5, seed=0):
    return np.random.default_rng(seed).random((n, 28, 28))


def reference(name, seed=0):
    torch.manual_seed(seed)
    return TUTORIALS[name].pair.net().double()


def torch_input(name, x):
    return {"cnn": x[:, None], "mlp": x, "softmax_mlp": x.reshape(len(x), -1)}[name]


def relative_error(ours, theirs):
    theirs = theirs.detach().numpy()
    return np.abs(np.asarray(ours) - theirs).max() / np.abs(theirs).max()


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_those_of_torch_with_the_weights_carried_over(name):
    model, theirs, x = flaxnets.MODELS[name](), reference(name).eval(), images()
    with jax.enable_x64(True):
        variables = interop.from_torch(model, theirs.state_dict())
        out = model.apply(variables, jnp.asarray(x))
    assert out.shape == (5, 10)
    assert out.dtype == jnp.float64
    assert relative_error(out, theirs(torch_input(name, torch.tensor(x)))) <= FORWARD


def ours_and_torchs_gradients(name, theirs, x, labels, **apply_arguments):
    model = flaxnets.MODELS[name]()
    inputs = torch.tensor(x).requires_grad_()
    TUTORIALS[name].pair.torch_loss(
        theirs(torch_input(name, inputs)), torch.tensor(labels)
    ).backward()
    with jax.enable_x64(True):
        variables = interop.from_torch(model, theirs.state_dict())
        masks = apply_arguments.pop("masks", {})

        def objective(variables, x):
            out = model.apply({**variables, **masks}, x, **apply_arguments)
            return model.loss(out, labels).mean()

        gradients, dx = jax.jit(jax.grad(objective, (0, 1)))(variables, jnp.asarray(x))
    expected = {n: p.grad for n, p in theirs.named_parameters()} | {"input": inputs.grad}
    return interop.to_torch(model, gradients) | {"input": dx}, expected


def test_the_cnn_trains_as_torchs_does_with_torchs_masks_replayed():
    theirs, masks = reference("cnn").train(), {}

    def record(name):
        def hook(_module, inputs, output):
            keep = (output != 0).numpy()  # relu's zeros are zero either way
            if keep.ndim == 4:
                keep = np.moveaxis(keep, 1, -1).any((1, 2), keepdims=True)
            masks[name] = {"keep": jnp.asarray(keep)}

        return hook

    for name in ("dropout1", "dropout2"):
        getattr(theirs, name).register_forward_hook(record(name))
    torch.manual_seed(1)
    x, labels = images(8), np.arange(8)
    with pytest.warns(UserWarning, match="dropout2d. Received a 2-D input"):
        theirs(torch.tensor(x)[:, None])
        torch.manual_seed(1)
        theirs_state = torch.get_rng_state()
        theirs(torch.tensor(x)[:, None])
        torch.set_rng_state(theirs_state)
        ours, expected = ours_and_torchs_gradients(
            "cnn", theirs, x, labels, train=True, masks={"masks": masks}
        )
    assert not masks["dropout1"]["keep"].all()
    for key in expected:
        assert relative_error(ours[key], expected[key]) <= GRADIENT, key


@pytest.mark.parametrize("name", NAMES)
def test_models_print_as_their_twins_but_for_the_class_name(name):
    theirs = TUTORIALS[name].pair.net()
    assert repr(flaxnets.MODELS[name]()) == repr(theirs).replace(
        type(theirs).__name__, flaxnets.MODELS[name].__name__, 1
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_shape_of_images_gives_the_same_outputs(name):
    model, x = SMALL[name], jnp.asarray(images(), jnp.float32)
    variables = model.init(KEY, x)
    shapes = [(5, 28, 28), (5, 28, 28, 1), (5, 1, 28, 28)] + [(5, 784)] * (name != "cnn")
    outs = [model.apply(variables, x.reshape(shape)) for shape in shapes]
    for out in outs:
        np.testing.assert_array_equal(out, outs[0])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(28, 28), (2, 27, 28), (2, 3, 28, 28), (2, 785), (784,)])
def test_another_shape_is_refused_with_those_that_fit(name, shape):
    with pytest.raises(ValueError, match=re.escape("(N, 28, 28, 1)") + ".*; got "):
        SMALL[name].init(KEY, jnp.ones(shape))


def test_bytes_are_refused_since_images_are_in_0_1():
    with pytest.raises(TypeError, match="got uint8: divide 8-bit images by 255"):
        flaxnets.CNN().init(KEY, jnp.ones((1, 28, 28), jnp.uint8))


def test_init_under_vmap_gives_each_seed_what_it_gives_alone():
    model, x = SMALL["mlp"], jnp.ones((2, 28, 28))
    keys = jax.random.split(KEY, 3)
    together = jax.vmap(model.init, (0, None))(keys, x)
    alone = model.init(keys[1], x)
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[1], b), together, alone)
    outs = jax.jit(jax.vmap(model.apply, (0, None)))(together, x)
    # the same sums, perhaps in another order: a few float32 roundings of values of order one
    np.testing.assert_allclose(outs[1], model.apply(alone, x), rtol=1e-5, atol=1e-6)


def test_per_example_gradients_and_forward_mode_work_on_the_cnn():
    model, x = SMALL["cnn"], jnp.asarray(images(3), jnp.float32)
    variables, labels = model.init(KEY, x), jnp.arange(3)

    def loss(variables, x, label):
        return model.loss(model.apply(variables, x[None]), label[None])[0]

    gradients = jax.jit(jax.vmap(jax.grad(loss), (None, 0, 0)))(variables, x, labels)
    assert gradients["params"]["conv1"]["kernel"].shape == (3, 3, 3, 1, 2)
    tangent = jax.tree.map(jnp.ones_like, variables)
    forward = jax.jit(lambda *v: jax.jvp(lambda v: loss(v, x[0], labels[0]), *v))
    _, change = forward((variables,), (tangent,))
    slope = sum(jnp.sum(g[0]) for g in jax.tree.leaves(gradients))
    # both are sums of some 2,000 float32 terms
    np.testing.assert_allclose(change, slope, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_tabulate_and_capture_intermediates_show_every_named_layer(name):
    model, x = SMALL[name], jnp.ones((2, 28, 28))
    table = nn.tabulate(model, KEY, console_kwargs={"width": 200})(x)
    variables = model.init(KEY, x)
    _, state = model.apply(variables, x, capture_intermediates=True, mutable=["intermediates"])
    captured = {
        path[0].key for path, _ in jax.tree_util.tree_leaves_with_path(state["intermediates"])
    }
    for layer in model.named_children():
        assert layer in table
        assert layer in captured


def transposed_activations(model):
    """The transposes and copies of 4-D arrays of the batch in the compiled forward pass."""
    x = jnp.ones((64, 28, 28, 1))
    variables = model.init(KEY, x)
    text = jax.jit(model.apply).lower(variables, x).compile().as_text()
    return re.findall(r"f32\[64,\d+,\d+,\d+\]\S* (?:transpose|copy)\(", text)


def test_flatten_costs_no_transpose_and_the_check_would_see_one():
    class ChannelsFirst(flaxnets.CNN):
        def setup(self):
            super().setup()
            self.reader = flaxnets.layers.Linear(9216, 128)

        def __call__(self, x):
            x = nn.relu(self.conv2(nn.relu(self.conv1(x))))
            x = flaxnets.layers.max_pool2d(x, 2).transpose(0, 3, 1, 2)
            return self.fc2(nn.relu(self.reader(x.reshape(len(x), -1))))

    assert transposed_activations(ChannelsFirst())
    assert not transposed_activations(flaxnets.CNN())


def test_fields_size_the_networks_and_their_dtypes():
    x = jnp.ones((2, 28, 28))
    cnn = flaxnets.CNN(num_classes=3, channels=[2, 3], hidden=8, param_dtype=jnp.bfloat16)
    variables = cnn.init(KEY, x)
    assert variables["params"]["fc1"]["kernel"].shape == (12 * 12 * 3, 8)
    assert variables["params"]["fc1"]["kernel"].dtype == jnp.bfloat16
    assert cnn.apply(variables, x).shape == (2, 3)
    assert hash(cnn) == hash(cnn.clone())
    mlp = flaxnets.MLP(hidden=[8, 8, 8], dtype=jnp.bfloat16)
    assert mlp.apply(mlp.init(KEY, x), x).dtype == jnp.bfloat16


@pytest.mark.parametrize("name", NAMES)
def test_softmax_and_losses_are_in_single_precision_in_a_network_of_half(name):
    """As under torch's autocast. MLP returns logits, which stay as they are."""
    model, x = SMALL[name].clone(dtype=jnp.bfloat16), jnp.ones((2, 28, 28))
    outputs = model.apply(model.init(KEY, x), x)
    assert outputs.dtype == (jnp.bfloat16 if name == "mlp" else jnp.float32)
    assert model.loss(outputs, jnp.zeros(2, int)).dtype == jnp.float32


@pytest.mark.parametrize("name", NAMES)
def test_probabilities_are_positive_and_sum_to_one(name):
    model, x = SMALL[name], jnp.asarray(images(), jnp.float32)
    p = model.probabilities(model.apply(model.init(KEY, x), x))
    assert (p > 0).all()
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-5)  # ten float32 terms

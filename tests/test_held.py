"""What a module holds: listed, printed, converted; or refused with the reason, never half."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from flaxnets import interop, layers

KEY = jax.random.key(0)


class Block(layers.Module):
    features: int = 3

    def setup(self):
        self.fc = layers.Linear(self.features, self.features)
        self.drop = layers.Dropout(0.5)

    def __call__(self, x):
        return self.drop(nn.relu(self.fc(x)))


class Everything(layers.Module):
    """Lists, dicts and what is nested in them; own parameters and buffers; one layer twice."""

    def setup(self):
        self.scale = self.param("scale", nn.initializers.ones, (3,))
        self.shift = self.variable("buffers", "shift", lambda: jnp.zeros(3))
        self.blocks = [Block(), Block(), Block()]
        self.heads = {"a": layers.Linear(3, 2), "b": [layers.Linear(3, 2), layers.Linear(3, 4)]}
        self.again = self.blocks[0]
        self.name_ = layers.Linear(3, 3)  # linen owns ``name``
        self.body = layers.Sequential([layers.Linear(3, 3), layers.ReLU(), Block()])

    def __call__(self, x, train=False):
        x = x * self.scale + self.shift.value
        for block in self.blocks:
            x = block(x)
        x = self.again(self.name_(x))
        return self.body(x), self.heads["a"](x), [head(x) for head in self.heads["b"]]


class TorchBlock(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.drop = torch.nn.Linear(3, 3), torch.nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(torch.relu(self.fc(x)))


class TorchEverything(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.randn(3))
        self.register_buffer("shift", torch.randn(3))
        self.blocks = torch.nn.ModuleList([TorchBlock(), TorchBlock(), TorchBlock()])
        more = torch.nn.ModuleList([torch.nn.Linear(3, 2), torch.nn.Linear(3, 4)])
        self.heads = torch.nn.ModuleDict({"a": torch.nn.Linear(3, 2), "b": more})
        self.again = self.blocks[0]
        self.name = torch.nn.Linear(3, 3)
        self.body = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.ReLU(), TorchBlock())

    def forward(self, x):
        x = x * self.scale + self.shift
        for block in self.blocks:
            x = block(x)
        x = self.again(self.name(x))
        return self.body(x), self.heads["a"](x), [head(x) for head in self.heads["b"]]


@pytest.fixture(scope="module")
def both():
    torch.manual_seed(0)
    net = TorchEverything().double().eval()
    with jax.enable_x64(True):
        return net, interop.from_torch(Everything(), net.state_dict())


def test_lists_dicts_nested_containers_and_own_parameters_print_as_torchs_do():
    printed = repr(Everything()).replace("Everything", "TorchEverything")
    assert printed.replace("Block", "TorchBlock") == repr(TorchEverything())


def test_they_convert_to_the_names_order_and_bits_of_torch_and_back(both):
    net, variables = both
    theirs = net.state_dict()
    back = interop.to_torch(Everything(), variables)
    assert list(back) == list(theirs)
    for name, tensor in theirs.items():
        np.testing.assert_array_equal(back[name], tensor.numpy())
    named = interop.named_parameters(Everything(), variables)
    for (name, array), (their_name, tensor) in zip(named, net.named_parameters(), strict=True):
        assert name == their_name  # what is shared comes once, a buffer not at all
        np.testing.assert_array_equal(array, tensor.detach().numpy())


def test_they_compute_what_torch_computes(both):
    net, variables = both
    x = np.random.default_rng(0).normal(size=(4, 3))
    with jax.enable_x64(True):
        ours = Everything().apply(variables, jnp.asarray(x))
        made = Everything().init(KEY, jnp.asarray(x))
    theirs = net(torch.tensor(x))
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b.detach(), rtol=1e-12, atol=1e-14)  # a few sums of three
    assert jax.tree.map(np.shape, made) == jax.tree.map(np.shape, variables)


def test_what_is_one_array_here_must_be_one_in_torch(both):
    state_dict = {name: value.clone() for name, value in both[0].state_dict().items()}
    state_dict["again.fc.bias"] += 1
    message = "again.fc.bias is not equal to blocks.0.fc.bias, with which it is one array here"
    with pytest.raises(ValueError, match=message):
        interop.from_torch(Everything(), state_dict)


def test_a_buffer_that_is_missing_or_left_over_is_named(both):
    state_dict = dict(both[0].state_dict())
    state_dict["other"] = state_dict.pop("shift")
    with pytest.raises(ValueError, match="missing shift; unexpected other"):
        interop.from_torch(Everything(), state_dict)
    with pytest.raises(ValueError, match="missing buffers/shift"):
        interop.to_torch(Everything(), {"params": both[1]["params"]})


def test_a_layer_states_its_torch_side_and_nobody_else_needs_to_know_it():
    """The worked example of CONTRIBUTING: one class."""

    class Scale(layers.Module):
        features: int

        def tensors(self):
            shape = (self.features,)
            yield layers.Tensor("weight", ("params", "scale"), shape, shape)
            yield layers.Tensor("calls", ("batch_stats", "calls"), (), ())

        @nn.compact
        def __call__(self, x, train=False):
            calls = self.variable("batch_stats", "calls", lambda: jnp.zeros((), int))
            if train:
                calls.value += 1
            return x * self.param("scale", nn.initializers.ones, (self.features,))

    model = layers.Sequential([layers.Linear(3, 2), Scale(2)])
    state = {
        "0.weight": np.ones((2, 3)),
        "0.bias": np.zeros(2),
        "1.weight": np.ones(2),
        "1.calls": np.array(7),
    }
    variables = interop.from_torch(model, state)
    assert variables["params"]["1"]["scale"].shape == (2,)
    assert variables["batch_stats"]["1"]["calls"] == 7
    assert list(interop.to_torch(model, variables)) == list(state)


class Compact(layers.Module):
    @nn.compact
    def __call__(self, x):
        return layers.Linear(3, 2)(x)


class Mixed(layers.Module):
    def setup(self):
        self.steps = [layers.ReLU(), 3]

    def __call__(self, x):
        return x


class Tree(layers.Module):
    def setup(self):
        self.pair = self.param("pair", lambda key: {"a": jnp.ones(2), "b": jnp.ones(3)})

    def __call__(self, x):
        return x


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Compact(), "Compact cannot be converted: it is @nn.compact, .*in setup"),
        (layers.Sequential([Compact()]), "0: Compact cannot be converted: it is @nn.compact"),
        (layers.Sequential([layers.ReLU(), nn.Dense(3)]), "1: Dense cannot .* layer of Flax"),
        (nn.Sequential([layers.Linear(3, 2)]), "Sequential cannot .* the whole derives from"),
        (Mixed(), "steps has modules and other things, as 3: torch has no list of both"),
        (Tree(), "Tree: pair is a tree; torch has tensors"),
    ],
)
def test_what_linen_does_not_show_is_refused_with_the_reason(model, message):
    with pytest.raises(TypeError, match=message):
        interop.leaves(model)


def test_a_flatten_that_nobody_declares_is_torchs_and_a_declared_one_is_free():
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(40, 3)
    ).double()
    x = np.random.default_rng(0).normal(size=(2, 1, 6, 7))
    kernels = []
    for declared in ({}, {"flattened_from": (4, 5, 2)}):
        model = layers.Sequential(
            [
                layers.Conv2d(1, 2, 3),
                layers.ReLU(),
                layers.Flatten(),
                layers.Linear(40, 3, **declared),
            ]
        )
        with jax.enable_x64(True):
            variables = interop.from_torch(model, net.state_dict())
            out = model.apply(variables, jnp.asarray(x.transpose(0, 2, 3, 1)))
            text = str(jax.make_jaxpr(model.apply)(variables, jnp.ones((2, 6, 7, 1))))
        np.testing.assert_allclose(out, net(torch.tensor(x)).detach(), rtol=1e-12, atol=1e-14)
        kernels.append(variables["params"]["3"]["kernel"])
        assert ("permutation=(0, 3, 1, 2)" in text) == (not declared)
    assert (kernels[0] != kernels[1]).any()


def test_a_layer_that_is_called_again_has_a_mask_a_call():
    class Twice(layers.Module):
        def setup(self):
            self.drop = layers.Dropout(0.5)

        def __call__(self, x, train=False):
            return self.drop(self.drop(x))

    x = jnp.ones((4, 64))
    out, drawn = Twice().apply({}, x, train=True, rngs={"dropout": KEY}, mutable=["masks"])
    masks = drawn["masks"]["drop"]
    assert (masks["keep"] != masks["keep_1"]).any()
    np.testing.assert_array_equal(out, 4 * (masks["keep"] & masks["keep_1"]))
    np.testing.assert_array_equal(Twice().apply(drawn, x, train=True), out)


def test_a_layer_that_comes_again_in_a_sequential_is_one_layer_as_in_torch():
    again, theirs = layers.Linear(3, 3), torch.nn.Linear(3, 3)
    model = layers.Sequential([again, layers.ReLU(), again])
    net = torch.nn.Sequential(theirs, torch.nn.ReLU(), theirs)
    variables = interop.from_torch(model, net.state_dict())
    assert list(variables["params"]) == ["0"]
    assert list(interop.to_torch(model, variables)) == list(net.state_dict())
    x = torch.randn(2, 3)
    # sums of three in float32
    np.testing.assert_allclose(model.apply(variables, x.numpy()), net(x).detach(), atol=1e-6)


def test_lists_and_dicts_among_the_fields_hash():
    class Fields(layers.Module):
        ways: dict
        sizes: list

        def __call__(self, x):
            return self.ways["a"](x)

    model = Fields({"a": layers.Linear(3, 2)}, [[1, 2], [3]])
    assert hash(model) == hash(Fields({"a": layers.Linear(3, 2)}, [[1, 2], [3]]))
    assert list(dict(model.named_modules())) == ["", "ways.a"]


def test_a_function_in_a_sequential_is_refused_with_the_remedy():
    with pytest.raises(TypeError, match=r"layer 1 must be a linen module.*ReLU\(\), not relu"):
        layers.Sequential([layers.Linear(3, 2), nn.relu])

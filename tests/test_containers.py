"""Containers, and flattenings whose axes they change: as torch's, or refused."""

from collections import OrderedDict

import flax.linen as nn
import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from flaxnets import interop, layers

NORMAL = nn.initializers.normal()
X = np.random.default_rng(0).normal(size=(2, 3))


class Net(layers.Module):
    def setup(self):
        self.blocks = layers.ModuleList(layers.Linear(3, 3) for _ in range(3))
        inner = layers.ModuleList([layers.Linear(3, 2)])
        self.heads = layers.ModuleDict({"b": layers.Linear(3, 2), "a": inner})
        values = [(NORMAL, (3, 4)), (NORMAL, (4, 3)), (NORMAL, ())]
        self.weights = layers.ParameterList(values * 4)  # 10 comes after 9
        self.one = layers.ParameterList(values[:1])
        self.none = layers.ParameterList()
        self.seq = layers.Sequential(
            OrderedDict(
                fc2=layers.Linear(3, 3),
                act=layers.ReLU(),
                fc1=layers.Linear(3, 3),
                same=layers.Identity(54, unused=2),
            )
        )
        self.tail = self.seq[1:]
        self.first = self.seq[0]

    def __call__(self, x):
        for block in self.blocks:
            x = block(x)
        x = x @ self.weights[0] @ self.weights[-11] * self.weights[2] + sum(self.weights[5::3])
        x = x @ self.one[0] @ self.weights[1]
        parts = [self.seq(x), self.tail(x), self.seq[:2](x), self.first(x)]
        return self.heads["b"](sum(parts)) + self.heads["a"][0](x)


class TorchNet(torch.nn.Module):
    def __init__(self):
        super().__init__()

        def parameters(*shapes):
            return torch.nn.ParameterList(
                [torch.nn.Parameter(torch.randn(shape)) for shape in shapes]
            )

        self.blocks = torch.nn.ModuleList(torch.nn.Linear(3, 3) for _ in range(3))
        inner = torch.nn.ModuleList([torch.nn.Linear(3, 2)])
        self.heads = torch.nn.ModuleDict({"b": torch.nn.Linear(3, 2), "a": inner})
        self.weights = parameters(*[(3, 4), (4, 3), ()] * 4)
        self.one = parameters((3, 4))
        self.none = parameters()
        self.seq = torch.nn.Sequential(
            OrderedDict(
                fc2=torch.nn.Linear(3, 3),
                act=torch.nn.ReLU(),
                fc1=torch.nn.Linear(3, 3),
                same=torch.nn.Identity(54, unused=2),
            )
        )
        self.tail = self.seq[1:]
        self.first = self.seq[0]

    forward = Net.__call__  # as it stands


@pytest.fixture(scope="module")
def both():
    torch.manual_seed(0)
    net = TorchNet().double()
    with jax.enable_x64(True):
        return net, interop.from_torch(Net(), net.state_dict())


def test_containers_print_as_torchs_do():
    assert repr(Net()).replace("Net", "TorchNet", 1) == repr(TorchNet())


def test_containers_convert_in_torchs_order_and_back_to_the_bit(both):
    theirs = both[0].state_dict()
    back = interop.to_torch(Net(), both[1])
    assert list(back) == list(theirs)
    for name, tensor in theirs.items():
        np.testing.assert_array_equal(back[name], tensor)
    parameters = [leaf.name for leaf in interop.parameters(Net())]
    assert parameters == [name for name, _ in both[0].named_parameters()]


def test_containers_compute_what_torchs_do(both):
    with jax.enable_x64(True):
        out = jax.jit(Net().apply)(both[1], X)
        made = jax.eval_shape(Net().init, jax.random.key(0), X)
    theirs = both[0](torch.tensor(X)).detach()
    np.testing.assert_allclose(out, theirs, rtol=1e-12, atol=1e-12)  # sums of a few terms
    assert jax.tree.map(np.shape, made) == jax.tree.map(np.shape, both[1])


def test_a_sequential_is_read_as_torchs():
    ours, theirs = (
        lib.Sequential(*([each] if lib is layers else each))
        for lib, each in (
            (lib, [lib.Linear(3, 3), lib.ReLU(), lib.Linear(3, 2)]) for lib in (layers, torch.nn)
        )
    )
    assert len(ours) == len(theirs)
    assert [*map(repr, ours)] == [*map(repr, theirs)]
    assert repr(ours[-1]) == repr(theirs[-1])
    assert repr(ours[1:]) == repr(theirs[1:])
    tail = interop.from_torch(ours[1:], theirs[1:].state_dict())  # 2.weight and 2.bias
    assert list(tail["params"]) == ["2"]
    assert len(layers.Sequential()) == 0
    with pytest.raises(IndexError):
        ours[3]


def test_sequentials_whose_layers_come_in_another_order_are_not_equal():
    """As they are to a dict, which would have jit take the one for the other."""
    one, other = layers.Linear(3, 3), layers.ReLU()
    assert layers.Sequential({"a": one, "b": other}) != layers.Sequential({"b": other, "a": one})
    same = layers.Sequential({"a": one, "b": other})
    assert same == same.clone() == layers.Sequential({"a": one, "b": other})
    assert hash(same) == hash(same.clone())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Sequential(layers.ReLU()), r"takes one list of layers, got ReLU\(\)"),
        (lambda: layers.Sequential({"a.b": layers.ReLU()}), "without a dot, got 'a.b'"),
        (lambda: layers.ModuleDict({"": layers.ReLU()}), "without a dot, got ''"),
        (lambda: layers.ModuleDict({"a": nn.relu}), "layer a must be a linen module"),
        (lambda: layers.ModuleList([3]), "layer 0 must be a linen module, got 3"),
        (lambda: layers.ParameterList([NORMAL]), r"what self.param takes .*ones, \(3, 4\)\), got"),
    ],
)
def test_what_torch_would_not_hold_is_refused(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


FLATTEN, UNFLATTEN = layers.Flatten, layers.Unflatten


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (FLATTEN(0, 1), (2, 3, 4, 5), "start_dim=0 has made .*: say of_maps=False"),
        (FLATTEN(0, 1, True), (2, 3, 4, 5, 6), "start_dim=0 has made"),
        (UNFLATTEN(1, (5, 1)), (2, 3, 4, 5), "dim=1 has split their channels: say of_maps=False"),
        (UNFLATTEN(2, (1, 4)), (2, 3, 4), "it is not clear whether .* say of_maps=True if it does"),
        (UNFLATTEN(0, (1, 1, 2)), (2, 3), "it is not clear whether"),
    ],
)
def test_what_would_leave_maps_in_no_layout_is_refused(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer.apply({}, jnp.ones(shape))


def test_a_video_is_taken_apart_and_put_together_as_it_lies():
    """(N, T, H, W, C), in torch (N, T, C, H, W): the axes that are made one come before both."""
    x = jnp.arange(2 * 3 * 4 * 5 * 6).reshape(2, 3, 4, 5, 6)
    frames = FLATTEN(0, 1).apply({}, x)
    np.testing.assert_array_equal(frames, x.reshape(6, 4, 5, 6))
    np.testing.assert_array_equal(UNFLATTEN(0, (2, 3)).apply({}, frames), x)


def test_an_axis_of_a_symbolic_size_is_no_hindrance():
    stack = layers.Sequential([FLATTEN(), UNFLATTEN(1, (5, 3, 4)), FLATTEN(0, 2)])
    sizes = jax.export.symbolic_shape("n, 3, 4, 5")
    x = jnp.arange(120.0).reshape(2, 3, 4, 5)
    program = jax.export.export(jax.jit(lambda x: stack.apply({}, x)))(
        jax.ShapeDtypeStruct(sizes, jnp.float32)
    )
    np.testing.assert_array_equal(program.call(x), x.transpose(0, 3, 1, 2).reshape(30, 4))

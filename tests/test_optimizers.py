"""The state of optimizers between torch and optax."""

import copy

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

import flaxnets
from flaxnets import interop, layers
from flaxnets.parity.tutorials import TUTORIALS

NAMES = list(flaxnets.MODELS)


def stepped(name, optimizer=torch.optim.Adam, steps=3, **settings):
    """A network of torch and its optimizer after some steps."""
    torch.manual_seed(1)
    net = TUTORIALS[name].pair.net()
    optimizer = optimizer(net.parameters(), **settings)
    images, labels = torch.rand(5, 1, 28, 28), torch.arange(5)
    for _ in range(steps):
        optimizer.zero_grad()
        outputs = net(images.reshape(5, 784) if name == "softmax_mlp" else images)
        TUTORIALS[name].pair.torch_loss(outputs, labels).backward()
        optimizer.step()
    return net, optimizer


def assert_same(ours, theirs):
    assert ours["state"].keys() == theirs["state"].keys()
    for i, state in theirs["state"].items():
        assert ours["state"][i].keys() == state.keys()
        for key, tensor in state.items():
            np.testing.assert_array_equal(ours["state"][i][key], tensor.numpy())


@pytest.mark.parametrize("name", NAMES)
def test_torch_to_optax_to_torch_is_bit_for_bit(name, tmp_path):
    net, optimizer = stepped(name, lr=0.01)
    torch.save({"model": net.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "c.pt")
    model = flaxnets.MODELS[name]()
    loaded = interop.load_optimizer(tmp_path / "c.pt")
    opt_state = interop.adam_from_torch(model, loaded)
    variables = interop.from_torch(model, interop.load(tmp_path / "c.pt"))
    expected = optax.adam(0.01).init(variables["params"])
    assert jax.tree.structure(opt_state) == jax.tree.structure(expected)
    assert jax.tree.map(jnp.shape, opt_state) == jax.tree.map(jnp.shape, expected)
    back = interop.adam_to_torch(model, opt_state, learning_rate=0.01)
    assert_same(back, optimizer.state_dict())
    assert back["param_groups"] == optimizer.state_dict()["param_groups"]


@pytest.mark.parametrize("name", NAMES)
def test_torch_loads_what_came_from_optax(name):
    net, optimizer = stepped(name)
    model = flaxnets.MODELS[name]()
    adam = interop.adam_to_torch(model, interop.adam_from_torch(model, optimizer.state_dict()))
    fresh = torch.optim.Adam(net.parameters())
    fresh.load_state_dict({**adam, "state": jax.tree.map(torch.from_numpy, adam["state"])})
    assert_same(adam, fresh.state_dict())
    fresh.step()  # with the gradients of the last step


def test_an_adam_within_a_chain_is_found():
    model = flaxnets.MLP()
    params = model.init(jax.random.key(0), jnp.ones((1, 28, 28)))["params"]
    chain = optax.chain(optax.add_decayed_weights(0.1), optax.adam(0.1))
    assert len(interop.adam_to_torch(model, chain.init(params))["state"]) == 6
    for state, count in ((optax.sgd(0.1).init(params), 0), ((chain.init(params),) * 2, 2)):
        with pytest.raises(ValueError, match=f"the state holds {count} of optax's Adam"):
            interop.adam_to_torch(model, state)


def test_an_adam_before_its_first_step_is_that_of_optax():
    model = flaxnets.MLP()
    _, optimizer = stepped("mlp", steps=0)
    opt_state = interop.adam_from_torch(model, optimizer.state_dict())
    params = model.init(jax.random.key(0), jnp.ones((1, 28, 28)))["params"]
    jax.tree.map(np.testing.assert_array_equal, opt_state, optax.adam(0.1).init(params))


def test_parameters_in_groups_are_taken_in_their_order():
    net = TUTORIALS["mlp"].pair.net()
    parameters = list(net.parameters())
    optimizer = torch.optim.Adam(
        [{"params": parameters[:2]}, {"params": parameters[2:], "lr": 1.0}]
    )
    net(torch.rand(3, 28, 28)).sum().backward()
    optimizer.step()
    opt_state = interop.adam_from_torch(flaxnets.MLP(), optimizer.state_dict())
    mu = opt_state[0].mu["linear_relu_stack"]["2"]["kernel"]
    expected = optimizer.state[parameters[2]]["exp_avg"].numpy().T
    np.testing.assert_array_equal(mu, expected)


REFUSED = {
    "SGD": (torch.optim.SGD, {"momentum": 0.9}),
    "NAdam": (torch.optim.NAdam, {}),
    "RMSprop": (torch.optim.RMSprop, {}),
    "Adagrad": (torch.optim.Adagrad, {}),
    "Adadelta": (torch.optim.Adadelta, {}),
    "Rprop": (torch.optim.Rprop, {}),
    "AdamW": (torch.optim.AdamW, {"weight_decay": 0.1}),
    "no Adam": (torch.optim.RAdam, {}),
    "amsgrad=True": (torch.optim.Adam, {"amsgrad": True}),
    "maximize=True": (torch.optim.Adam, {"maximize": True}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_optax_has_no_twin_for_is_refused_by_name(name):
    optimizer, settings = REFUSED[name]
    _, optimizer = stepped("mlp", optimizer, **settings)
    with pytest.raises(ValueError, match=name):
        interop.adam_from_torch(flaxnets.MLP(), optimizer.state_dict())


def test_a_state_that_does_not_fit_is_refused():
    _, optimizer = stepped("mlp")
    with pytest.raises(ValueError, match="has 6 parameters, CNN 8"):
        interop.adam_from_torch(flaxnets.CNN(), optimizer.state_dict())
    with pytest.raises(ValueError, match=r"fc2.weight is shaped"):
        interop.adam_from_torch(flaxnets.SoftmaxMLP(), optimizer.state_dict())
    torn = optimizer.state_dict()
    torn["state"][2]["step"] = torch.tensor(9.0)
    del torn["state"][3]["exp_avg"]
    with pytest.raises(
        ValueError, match=r"2.bias has step, exp_avg_sq, .*different steps: \[3, 9\]"
    ):
        interop.adam_from_torch(flaxnets.MLP(), torn)


def test_the_state_of_an_older_torch_is_taken():
    _, optimizer = stepped("mlp")
    state = optimizer.state_dict()
    (group,) = state["param_groups"]
    kept = ("lr", "betas", "eps", "weight_decay", "amsgrad", "params")  # torch 1.0's
    older = {**state, "param_groups": [{key: group[key] for key in kept}]}
    ours, newer = (interop.adam_from_torch(flaxnets.MLP(), s) for s in (older, state))
    jax.tree.map(np.testing.assert_array_equal, ours, newer)
    del older["param_groups"][0]["params"]
    with pytest.raises(ValueError, match="no Adam"):
        interop.adam_from_torch(flaxnets.MLP(), older)


class Small(layers.Module):
    def setup(self):
        self.first, self.second = layers.Linear(3, 4), layers.Linear(4, 1)

    def __call__(self, x):
        return self.second(jnp.tanh(self.first(x)))


class TorchSmall(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(3, 4), torch.nn.Linear(4, 1)

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))


CARRIED = {
    "Adam": (torch.optim.Adam, {"lr": 0.02}),
    "Adam with weight decay": (torch.optim.Adam, {"weight_decay": 0.1}),
    "AdamW": (torch.optim.AdamW, {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-6}),
    "SGD": (torch.optim.SGD, {"lr": 0.01}),
    "SGD with momentum": (torch.optim.SGD, {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1}),
    "Nesterov": (torch.optim.SGD, {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
}


@pytest.mark.parametrize("before", [0, 3])
@pytest.mark.parametrize("name", CARRIED)
def test_what_was_begun_in_torch_goes_on_in_optax_and_back(name, before):
    make, settings = CARRIED[name]
    torch.manual_seed(0)
    net, x = TorchSmall().double(), torch.randn(8, 3, dtype=torch.float64)
    optimizer = make(net.parameters(), **settings)

    def torch_steps(n):
        for _ in range(n):
            optimizer.zero_grad()
            (net(x) ** 2).mean().backward()
            optimizer.step()

    torch_steps(before)
    saved = copy.deepcopy(optimizer.state_dict())
    with jax.enable_x64(True):
        twin, state = interop.optimizer_from_torch(Small(), saved)
        params = interop.from_torch(Small(), net.state_dict())["params"]
        if before and name != "SGD":
            assert_same(interop.optimizer_to_torch(Small(), state, saved), saved)

        @jax.jit
        def step(params, state):
            gradient = jax.grad(lambda p: (Small().apply({"params": p}, x.numpy()) ** 2).mean())
            updates, state = twin.update(gradient(params), state, params)
            return optax.apply_updates(params, updates), state

        for _ in range(5):
            params, state = step(params, state)
        ours = interop.to_torch(Small(), {"params": params})
    torch_steps(5)
    # five steps of Adam: see levels.adam; what keeps nothing yet begins in single precision
    close = {"rtol": 1e-9, "atol": 1e-11} if before else {"rtol": 1e-6, "atol": 1e-7}
    for key, value in net.state_dict().items():
        np.testing.assert_allclose(ours[key], value, **close)


def test_settings_without_a_twin_or_that_differ_between_groups_are_refused_by_name():
    def state(make, *groups, **settings):
        parameters = list(TorchSmall().parameters())
        parts = [{"params": parameters[:2]}, {"params": parameters[2:], **dict(groups)}]
        return make(parts, **settings).state_dict()

    for optimizer, message in (
        (state(torch.optim.SGD, momentum=0.9, dampening=0.1), "SGD with dampening=0.1"),
        (state(torch.optim.Adam, ("lr", 1.0)), "groups of parameters differ in lr"),
        (state(torch.optim.Adamax), "no Adam: only Adam, AdamW and SGD"),
        (torch.optim.Muon([torch.ones(3, 4)]).state_dict(), "no Adam: only Adam, AdamW and SGD"),
    ):
        with pytest.raises(ValueError, match=message):
            interop.optimizer_from_torch(Small(), optimizer)
    older = state(torch.optim.AdamW)
    for group in older["param_groups"]:
        del group["decoupled_weight_decay"]
    with pytest.raises(ValueError, match="Adam or AdamW, with a weight decay: this file of an old"):
        interop.optimizer_from_torch(Small(), older)


def test_a_weight_decay_is_not_dropped_without_a_word():
    _, optimizer = stepped("mlp", weight_decay=0.01)
    with pytest.raises(ValueError, match=r"weight_decay=0.01 .*optimizer_from_torch"):
        interop.adam_from_torch(flaxnets.MLP(), optimizer.state_dict())

"""The networks to be ported run in torch: what then fails of one is its port's fault."""

import ast
import inspect

import pytest
import torch
from networks import NETWORKS
from networks.naive import NAIVE
from networks.refused import REFUSED
from torch.utils import _pytree as pytree

EACH = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
OF_NO_GRADIENT = {  # parameters that no output depends on, by what the network is there to show
    "UsedAsWeights": {"conv.bias"},
    "CalledForNothing": {"bn.weight", "bn.bias"},
    "WithoutGradients": {"features.weight", "features.bias"},
}


def run(net, inputs):
    if isinstance(inputs, dict):
        return net(**inputs)
    return net(*inputs) if isinstance(inputs, tuple) else net(inputs)


def without_gradient(net, inputs):
    """Names of the trainable parameters that the sum of the outputs gives no gradient."""
    outputs = pytree.tree_leaves(run(net, inputs))
    outputs = [vars(out).values() if hasattr(out, "hidden") else [out] for out in outputs]
    floats = [t for out in outputs for t in out if torch.is_tensor(t) and t.requires_grad]
    if floats:
        torch.stack([t.double().sum() for t in floats]).sum().backward()
    return {name for name, p in net.named_parameters() if p.requires_grad and p.grad is None}


@EACH
def test_a_network_runs_in_both_modes_and_all_its_parameters_get_gradients(network):
    net, inputs = network.small(), network.example()
    run(net.eval(), inputs)
    assert not without_gradient(net.train(), inputs)


@EACH
def test_a_small_network_is_small(network):
    assert sum(p.numel() for p in network.small().parameters()) < 50_000


@pytest.mark.slow
@EACH
def test_a_network_runs_at_its_real_widths(network):
    run(network.real(), network.real_example())


@EACH
def test_a_file_of_networks_imports_torch_and_python_alone(network):
    tree = ast.parse(inspect.getsource(inspect.getmodule(network.small)))
    names = [node.names[0].name for node in ast.walk(tree) if isinstance(node, ast.Import)]
    names += [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    ours = {"collections", "functools", "math", "typing", "__future__"}
    assert {name.split(".")[0] for name in names} <= ours | {"torch"}


@pytest.mark.parametrize("case", NAIVE, ids=lambda case: case.network.__name__)
def test_what_a_naive_port_gets_wrong_is_right_in_torch(case):
    net, inputs = case.network(), case.example()
    run(net.eval(), inputs)
    name = case.network.__name__
    assert without_gradient(net.train(), inputs) == OF_NO_GRADIENT.get(name, set())


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.network.__name__)
def test_what_is_to_be_refused_runs_in_torch_and_marks_its_line(case):
    net, inputs = case.network(), case.example()
    run(net.eval(), inputs)
    run(net.train(), inputs)
    assert case.lines()


def test_each_that_a_naive_port_gets_wrong_says_what():
    assert [case.network.__name__ for case in NAIVE if not case.network.__doc__] == []

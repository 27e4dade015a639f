"""What the tests of ports use: networks of torch and their ports, run beside each other."""

import copy

import jax
import numpy as np
import torch

EXACT = 1e-12  # of the largest: rounding in float64, through all layers


def run(net, inputs):
    """A network of torch, as its inputs are: a tensor, a tuple or a dict; they are left alone."""
    inputs = mapped(torch.clone, inputs)
    if isinstance(inputs, dict):
        return net(**inputs)
    return net(*inputs) if isinstance(inputs, tuple) else net(inputs)


def applied(ported, inputs, variables=None, compiled=False):
    """A port in evaluation, likewise, in the dtypes of the inputs; as one program if compiled."""
    arrays = mapped(lambda tensor: tensor.numpy().copy(), inputs)
    variables = ported.variables if variables is None else variables
    apply = jax.jit(ported.apply) if compiled else ported.apply
    with jax.enable_x64(True):
        if isinstance(arrays, dict):
            return apply(variables, **arrays)
        return apply(variables, *(arrays if isinstance(arrays, tuple) else (arrays,)))


def mapped(function, inputs):
    """Of each tensor."""
    if isinstance(inputs, dict):
        return {name: function(tensor) for name, tensor in inputs.items()}
    if isinstance(inputs, tuple):
        return tuple(map(function, inputs))
    return function(inputs)


def in_double(inputs):
    """Floats in float64, the others as they are."""
    return mapped(lambda x: x.double() if x.is_floating_point() else x, inputs)


def seeded(make):
    """A network from a fixed seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make()


def arrays_of(tree):
    """The arrays and tensors of any outputs; of a data class by its attributes."""
    leaves = jax.tree.leaves(tree)
    nested = [arrays_of(vars(leaf)) if hasattr(leaf, "__dict__") else [leaf] for leaf in leaves]
    return leaves if all(map(_is_array, leaves)) else [a for each in nested for a in each]


def _is_array(leaf):
    return isinstance(leaf, torch.Tensor | jax.Array | np.ndarray) or np.isscalar(leaf)


def error(ours, theirs):
    """The largest of two trees of outputs, beside torch's largest; infinite if they differ more."""
    ours, theirs = arrays_of(ours), arrays_of(theirs)
    if len(ours) != len(theirs):
        return float("inf")
    return max(map(_error, ours, theirs), default=0.0)


def _error(ours, theirs):
    a, b = np.asarray(ours), np.asarray(torch.as_tensor(theirs).detach())
    if (a.shape, a.dtype) != (b.shape, b.dtype):
        return float("inf")
    if b.dtype.kind in "biu":
        return float((a != b).any())
    same = np.isinf(b) & (a == b)
    gap = np.max(np.abs(np.where(same, 0, a) - np.where(same, 0, b)), initial=0.0)
    return float(gap / (np.max(np.abs(b[~same]), initial=0.0) or 1))


def as_in_torch(ported, net, inputs, compiled=True):
    """The error of the outputs in evaluation, in float64. One program compiles soonest."""
    net, inputs = copy.deepcopy(net).double().eval(), in_double(inputs)
    with torch.no_grad():
        variables = ported.from_torch(net.state_dict())
        return error(applied(ported, inputs, variables, compiled), run(net, inputs))


def failures(report):
    """The records that fail, as they are read."""
    found = [(r.level, r.lane, r.name, float(r.error)) for r in report.records if not r.passed]
    return found or ([] if report.passed else ["nothing was compared"])

"""torch's ``state_dict`` <-> the variables of a model, by what its layers say of themselves."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np

from flaxnets.interop.held import PASSING, leaves, parameters, to_flax
from flaxnets.interop.held import to_torch as as_torchs
from flaxnets.layers.base import Tensor

StateDict = dict[str, np.ndarray]


def from_torch(model: nn.Module, state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """torch's ``state_dict`` -> the variables of ``model``: ``torch.nn.Module.load_state_dict``.

    Args:
        model: a network of ``flaxnets.models``, or one's own on ``flaxnets.layers``.
        state_dict: arrays or torch tensors by torch's names, of any dtype of numbers, in torch's
            shapes: weights (out, in) or (out, in, h, w), biases (out,).

    Returns:
        ``{"params": ...}``, and the collections of buffers if it has some, with NumPy arrays that
        keep the stored dtype: kernels (in, out) or (h, w, in, out), biases (out,).

    Raises:
        ValueError: naming every missing, unexpected and mis-shaped key, and every one with values
            that are not finite, at once.
        TypeError: as ``leaves`` does.
    """
    what = f"this state_dict does not fit {type(model).__name__}"
    return placed(leaves(model), state_dict, what)


def to_torch(model: nn.Module, variables: Mapping[str, Any]) -> StateDict:
    """The variables of ``model`` -> torch's ``state_dict``: the inverse of ``from_torch``.

    What ``torch.nn.Module.state_dict`` gives for the twin.

    Args:
        model: a network of ``flaxnets.models``, or one's own on ``flaxnets.layers``.
        variables: its ``{"params": ...}``, and the collections of buffers if it has some: kernels
            (in, out) or (h, w, in, out), biases (out,).

    Returns:
        NumPy arrays by torch's names, in torch's order and shapes, bit for bit what went in.
        ``torch.from_numpy`` takes them as they are, but for bfloat16, which it does not know.

    Raises:
        ValueError: naming every missing, unexpected and mis-shaped path of ``variables`` at once.
            Values that are not finite are taken.
        TypeError: as ``leaves`` does.
    """
    what = f"these variables are not those of {type(model).__name__}"
    return named(leaves(model), variables, what)


def named_parameters(
    model: nn.Module, variables: Mapping[str, Any]
) -> Iterator[tuple[str, np.ndarray]]:
    """What ``torch.nn.Module.named_parameters`` gives for the twin: its names, order and shapes.

    Args:
        model, variables: as ``to_torch`` takes them.

    Yields:
        Pairs of a name, as ``"conv1.weight"``, and a NumPy array, a copy of the same dtype, in
        torch's layout, as (out, in, h, w).

    Raises: as ``to_torch`` does, once the first pair is asked for.
    """
    what = f"these variables are not those of {type(model).__name__}"
    params = {"params": variables.get("params", {})}
    yield from named(parameters(model), params, what).items()


def placed(held: Sequence[Tensor], given: Mapping[str, Any], what: str) -> dict[str, Any]:
    """torch's arrays by name, in their places here. Raises ValueError that begins with ``what``."""
    arrays = {name: as_numpy(value) for name, value in given.items()}
    offences = [
        *_misfits({leaf.name: leaf.shape for leaf in held}, arrays),
        *_not_finite({leaf.name: arrays[leaf.name] for leaf in held if leaf.name in arrays}),
        *_untied(held, arrays),
    ]
    if offences:
        raise ValueError(f"{what}: " + "; ".join(offences))
    tree: dict[str, Any] = {}
    for leaf in held:
        node = tree
        for part in leaf.path[:-1]:
            node = node.setdefault(part, {})
        node[leaf.path[-1]] = np.array(to_flax(leaf, arrays[leaf.name]), order="C")  # a copy
    return tree


def named(held: Sequence[Tensor], tree: Mapping[str, Any], what: str) -> StateDict:
    """The inverse: our arrays by torch's names. Raises ValueError that begins with ``what``."""
    state = {name: branch for name, branch in tree.items() if name not in PASSING}
    found = jax.tree_util.tree_leaves_with_path(state)
    arrays = {"/".join(str(key.key) for key in path): np.asarray(value) for path, value in found}
    if offences := _misfits({"/".join(leaf.path): leaf.ours for leaf in held}, arrays):
        raise ValueError(f"{what}: " + "; ".join(offences))
    return {
        leaf.name: np.array(as_torchs(leaf, arrays["/".join(leaf.path)]), order="C")  # a copy
        for leaf in held
    }


def _misfits(expected: Mapping[str, tuple[int, ...]], given: StateDict) -> list[str]:
    offences = [f"missing {name}" for name in expected if name not in given]
    offences += [f"unexpected {name}" for name in given if name not in expected]
    offences += [
        f"{name} is shaped {given[name].shape}, expected {shape}"
        for name, shape in expected.items()
        if name in given and given[name].shape != shape
    ]
    return offences


def _untied(held: Sequence[Tensor], arrays: StateDict) -> Iterator[str]:
    """Of what is one array here, the names under which torch has another."""
    first: dict[tuple[str, ...], str] = {}
    for leaf in held:
        name = first.setdefault(leaf.path, leaf.name)
        a, b = (arrays.get(n) for n in (name, leaf.name))
        if a is not None and b is not None and not np.array_equal(a, b):
            yield f"{leaf.name} is not equal to {name}, with which it is one array here"


def _not_finite(arrays: StateDict) -> Iterator[str]:
    for name, array in arrays.items():
        if not jnp.issubdtype(array.dtype, jnp.number):
            yield f"{name} holds {array.dtype}, expected numbers"
        elif n := int(np.sum(~np.isfinite(array))):
            yield f"{name} has {n} values that are not finite"


def as_numpy(value: Any) -> np.ndarray:
    """An array or a torch tensor as a NumPy array of the same dtype."""
    if not hasattr(value, "detach"):
        return np.asarray(value)
    tensor = value.detach().cpu()  # a torch tensor, without importing torch
    array: np.ndarray
    if str(tensor.dtype) == "torch.bfloat16":  # which torch itself does not hand to NumPy
        array = tensor.view(dtype=tensor.short().dtype).numpy()
        return array.view(ml_dtypes.bfloat16)
    array = tensor.numpy()
    return array

"""The layout rules: torch's ``state_dict`` <-> the variables of a model."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np

StateDict = dict[str, np.ndarray]

# Every difference between torch's arrays and ours stands here: the axes of torch's weight in the
# order of linen's kernel. The way back is the inverse permutation.
LAYOUTS: dict[str, tuple[int, ...]] = {
    "Linear": (1, 0),  # (out, in) -> (in, out)
    "Conv2d": (2, 3, 1, 0),  # (out, in, h, w) -> (h, w, in, out)
    # A Linear on flattened feature maps is a convolution with a kernel as large as they are:
    "Linear flattened_from": (2, 3, 1, 0),  # (out, C, H, W) -> (H, W, C, out)
}


class Leaf(NamedTuple):
    """One parameter on both sides."""

    name: str  # torch's: "fc1.weight"
    path: tuple[str, ...]  # ours: ("params", "fc1", "kernel")
    shape: tuple[int, ...]  # torch's
    view: tuple[int, ...]  # what torch's array is seen as before its axes are permuted
    axes: tuple[int, ...]
    kernel_shape: tuple[int, ...]  # ours

    def to_flax(self, array: np.ndarray) -> np.ndarray:
        """torch's array -> ours, of the same dtype."""
        return array.reshape(self.view).transpose(self.axes).reshape(self.kernel_shape)

    def to_torch(self, array: np.ndarray) -> np.ndarray:
        """Ours -> torch's: the inverse, to the bit."""
        permuted = array.reshape([self.view[axis] for axis in self.axes])
        return permuted.transpose(np.argsort(self.axes)).reshape(self.shape)


def leaves(model: nn.Module) -> Iterator[Leaf]:
    """The parameters of a model made of flaxnets' layers, as they are here and in torch.

    Args:
        model: a network of ``flaxnets.models``, or one's own on ``flaxnets.layers``. It holds no
            arrays yet, and needs none.

    Yields:
        A ``Leaf`` a parameter, in the order of ``torch.nn.Module.named_parameters``, with its name
        and shape in torch, as (out, in), its path and shape here, as (in, out). It maps arrays of
        any dtype from one to the other.

    Raises:
        TypeError: for a model that does not list its layers as those of ``flaxnets.layers`` do.
    """
    if not hasattr(model, "named_modules"):
        raise TypeError(
            f"{type(model).__name__} cannot be converted: interop needs a model that is built "
            "from flaxnets.layers and derives from flaxnets.layers.Module"
        )
    for name, layer in model.named_modules():
        if hasattr(layer, "kernel_shape"):
            yield from _layer_leaves(name, layer)


def _layer_leaves(name: str, layer: Any) -> Iterator[Leaf]:
    kernel, maps = layer.kernel_shape, getattr(layer, "flattened_from", None)
    axes = _axes(layer, " flattened_from" if maps else "")
    permuted = (*maps, kernel[-1]) if maps else kernel
    view = tuple(permuted[axis] for axis in np.argsort(axes))
    shape = kernel[::-1] if maps else view
    dots = [part for part in name.split(".") if part]  # a bare layer's name is empty
    path = ("params", *dots)
    yield Leaf(".".join([*dots, "weight"]), (*path, "kernel"), shape, view, axes, kernel)
    if layer.use_bias:
        bias = kernel[-1:]
        yield Leaf(".".join([*dots, "bias"]), (*path, "bias"), bias, bias, (0,), bias)


def _axes(layer: Any, suffix: str) -> tuple[int, ...]:
    for kind in type(layer).__mro__:  # a subclass is laid out as its base
        if (name := kind.__name__ + suffix) in LAYOUTS:
            return LAYOUTS[name]
    raise TypeError(f"{type(layer).__name__} cannot be converted: it is none of {list(LAYOUTS)}")


def from_torch(model: nn.Module, state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """torch's ``state_dict`` -> the variables of ``model``: ``torch.nn.Module.load_state_dict``.

    Args:
        model: a network of ``flaxnets.models``, or one's own on ``flaxnets.layers``.
        state_dict: arrays or torch tensors by torch's names, of any dtype of numbers, in torch's
            shapes: weights (out, in) or (out, in, h, w), biases (out,).

    Returns:
        ``{"params": ...}`` with NumPy arrays that keep the stored dtype: kernels (in, out) or
        (h, w, in, out), biases (out,).

    Raises:
        ValueError: naming every missing, unexpected and mis-shaped key, and every one with values
            that are not finite, at once.
        TypeError: for a model that is not built from flaxnets' layers.
    """
    expected = {leaf.name: leaf for leaf in leaves(model)}
    arrays = {name: as_numpy(value) for name, value in state_dict.items()}
    _check(f"this state_dict does not fit {type(model).__name__}",
           {name: leaf.shape for name, leaf in expected.items()}, arrays, finite=True)  # fmt: skip
    variables: dict[str, Any] = {}
    for name, leaf in expected.items():
        node = variables
        for part in leaf.path[:-1]:
            node = node.setdefault(part, {})
        node[leaf.path[-1]] = np.array(leaf.to_flax(arrays[name]), order="C")  # always a copy
    return variables


def to_torch(model: nn.Module, variables: Mapping[str, Any]) -> StateDict:
    """The variables of ``model`` -> torch's ``state_dict``: the inverse of ``from_torch``.

    What ``torch.nn.Module.state_dict`` gives for the twin.

    Args:
        model: a network of ``flaxnets.models``, or one's own on ``flaxnets.layers``.
        variables: its ``{"params": ...}``: kernels (in, out) or (h, w, in, out), biases (out,).

    Returns:
        NumPy arrays by torch's names, in torch's order and shapes, bit for bit what went in.
        ``torch.from_numpy`` takes them as they are, but for bfloat16, which it does not know.

    Raises:
        ValueError: naming every missing, unexpected and mis-shaped path of ``variables`` at once.
            Values that are not finite are taken.
        TypeError: for a model that is not built from flaxnets' layers.
    """
    expected = {"/".join(leaf.path[1:]): leaf for leaf in leaves(model)}
    params, _ = jax.tree_util.tree_flatten_with_path(variables.get("params", {}))
    arrays = {"/".join(str(key.key) for key in path): np.asarray(value) for path, value in params}
    _check(f"these variables are not those of {type(model).__name__}",
           {path: leaf.kernel_shape for path, leaf in expected.items()}, arrays)  # fmt: skip
    return {
        leaf.name: np.array(leaf.to_torch(arrays[path]), order="C")  # always a copy
        for path, leaf in expected.items()
    }


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
    yield from to_torch(model, variables).items()


def _check(
    what: str, expected: Mapping[str, tuple[int, ...]], given: StateDict, finite: bool = False
) -> None:
    offences = [f"missing {name}" for name in expected if name not in given]
    offences += [f"unexpected {name}" for name in given if name not in expected]
    offences += [
        f"{name} is shaped {given[name].shape}, expected {shape}"
        for name, shape in expected.items()
        if name in given and given[name].shape != shape
    ]
    if finite:
        offences += _not_finite({name: given[name] for name in expected if name in given})
    if offences:
        raise ValueError(f"{what}: " + "; ".join(offences))


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

"""The program of a call, traced without computing anything, with marks of what its layers do."""

import contextvars
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np
from jax.ad_checkpoint import checkpoint_name
from jax.experimental.xla_metadata import set_xla_metadata

from flaxnets.layers.flattening import axes
from flaxnets.layers.flattening.axes import Label

MARK = "flaxnets.flattening "  # then a Mark as JSON; no program of a user has it
looking: contextvars.ContextVar[bool] = contextvars.ContextVar("looking", default=False)
OPTIONS = ("rngs", "method", "mutable", "capture_intermediates")  # of linen, not of the call


class Mark(NamedTuple):
    """What is written beside an array while a call is looked at."""

    # "made" or "read" maps, "features" of a layer, as Linear, or what it "takes" or, having no
    # array for each of its places, "splits", as Unflatten and GroupNorm, or of which it "counts"
    # the axes, as Softmax
    role: str
    rank: int  # vmap adds axes before
    path: str
    kind: str  # of the layer: "Linear"
    axes: int  # the last ones, that are read as one
    declared: list[int] | None


class Call(NamedTuple):
    """A call of a network by ``apply`` or ``init_with_output``, and its inputs."""

    entry: Callable[..., Any]
    module: nn.Module
    first: Any  # the variables, or the keys
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def parted(self) -> tuple[Any, Any]:
        """What is the network's state and linen's options, and what are its inputs."""
        options = {name: value for name, value in self.kwargs.items() if name in OPTIONS}
        inputs = {name: value for name, value in self.kwargs.items() if name not in OPTIONS}
        return (self.first, options), (self.args, inputs)

    def key(self) -> Any:
        """What a verdict is remembered by."""
        leaves, structure = jax.tree.flatten(self.parted()[1])
        kinds = [(leaf.shape[1:], leaf.dtype) if is_array(leaf) else leaf for leaf in leaves]
        return (self.module, self.kwargs.get("method"), structure, *kinds)


def traced(call: Call) -> tuple[Any, list[Label]]:
    """The program of a call, with marks, and the labels of its arguments."""
    (state, state_tree), (inputs, inputs_tree) = map(jax.tree.flatten, call.parted())
    leaves = [*state, *inputs]
    places = [i for i, leaf in enumerate(leaves) if is_array(leaf)]

    def program(*arrays: Any) -> Any:
        filled = [*leaves]
        for i, array in zip(places, arrays, strict=True):
            filled[i] = array
        first, options = jax.tree.unflatten(state_tree, filled[: len(state)])
        args, kwargs = jax.tree.unflatten(inputs_tree, filled[len(state) :])
        found = call.entry(call.module, first, *args, **options, **kwargs)
        return [leaf for leaf in jax.tree.leaves(found) if isinstance(leaf, jax.Array)]

    shapes = [_as_jax_has_it(leaves[i]) for i in places]
    # jit keeps what it traces under this metadata apart from a user's programs.
    with nn.intercept_methods(_mark), set_xla_metadata(flattening="looked_at"):
        found = jax.make_jaxpr(program)(*shapes)
    given = [i >= len(state) and are_maps(leaves[i]) for i in places]
    kinds = [axes.maps if maps else axes.plain for maps in given]
    return found, [kind(each.shape) for kind, each in zip(kinds, shapes, strict=True)]


def _as_jax_has_it(leaf: Any) -> jax.ShapeDtypeStruct:
    """NumPy's double precision is single, where JAX has not been told otherwise."""
    is_numpys = isinstance(leaf, np.ndarray)
    dtype = jax.dtypes.canonicalize_dtype(leaf.dtype) if is_numpys else leaf.dtype
    return jax.ShapeDtypeStruct(leaf.shape, dtype)


def _mark(call: Callable[..., Any], args: Any, kwargs: Any, context: Any) -> Any:
    module = context.module
    looks = (reads_features, makes_maps, counts_axes)
    if context.method_name != "__call__" or not any(look(module) for look in looks):
        return call(*args, **kwargs)
    args, kwargs = _with_marks((args, kwargs), _role_before, module)
    return _with_marks(call(*args, **kwargs), _role_after, module)


def _role_before(module: nn.Module, rank: int) -> str:
    if makes_maps(module) and rank > 2:
        return "read"
    if counts_axes(module):
        return "counts" if rank > 2 else ""
    if not reads_features(module) or not rank:
        return ""
    return "takes" if hasattr(module, "flattened_from") else "splits"


def _role_after(module: nn.Module, rank: int) -> str:
    if makes_maps(module) and rank > 2:
        return "made"
    return "features" if getattr(module, "makes_features", False) and rank else ""


def _with_marks(tree: Any, role_of: Callable[[nn.Module, int], str], module: nn.Module) -> Any:
    path = ".".join(module.path) or type(module).__name__
    found = getattr(module, "flattened_from", None)
    declared = None if found is None else [int(size) for size in found]
    says = (path, type(module).__name__, getattr(module, "feature_axes", 1), declared)

    def marked(leaf: Any) -> Any:
        if not is_array(leaf) or not (role := role_of(module, leaf.ndim)):
            return leaf
        return checkpoint_name(leaf, MARK + json.dumps(Mark(role, leaf.ndim, *says)))

    return jax.tree.map(marked, tree)


def made_maps(maps: jax.Array, function: str) -> jax.Array:
    """What a function made of maps by taking axes apart, as maps again, while it is looked at."""
    if not looking.get():
        return maps
    mark = Mark("made", maps.ndim, function, function, 1, None)
    marked: jax.Array = checkpoint_name(maps, MARK + json.dumps(mark))
    return marked


def makes_maps(module: nn.Module) -> bool:
    """Whether a module, which may be one of linen's own, says so."""
    return bool(getattr(module, "makes_maps", False))


def reads_features(module: nn.Module) -> bool:
    """Whether it may read flattenings, and has not said by () that they are as torch's."""
    says = getattr(module, "reads_features", False)
    return bool(says) and getattr(module, "flattened_from", None) != ()


def counts_axes(module: nn.Module) -> bool:
    """Whether it counts axes, and has not said whether those of maps are torch's."""
    return bool(getattr(module, "counts_axes", False))


def is_array(leaf: Any) -> bool:
    """Whether it is traced as an array; other leaves stay what they are."""
    return isinstance(leaf, jax.Array | np.ndarray | jax.ShapeDtypeStruct)


def are_maps(leaf: Any) -> bool:
    """Of an input: (N, H, W, C), and not the (N, 1, H, W) in which torch has square grey images."""
    shape = leaf.shape
    return len(shape) == 4 and not (shape[1] == 1 and shape[2] == shape[3])


def read(name: str) -> Mark | None:
    """The mark that a name is, if it is one."""
    return Mark(*json.loads(name.removeprefix(MARK))) if name.startswith(MARK) else None


def after(mark: Mark, label: Label) -> Label:
    """The label of what is marked, if that says more than where it came from."""
    shape = [axes.product(atoms) for atoms in label]
    if mark.role == "made":
        before = len(shape) - mark.rank
        return (*label[:before], *axes.maps(shape[before:]))
    if mark.role == "features":
        return (*label[:-1], axes.axis(axes.FEATURE, shape[-1]))
    return label

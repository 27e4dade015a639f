"""A network of torch's, ported: its source, the module that it makes, weights, and what to know."""

from __future__ import annotations

import contextlib
import copy
import inspect
import itertools
import sys
import types
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import torch

from flaxnets import interop
from flaxnets.interop.layout import as_numpy
from flaxnets.port import looks, making, network
from flaxnets.port.analysis import Analysis
from flaxnets.port.author import is_torchs
from flaxnets.port.byhand import ByHand
from flaxnets.port.forward import Forward
from flaxnets.port.sameness import same
from flaxnets.port.offences import Offences, Unsupported
from flaxnets.port.operation import Refused
from flaxnets.port.plan import LAYERS, Plan
from flaxnets.port.record import recorded


_numbers = itertools.count(1)


class Ported:
    """What became of a ``torch.nn.Module``.

    Attributes:
        source: Flax source, on ``flaxnets.layers``.
        model: the module that the source makes.
        variables: the network's weights and state: NumPy arrays of its dtypes.
        notes: what a reader must know: lines of the torch file, what, and why.
    """

    def __init__(self, net: torch.nn.Module, source: str, notes: list[str], plan: Plan) -> None:
        self.source, self.notes, self._net = source, notes, net
        self._plan = plan
        name = f"ported_{next(_numbers)}"
        self.module = sys.modules[name] = types.ModuleType(name)
        exec(compile(source, "<ported>", "exec"), self.module.__dict__)
        self.model: nn.Module = eval(self._root(), self.module.__dict__)
        self.variables = self.from_torch(net.state_dict())

    def _root(self) -> str:
        return _root_text(self._plan).replace(f"{LAYERS}.", "layers.")

    def from_torch(self, state_dict: Mapping[str, Any]) -> dict[str, Any]:
        """torch's ``state_dict`` -> variables: every key is used, or an error."""
        return interop.from_torch(self.model, state_dict)

    def to_torch(self, variables: Any) -> dict[str, np.ndarray]:
        """Variables, or a tree like them -> torch's ``state_dict``."""
        return interop.to_torch(self.model, variables)

    def apply(
        self,
        variables: Any,
        *inputs: Any,
        train: bool = False,
        rngs: Any = None,
        mutable: Any = False,
        **keywords: Any,
    ) -> Any:
        """The network's outputs: inputs and outputs lie as in torch."""
        run = self._plan.analysis.runs[0]
        lying = {}
        names = [*run.inputs]
        given = {**dict(zip(names, inputs, strict=False)), **keywords}
        layouts = self._plan.analysis
        for name, value in given.items():
            leaves, tree = jax.tree.flatten(value)
            theirs = torch.utils._pytree.tree_leaves(run.inputs[name])
            moved = [
                jnp.moveaxis(leaf, 1, -1) if _is_last(layouts, their) else leaf
                for leaf, their in zip(leaves, theirs, strict=True)
            ]
            lying[name] = jax.tree.unflatten(tree, moved)
        args = [lying.pop(name) for name, _ in zip(names, inputs, strict=False)]
        out = self.model.apply(
            variables, *args, **lying, train=train, rngs=rngs, mutable=mutable
        )
        found, *changed = out if mutable is not False else (out,)
        leaves, tree = jax.tree.flatten(found)
        theirs = [t for t in jax.tree.leaves(run.outputs) if isinstance(t, torch.Tensor)]
        moved = [
            jnp.moveaxis(leaf, -1, 1) if _is_last(layouts, their) else leaf
            for leaf, their in zip(leaves, theirs, strict=True)
        ]
        found = jax.tree.unflatten(tree, moved)
        return (found, *changed) if changed else found


def _is_last(analysis: Analysis, tensor: Any) -> bool:
    return isinstance(tensor, torch.Tensor) and analysis.lies(tensor).last


def port(net: torch.nn.Module, example: Any, made: making.Making | None = None) -> Ported:
    """A network of torch's as Flax source with its weights.

    Args:
        net: it is left as it was.
        example: a tensor, a tuple of tensors, or a dict of keyword arguments.
        made: how it was made, if that was seen.

    Raises:
        Unsupported: naming all that cannot be ported, each with file and line.
    """
    args, kwargs = ((), example) if isinstance(example, dict) else (_tuple(example), {})
    offences = Offences()
    looks.before(net, offences)
    offences.settle()
    own = _copied(net, offences)
    runs = [recorded(own, args, kwargs, train, offences) for train in (False, True)]
    looks.after(own, runs, offences)
    looks.other_batch(own, args, kwargs, runs[0], offences, recorded)
    offences.settle()
    analysis = Analysis(own, runs, offences)
    offences.settle()
    numbers = tuple(
        size for t in jax.tree.leaves((args, kwargs)) if hasattr(t, "shape") for size in t.shape
    )
    made = made or making.made_anew(own, numbers)
    found = None
    if made is not None:
        with contextlib.suppress(Exception):  # then it is written from its modules
            found = _ported(net, Plan(own, analysis, made))
    if found is None:
        offences.found.clear()
        try:
            found = _ported(net, Plan(own, analysis, making.Making({}, {}), by_hand=True))
        except Refused as refused:
            looks.where(own, "", refused.what, refused.remedy, offences)
            offences.settle()
            raise
    return found


def _copied(net: torch.nn.Module, offences: Offences) -> torch.nn.Module:
    try:
        return copy.deepcopy(net)
    except Exception as error:
        looks.where(net, "", f"it cannot be copied ({error})", "keep no results in it", offences)
        offences.settle()
        raise


def _ported(net: torch.nn.Module, plan: Plan) -> Ported:
    plan.writer, plan.call_writer = ByHand(plan), lambda file: Forward(plan, file, None)
    functions = plan.run_functions()
    looks.flags(plan.analysis, functions, plan.offences)
    looks.unknown_calls(plan, functions, plan.offences)
    plan.offences.settle()
    source = network.written(plan, _root_text(plan), '"""Ported."""\n')
    plan.offences.settle()
    found = Ported(net, source, [], plan)
    same(plan.net, found.model)
    return found


def _root_text(plan: Plan) -> str:
    if plan.by_hand:
        return plan.writer.constructor(plan.net)
    kind = type(plan.net)
    method = plan.method(kind, "__init__")
    names = plan.fields_of(kind)
    texts = []
    parameters = inspect.signature(kind.__init__).parameters if method else {}
    for name, value in plan.making.arguments.items():
        if name in parameters and _equal(parameters[name].default, value):
            continue
        texts.append(f"{names.get(name, name)}={_value(value)}")
    return f"{kind.__name__}({', '.join(texts)})"


def _equal(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)


def _value(value: Any) -> str:
    if isinstance(value, type):
        is_ours = value.__module__.startswith("torch.")
        return f"{LAYERS}.{value.__name__}" if is_ours else value.__name__
    return repr(value)


def _tuple(example: Any) -> tuple[Any, ...]:
    return example if isinstance(example, tuple) else (example,)


__all__ = ["Ported", "Unsupported", "as_numpy", "is_torchs", "port"]

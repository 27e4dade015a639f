"""Inputs and outputs of a ported network: as in torch outside, as its layers read them inside."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import torch

from flaxnets.port.analysis import Analysis
from flaxnets.port.layouts import Layout, held


class Boundary(NamedTuple):
    """How what goes in and comes out lies.

    Attributes:
        inputs: of each argument of ``forward``, by name, the layouts of its arrays.
        outputs: of the arrays of the outputs.
        inner: of each call of a module, by its name, those of the arrays that it gives.
    """

    inputs: dict[str, list[Layout]]
    outputs: list[Layout]
    inner: dict[str, list[list[Layout]]]

    def to_flax(self, inputs: Any) -> Any:
        """An array, a tuple or a dict of arguments: torch's layout -> ours."""
        self._check(inputs)
        if isinstance(inputs, dict):
            return {name: _moved(value, self.inputs[name], True) for name, value in inputs.items()}
        if isinstance(inputs, tuple):
            named = zip(inputs, self.inputs.values(), strict=False)
            return tuple(_moved(value, layouts, True) for value, layouts in named)
        return _moved(inputs, next(iter(self.inputs.values())), True)

    def _check(self, inputs: Any) -> None:
        """Raise ValueError for arguments that the example had not, or too few of them."""
        known = [*self.inputs]
        wrong = [n for n in inputs if n not in known] if isinstance(inputs, dict) else []
        count = len(inputs) if isinstance(inputs, dict | tuple) else 1
        if wrong or count != len(known):
            raise ValueError(f"it was ported with the inputs {known}, got {wrong or count}")

    def given(self, inputs: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Arguments by place and by name, as the twin takes them."""
        if not keywords:
            return self.to_flax(inputs)
        if len(inputs) > len(self.inputs):
            raise ValueError(f"it takes {[*self.inputs]}, got {len(inputs)} by place")
        by_place = zip(self.inputs, inputs, strict=False)
        return self.to_flax({**dict(by_place), **keywords})

    def from_flax(self, outputs: Any) -> Any:
        """Any tree: ours -> torch's layout."""
        return _moved(outputs, self.outputs, False)

    def of_module(self, name: str, call: int, array: Any) -> Any:
        """What a call of a module gives, in torch's layout."""
        calls = self.inner.get(name, [])
        layouts = calls[call - 1] if call <= len(calls) else []
        return in_torchs(array, layouts[0]) if len(layouts) == 1 else array


def boundary(analysis: Analysis) -> Boundary:
    """As the runs of a network have it."""
    run = analysis.runs[0]
    names = {module: name for name, module in analysis.net.named_modules()}
    inner: dict[str, list[list[Layout]]] = {}
    for event in run.events:
        if event.module is not None:
            inner.setdefault(names[event.module], []).append(analysis.given[id(event)])
        elif event.node in analysis.own_layers and event.owner is not None:  # a layer here
            name = f"{names[event.owner]}.{analysis.own_layers[event.node].name}".lstrip(".")
            inner.setdefault(name, []).append(_layouts(analysis, event.out))
    inputs = {name: _layouts(analysis, value) for name, value in run.inputs.items()}
    return Boundary(inputs, _layouts(analysis, run.outputs), inner)


def _layouts(analysis: Analysis, tree: Any) -> list[Layout]:
    return [analysis.lies(leaf) for leaf in jax.tree.leaves(tree) if isinstance(leaf, torch.Tensor)]


def _moved(tree: Any, layouts: list[Layout], inside: bool) -> Any:
    leaves, structure = jax.tree.flatten(tree)
    arrays = [leaf for leaf in leaves if hasattr(leaf, "ndim")]
    if len(arrays) != len(layouts):
        raise ValueError(f"expected {len(layouts)} arrays, got {len(arrays)}")
    lying = iter(layouts)
    move = in_ours if inside else in_torchs
    found = [move(leaf, next(lying)) if hasattr(leaf, "ndim") else leaf for leaf in leaves]
    return jax.tree.unflatten(structure, found)


def in_ours(array: Any, layout: Layout) -> Any:
    """torch's layout -> ours."""
    return array.transpose(held(layout.last, array.ndim)) if layout.last else array


def in_torchs(array: Any, layout: Layout) -> Any:
    """Ours -> torch's layout."""
    if layout.flat:
        maps = array.reshape(array.shape[0], *layout.flat)
        return maps.transpose(0, maps.ndim - 1, *range(1, maps.ndim - 1)).reshape(array.shape)
    if layout.last:
        return array.transpose(0, array.ndim - 1, *range(1, array.ndim - 1))
    return array

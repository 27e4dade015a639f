"""A layer and its twin in torch, called alike: what both give, and how far that is apart."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch
from draws.draw import Draw

from flaxnets import interop
from flaxnets.interop.layout import as_numpy
from flaxnets.parity.masks import mask_places, replayed
from flaxnets.parity.recording import record_masks
from flaxnets.training.call import mode, statistics


class Finding(NamedTuple):
    """One comparison: what was compared, how far off it is, and how far it may be."""

    name: str
    error: float
    bound: float

    @property
    def passed(self) -> bool:
        """NaN passes nothing."""
        return self.error <= self.bound


class Sides:
    """A layer and its twin, with the same weights and state, in one precision."""

    def __init__(self, ours: Any, theirs: torch.nn.Module, draw: Draw, bound: float):
        self.ours, self.theirs, self.bound = ours, theirs, bound
        self.rank = {True: 3, False: np.inf, None: 3 if ours.makes_maps else 4}[draw.maps]
        self.draw = draw
        self.programs: dict[tuple[bool, bool], Any] = {}
        self.variables = interop.from_torch(ours, theirs.state_dict())

    def inputs(self, n: int, seed: int) -> tuple[Any, ...]:
        """Of n examples."""
        return self.draw.inputs(n, np.random.default_rng(seed))

    def conversion(self) -> Iterator[Finding]:
        """Names in their order, and every value to the bit, there and back."""
        there, back = self.theirs.state_dict(), interop.to_torch(self.ours, self.variables)
        yield Finding("names", float(list(back) != list(there)), 0.0)
        for name, tensor in there.items():
            same = back[name].dtype == as_numpy(tensor).dtype
            same = same and np.array_equal(back[name], as_numpy(tensor))
            yield Finding(f"round trip: {name}", float(not same), 0.0)

    def state(self, when: str) -> Iterator[Finding]:
        """What a call in training has left."""
        back = interop.to_torch(self.ours, self.variables)
        trained = dict(self.theirs.named_parameters())
        for name, tensor in self.theirs.state_dict().items():
            if name not in trained:
                error = error_of(back[name], as_numpy(tensor))
                yield Finding(f"{when}: state {name}", error, self.bound)

    def call(self, when: str, train: bool, inputs: Any, slopes: bool = True) -> Iterator[Finding]:
        """Outputs, and gradients of inputs and parameters."""
        self.theirs.train(train)
        theirs = self.as_torchs(inputs)
        given = copies(theirs)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            outputs, drawn = record_masks(self.theirs, lambda: self.theirs(*given))
        masks = self._masks(drawn, inputs) if train else {}
        rng = np.random.default_rng(9)
        weights = [rng.normal(size=tuple(out.shape)) for out in floats_of(outputs)]
        found, gradients, changed = self.run(inputs, train, masks, weights, slopes)
        for i, (a, b) in enumerate(zip(jax.tree.leaves(found), leaves_of(outputs), strict=True)):
            b = self.as_ours(as_numpy(b))
            yield Finding(f"{when}: output {i}", error_of(a, b, self.draw.each), self.bound)
        if slopes:
            yield from self._slopes(when, outputs, weights, theirs, gradients)
        if train:
            self.variables = {**self.variables, **changed}

    def _slopes(
        self, when: str, outputs: Any, weights: Any, inputs: Any, found: Any
    ) -> Iterator[Finding]:
        self.theirs.zero_grad()
        pairs = zip(floats_of(outputs), weights, strict=True)
        total = sum((out * torch.tensor(w, dtype=out.dtype)).sum() for out, w in pairs)
        if not total.requires_grad:
            return
        total.backward()
        of_params, of_inputs = found
        for i, (ours, theirs) in enumerate(zip(of_inputs.values(), floats_of(inputs), strict=True)):
            gradient = theirs.grad if theirs.grad is not None else torch.zeros_like(theirs)
            error = error_of(ours, self.as_ours(as_numpy(gradient)), self.draw.each)
            yield Finding(f"{when}: gradient of input {i}", error, self.bound)
        rest = {k: v for k, v in self.variables.items() if k != "params"}
        slopes = interop.to_torch(self.ours, {"params": of_params, **rest})
        for name, parameter in self.theirs.named_parameters():
            gradient = parameter.grad if parameter.grad is not None else torch.zeros(1)
            theirs = as_numpy(gradient.expand_as(parameter))
            yield Finding(f"{when}: gradient of {name}", error_of(slopes[name], theirs), self.bound)

    def run(self, inputs: Any, train: bool, masks: Any, weights: Any, slopes: bool) -> Any:
        """Our outputs, the gradients of their weighted sum, and the state that has changed."""
        leaves = jax.tree.leaves(inputs)
        floats = {i: jnp.asarray(leaf) for i, leaf in enumerate(leaves) if is_float(leaf)}
        arrays = {i: leaf for i, leaf in enumerate(leaves) if isinstance(leaf, np.ndarray)}
        rest = {**{k: v for k, v in self.variables.items() if k != "params"}, **masks}
        if (train, slopes) not in self.programs:
            self.programs[train, slopes] = jax.jit(self._program(inputs, train, slopes))
        whole = {i: leaf for i, leaf in arrays.items() if i not in floats}
        params, weights = self.variables.get("params", {}), [self.as_ours(w) for w in weights]
        return self.programs[train, slopes](params, floats, rest, whole, weights)

    def _program(self, inputs: Any, train: bool, slopes: bool) -> Callable[..., Any]:
        leaves, structure = jax.tree.flatten(inputs)
        model, switch = mode(self.ours, train)
        mutable = statistics(self.variables) if train else []

        def objective(params: Any, floats: Any, rest: Any, whole: Any, weights: Any) -> Any:
            given = {**dict(enumerate(leaves)), **whole, **floats}
            args = jax.tree.unflatten(structure, [given[i] for i in range(len(leaves))])
            variables = {"params": params, **rest}
            out, changed = model.apply(variables, *args, mutable=mutable, **switch)
            total = jnp.zeros(())
            if slopes:
                pairs = zip(floats_of(out), weights, strict=True)
                alike = [(o, w) for o, w in pairs if o.shape == w.shape]  # others are told later
                total = sum((jnp.sum(o * w) for o, w in alike), total)
            return total, (out, changed)

        def program(*given: Any) -> Any:
            if not slopes:
                out, changed = objective(*given)[1]
                return out, None, changed
            gradient = jax.grad(objective, (0, 1), has_aux=True)
            gradients, (out, changed) = gradient(*given)
            return out, gradients, changed

        return program

    def _masks(self, drawn: Any, inputs: Any) -> dict[str, Any]:
        asked = mask_places(self.ours, self.variables, *inputs)
        drawn = [d._replace(keep=self.as_ours(_channels_first(d.keep, 4))) for d in drawn]
        return {"masks": found} if (found := replayed(drawn, asked)) else {}

    def as_torchs(self, inputs: Any) -> Any:
        def tensor(leaf: Any) -> Any:
            if not isinstance(leaf, np.ndarray):
                return leaf
            array = _channels_first(leaf, self.rank)
            return torch.tensor(array).requires_grad_(is_float(leaf))

        return jax.tree.map(tensor, inputs)

    def as_ours(self, array: np.ndarray) -> np.ndarray:
        return np.moveaxis(array, 1, -1) if array.ndim >= self.rank else array


def error_of(ours: Any, theirs: Any, each: bool = False) -> float:
    """The largest difference, of numbers above 1 relative to the largest of them.

    Or, of each number above 1 relative to itself: what is large does not hide what is small.
    """
    a, b = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if a.shape != b.shape:
        return float("inf")
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    gaps = np.abs(np.where(same, 0, a) - np.where(same, 0, b))
    if each:
        return float(np.max(gaps / np.maximum(1, np.where(same, 1, np.abs(b))), initial=0))
    finite = np.abs(b[np.isfinite(b)])
    return float(np.max(gaps, initial=0) / max(1, np.max(finite, initial=0)))


def _channels_first(array: np.ndarray, least: float) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(array, -1, 1)) if array.ndim >= least else array


def copies(inputs: Any) -> Any:
    """That a layer may change in place."""
    return jax.tree.map(lambda x: x * 1 if is_float(x) else x, inputs)


def leaves_of(outputs: Any) -> list[torch.Tensor]:
    return [leaf.detach() for leaf in jax.tree.leaves(outputs)]


def is_float(leaf: Any) -> bool:
    if isinstance(leaf, torch.Tensor):
        return leaf.is_floating_point()
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating)


def floats_of(tree: Any) -> list[Any]:
    return [leaf for leaf in jax.tree.leaves(tree) if is_float(leaf)]

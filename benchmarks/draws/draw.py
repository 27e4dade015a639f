"""What is drawn: a layer's arguments, and inputs; and what is refused."""

import inspect
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from flaxnets import layers
from flaxnets.training.call import mode, statistics

RENAMED = {"bias": "use_bias", "init": "init_"}  # torch's names that are others here
Inputs = Callable[[int, np.random.Generator], tuple[Any, ...]]


class Each(NamedTuple):
    """An argument that is another one here than in torch, as a layer: each made anew."""

    ours: Callable[[], Any]
    theirs: Callable[[], Any]


class Draw(NamedTuple):
    """A layer in some of its options.

    Attributes:
        arguments: by torch's names; an ``Each``, if torch takes another one.
        inputs: makes the positional arguments of a call with n examples: arrays as they lie here,
            float64 or int64, trees of them, None, or what is no array and stays as it is.
        maps: whether arrays of three axes and more are maps, channels last here and first in torch.
            By default those of four are, those of three if the layer ``makes_maps``.
        bounds: of errors that are not rounding's, by the beginning of what a check is called. Each
            has its reason beside it, where it is drawn.
        trains: whether it is called in training too.
        each: whether errors are relative to each number, not to the largest: of what goes element
            by element, whose inputs may reach from 1e-30 to 1e10.
    """

    arguments: dict[str, Any]
    inputs: Inputs
    maps: bool | None = None
    bounds: Mapping[str, float] = {}
    trains: bool = True
    each: bool = False


class Wrong(NamedTuple):
    """What is refused: arguments by torch's names; with inputs, when the layer is called."""

    arguments: dict[str, Any]
    inputs: Inputs | None = None
    message: str = ""  # what ours must say: by default the name of the last argument


class Layer(NamedTuple):
    """A layer, and all that is drawn of it.

    Attributes:
        draws: its options with inputs.
        examples: options that have a trap; they are looked at in every test run.
        wrong: what torch refuses, and so do we.
        refused: what torch takes and we do not, by the option's name.
        unheard: parameters of torch's that have no meaning here.
        theirs: torch's class, if it is not torch.nn's of that name.
    """

    draws: st.SearchStrategy[Draw]
    examples: Sequence[Draw] = ()
    wrong: Sequence[Wrong] = ()
    refused: Mapping[str, Wrong] = {}
    unheard: Sequence[str] = ("device", "dtype")
    theirs: Callable[..., torch.nn.Module] | None = None

    def pair(self, name: str, arguments: Mapping[str, Any]) -> tuple[Any, torch.nn.Module]:
        """Ours and torch's with the same arguments."""
        return self.ours(name, arguments), self.made_in_torch(name, arguments)

    def ours(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """With torch's arguments, some of which have another name here."""
        made = {k: v.ours() if isinstance(v, Each) else v for k, v in arguments.items()}
        renamed = {RENAMED.get(key, key): value for key, value in made.items()}
        return getattr(layers, name)(**renamed)

    def made_in_torch(self, name: str, arguments: Mapping[str, Any]) -> torch.nn.Module:
        """torch's alone."""
        made = {k: v.theirs() if isinstance(v, Each) else v for k, v in arguments.items()}
        return self.torchs(name)(**made)

    def torchs(self, name: str) -> Any:
        """torch's class."""
        return self.theirs or getattr(torch.nn, name)

    def called_here(self, name: str, wrong: Wrong) -> None:
        """Make what is refused, and call it in training if there are inputs, as torch's are."""
        layer = self.ours(name, wrong.arguments)
        if wrong.inputs:
            keys = dict.fromkeys(("params", "dropout"), jax.random.key(0))
            inputs, (layer, switch) = wrong.inputs(2, np.random.default_rng(0)), mode(layer, True)
            variables = layer.init(keys, *inputs)
            changing = statistics(variables)
            layer.apply(variables, *inputs, rngs=keys, mutable=changing, **switch)

    def called_in_torch(self, name: str, wrong: Wrong) -> None:
        """The same; maps lie channels first there."""
        layer = self.made_in_torch(name, wrong.arguments)
        if wrong.inputs:
            inputs = wrong.inputs(2, np.random.default_rng(0))
            layer.double()(*jax.tree.map(self._tensor(name), inputs))

    def _tensor(self, name: str) -> Callable[[Any], Any]:
        rank = 3 if getattr(layers, name).makes_maps else 4

        def tensor(leaf: Any) -> Any:
            if not isinstance(leaf, np.ndarray):
                return leaf
            moved = np.moveaxis(leaf, -1, 1).copy() if leaf.ndim >= rank else leaf
            return torch.tensor(moved)

        return tensor

    def parameters(self, name: str) -> dict[str, Any]:
        """What torch's class takes, and the defaults.

        One that takes nothing may have no constructor of its own.
        """
        init = self.torchs(name).__init__
        found = inspect.signature(next(iter(typing.get_overloads(init)), init)).parameters
        left_out = ("self", "args", "kwargs", *self.unheard)
        return {name: each.default for name, each in found.items() if name not in left_out}

    def varied(self, name: str, draws: Iterable[Draw]) -> list[str]:
        """The options that have two values at least in these draws: one may be the default."""
        given = [draw.arguments for draw in draws]
        values = {
            option: {str(arguments.get(option, default)) for arguments in given}
            for option, default in self.parameters(name).items()
        }
        return [option for option, found in values.items() if len(found) > 1]


def drawn(strategy: st.SearchStrategy[Any], n: int) -> list[Any]:
    """The same n draws each time, of which the first is the smallest."""
    found: list[Any] = []

    @settings(max_examples=n, derandomize=True, deadline=None, phases=[Phase.generate])
    @given(strategy)
    def draw(one: Any) -> None:
        found.append(one)

    draw()
    return found


def normal(*shape: int) -> Inputs:
    """One array (n, *shape) from a normal distribution."""
    return lambda n, rng: (rng.normal(size=(n, *shape)),)


def halves(*shape: int) -> Inputs:
    """One array of multiples of a half, among which are ties, zeros and ones: kinks."""
    return lambda n, rng: (rng.integers(-8, 9, (n, *shape)) / 2,)

"""A network of torch's, ported: its source, the module that it makes, weights, and what to know."""

from __future__ import annotations

import itertools
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import flax.linen as nn
import numpy as np
import torch

from flaxnets import interop
from flaxnets.parity.any_pair import any_pair
from flaxnets.parity.compare import chosen
from flaxnets.parity.report import Report, reported
from flaxnets.parity.twin import called
from flaxnets.port import saving
from flaxnets.port.boundary import Boundary

_numbers = itertools.count(1)


class Ported:
    """What became of a ``torch.nn.Module``.

    Attributes:
        source: Flax source, on ``flaxnets.layers``.
        model: the linen module that the source makes; its own layout is channels last.
        variables: the network's weights and state, NumPy arrays of its dtypes.
        notes: what a reader must know: lines of the torch file, what, and why.
    """

    def __init__(
        self,
        net: torch.nn.Module,
        example: Any,
        source: str,
        root: str,
        lying: Boundary,
        notes: Sequence[str] = (),
        make: Callable[[], torch.nn.Module] | None = None,
    ) -> None:
        self.source, self.notes = source, [*notes]
        self._net, self._example, self._lying, self._make = net, example, lying, make
        self._report: Report | None = None
        self.model: nn.Module = made(source, root)
        self.variables = self.from_torch(net.state_dict())

    def from_torch(self, state_dict: Mapping[str, Any]) -> dict[str, Any]:
        """torch's ``state_dict`` -> variables. Raises ValueError naming each key that is amiss."""
        return interop.from_torch(self.model, state_dict)

    def to_torch(self, variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Variables, or any tree like them, as gradients -> arrays by the names of a state_dict."""
        return interop.to_torch(self.model, variables)

    def apply(
        self,
        variables: Mapping[str, Any],
        *inputs: Any,
        train: bool = False,
        rngs: Any = None,
        mutable: Any = False,
        **keywords: Any,
    ) -> Any:
        """The network's outputs. Pure: for ``jit``, ``grad`` and ``vmap``.

        Args:
            variables: as ``self.variables``. Their dtype is that of the computation.
            inputs, keywords: as ``forward`` takes them, in torch's layouts and dtypes.
            train: whether dropout drops and norms take the batch's statistics.
            rngs, mutable: as linen's ``apply`` takes them: ``rngs={"dropout": key}``,
                ``mutable=["batch_stats"]``.

        Returns:
            The network's tree of outputs, in torch's layouts; with ``mutable`` the pair of them
            and of the collections that have changed.

        Raises:
            ValueError: for inputs of other shapes than the network takes.
        """
        given = self._lying.given(inputs, keywords)
        out = called(self.model, variables, given, train, rngs=rngs, mutable=mutable)
        if mutable is False:
            return self._lying.from_flax(out)
        return self._lying.from_flax(out[0]), out[1]

    def check(
        self,
        levels: Sequence[int] | None = None,
        loss: Any = None,
        progress: Callable[[str], None] | None = None,
    ) -> Report:
        """The proof, level by level: ``parity.check`` on this pair.

        Args:
            levels, loss, progress: as ``parity.check`` takes them.

        Returns:
            A report: ``.passed``, ``.records``; it prints as a table.

        Raises: as ``parity.check`` does.
        """
        pair = any_pair(
            self._net,
            self.model,
            self._example,
            loss=loss,
            make=self._make,
            variables=self.variables,
            to_flax=self._lying.to_flax,
            from_flax=self._lying.from_flax,
            inner=self._lying.of_module,
            own_draws=True,
        )
        self._report = reported(pair, chosen(levels), progress)
        return self._report

    def save(self, folder: str | Path) -> None:
        """Write ``network.py``, ``weights.safetensors`` and, once it was checked, ``PARITY.md``."""
        origin = saving.Origin.of(self._net)
        saving.save(folder, self.source, self.variables, self._report, origin)


def made(source: str, root: str) -> nn.Module:
    """The module that ``root``, as ``Net()``, is in the source."""
    module = types.ModuleType(f"flaxnets_ported_{next(_numbers)}")
    sys.modules[module.__name__] = module  # where dataclasses look for it
    exec(compile(source, f"<{module.__name__}>", "exec"), module.__dict__)
    found: nn.Module = eval(root, module.__dict__)
    return found

"""The proof that the networks are the same as PyTorch's: eleven levels, each with its bound.

This package needs torch: ``pip install 'flaxnets[parity]'``.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flaxnets.parity.report import Report


def run(
    model: str = "cnn",
    data_dir: str | os.PathLike[str] | None = None,
    levels: Sequence[int] | None = None,
) -> "Report":
    """Compare a network with its twin in PyTorch.

    Args:
        model: ``"cnn"``, ``"mlp"`` or ``"softmax_mlp"``.
        data_dir: the folder of MNIST and Fashion-MNIST for the levels that train, 9 to 11. By
            default they train on scikit-learn's digits.
        levels: which of the levels, 1 to 11; all by default.

    Returns:
        A report: ``.passed``, ``.records``; it prints as a table.

    Raises:
        ImportError: if torch is not installed.
        ValueError: for an unknown model or level, or data that cannot be used.
    """
    from flaxnets.parity.compare import chosen, compare
    from flaxnets.parity.report import Report, describe
    from flaxnets.parity.tutorials import tutorial

    found = tutorial(model)
    on = found.setting(data_dir)
    records = [record for level in compare(found.pair, on, chosen(levels)) for record in level]
    return Report(tuple(records), {model: describe(on)})

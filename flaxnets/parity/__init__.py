"""The proof that the networks are the same as PyTorch's: eleven levels, each with its bound.

This package needs torch: ``pip install 'flaxnets[parity]'``.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import flax.linen as nn
    import torch

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


def check(
    net: "torch.nn.Module",
    model: "nn.Module",
    example: Any,
    *,
    variables: Mapping[str, Any] | None = None,
    to_flax: Callable[[Any], Any] | None = None,
    loss: Any = None,
    levels: Sequence[int] | None = None,
    progress: Callable[[str], None] | None = None,
) -> "Report":
    """Compare any network of PyTorch with its twin.

    All is computed in float64 and in float32, whatever JAX is told, on this machine's CPU in torch.
    The network is left as it was, and torch's random state too.

    Args:
        net: the network, with its weights, of any floating dtype and on any device.
        model: a linen module on ``flaxnets.layers``, called with as many inputs as the network, and
            with ``train`` if that makes a difference.
        example: what the network is called with: a tensor, a tuple of tensors, or a dict of them by
            keyword, (N, ...) each, in torch's layout and of floats, whole numbers or truth values.
            Other inputs are drawn like it.
        variables: the twin's, by default what ``interop.from_torch`` makes of the network's.
        to_flax: the example, of NumPy's or JAX's arrays, traced ones too -> what the twin takes
            instead, in the same structure. By default (N, C, H, W) becomes (N, H, W, C), and what
            has another number of axes stays as it is.
        loss: by which it is trained, a name of ``torch.nn.functional``, as "cross_entropy", or a
            function of the outputs and of targets, which are floats of their shape or, if it does
            not take these, classes (N, ...). A tuple of two functions has torch's and the twin's,
            both of what is in torch's layout; of one alone the twin takes torch's derivative. By
            default it is the sum of the outputs, weighted by fixed normals.
        levels: which of the levels, 1 to 11; all by default.
        progress: is called with each line of the report as soon as it is known.

    Returns:
        A report: ``.passed``, ``.records``; it prints as a table.

    Raises:
        ImportError: if torch is not installed.
        TypeError: for an example that is none.
        ValueError: for an unknown level or loss, or a loss that does not take the outputs.
    """
    from flaxnets.parity.any_pair import any_pair
    from flaxnets.parity.compare import chosen
    from flaxnets.parity.report import reported

    numbers = chosen(levels)
    pair = any_pair(net, model, example, loss=loss, variables=variables, to_flax=to_flax)
    return reported(pair, numbers, progress)

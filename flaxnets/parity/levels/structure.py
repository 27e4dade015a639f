"""Level 1: names, shapes, order, counts, and what ``print`` shows. Level 2: initialisation."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from scipy.stats import ks_2samp

from flaxnets import interop
from flaxnets.interop.layout import as_numpy
from flaxnets.parity.pair import Pair
from flaxnets.parity.records import Record, relative_error, surprise

SAMPLE = 20_000  # values of a tensor that the test of its distribution looks at


def structure(pair: Pair) -> Iterator[Record]:
    """Level 1: equal or not."""
    net = pair.net()
    theirs = [(name, tuple(tensor.shape)) for name, tensor in net.state_dict().items()]
    ours = [(leaf.name, leaf.shape) for leaf in interop.leaves(pair.model)]
    count = sum(leaf.size for leaf in jax.tree.leaves(_draws(pair, 1)[0]["params"]))
    printed = repr(pair.model).replace(type(pair.model).__name__, type(net).__name__, 1)
    for name, same in {
        "names, order and shapes": ours == theirs,
        "number of parameters": count == sum(p.numel() for p in net.parameters()),
        "print(model)": printed == repr(net),
    }.items():
        yield Record(pair.name, 1, name, "exact", float(not same), 0.0)


def initialisation(pair: Pair, seeds: int = 10) -> Iterator[Record]:
    """Level 2: hard bounds, and a Kolmogorov-Smirnov test of each tensor against torch's draws.

    The error of a test is -log10 of its p value. With m tests, the smallest p of true hypotheses
    is below 0.001 / m in one case of a thousand (Bonferroni). What torch does not draw, as a norm's
    weights and statistics, is compared as it is.
    """
    drawn = [interop.to_torch(pair.model, draw) for draw in _draws(pair, seeds)]
    torch.manual_seed(0)
    nets = [_begun(pair.net()) for _ in range(seeds)]
    stacks = {
        n: [np.stack([side[n] for side in sides]) for sides in (drawn, nets)] for n in nets[0]
    }
    constant = {name for name, (_, b) in stacks.items() if (b == b[0]).all()}
    bound = -np.log10(0.001 / max(1, len(stacks) - len(constant)))
    for name, (a, b) in stacks.items():
        if name in constant:
            yield Record(pair.name, 2, name, "float32", relative_error(a, b), 4 * 2.0**-23)
            continue
        a, b = a.ravel(), b.ravel()
        limit, bit = _limit(nets[0], name), 1 + 2.0**-23  # which torch's own draws reach
        if np.abs(b).max() <= limit * bit:  # else they are of a layer that has no such limit
            over = float(np.abs(a).max() / limit)
            yield Record(pair.name, 2, f"{name}: largest / limit", "float32", over, bit)
        p = ks_2samp(*(values[:: max(1, len(values) // SAMPLE)] for values in (a, b))).pvalue
        yield Record(pair.name, 2, f"{name}: -log10 p", "float32", surprise(p), bound)


def _begun(net: torch.nn.Module) -> dict[str, np.ndarray]:
    """The parameters and buffers that a network begins with, each once."""
    held = net.state_dict()
    once = [*dict(net.named_parameters()), *dict(net.named_buffers())]
    return {name: as_numpy(held[name]) for name in once if name in held}


def _draws(pair: Pair, seeds: int) -> list[Any]:
    """The variables of so many seeds."""
    init, x = jax.jit(pair.model.init), jnp.asarray(pair.to_flax(np.zeros((1, *pair.shape))))
    return [init(jax.random.key(seed), x) for seed in range(seeds)]


def _limit(parameters: Any, name: str) -> float:
    """1 / sqrt(fan_in): of a bias that of its layer's weight; 0 without such a weight."""
    layer, _, _ = name.rpartition(".")
    weight = parameters.get(f"{layer}.weight" if layer else "weight")
    return 1 / float(np.sqrt(weight[0].size)) if weight is not None else 0.0

"""Level 1: names, shapes, order, counts, and what ``print`` shows. Level 2: initialisation."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from scipy.stats import ks_2samp

from flaxnets import interop
from flaxnets.interop.layout import as_numpy
from flaxnets.parity.layouts import arguments
from flaxnets.parity.pair import Pair
from flaxnets.parity.records import LeftOut, Record, layer_of, relative_error, surprise
from flaxnets.training.call import mode

SAMPLE = 20_000  # values of a tensor that the test of its distribution looks at


def structure(pair: Pair) -> Iterator[Record]:
    """Level 1."""
    net = pair.network()
    theirs = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    ours = {leaf.name: leaf.shape for leaf in interop.leaves(pair.model)}
    facts = {
        _names(ours, theirs): [*ours.items()] == [*theirs.items()],
        "number of parameters": _count(pair) in _torchs_counts(net),
    }
    if pair.prints:
        printed = repr(pair.model).replace(type(pair.model).__name__, type(net).__name__, 1)
        facts["print(model)"] = printed == repr(net)
    if pair.given is not None and ours == theirs:
        facts |= dict(_weights(pair, net))
    for name, same in facts.items():
        yield Record(pair.name, 1, name, "exact", float(not same), 0.0)


def _names(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """What is compared, and what differs."""
    differ = [f"the twin has no {name}" for name in theirs if name not in ours]
    differ += [f"torch has no {name}" for name in ours if name not in theirs]
    differ += [
        f"{name} is {ours[name]}, torch's {shape}"
        for name, shape in theirs.items()
        if ours.get(name, shape) != shape
    ]
    if not differ and [*ours] != [*theirs]:
        differ = [f"torch's order is {', '.join(theirs)}"]
    return ": ".join(["names, order and shapes", *(["; ".join(differ)] if differ else [])])


def _torchs_counts(net: torch.nn.Module) -> tuple[int, int]:
    """All, and those that are trained, which alone may be the twin's."""
    parameters = [*net.parameters()]
    trained = (p.numel() for p in parameters if p.requires_grad)
    return sum(p.numel() for p in parameters), sum(trained)


def _count(pair: Pair) -> int:
    """The twin's parameters."""
    shapes = jax.eval_shape(lambda: _init(pair)(jax.random.key(0)))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes.get("params", {})))


def _weights(pair: Pair, net: torch.nn.Module) -> Iterator[tuple[str, bool]]:
    """Whether the twin's variables are torch's, buffers and counters too: values and dtypes."""
    theirs = {name: as_numpy(tensor) for name, tensor in net.state_dict().items()}
    given = pair.variables or pair.from_torch(pair.model, theirs)
    ours = pair.to_torch(pair.model, given)
    for what, same in {"dtypes": _same_dtype, "values": _same_values}.items():
        wrong = [name for name, array in theirs.items() if not same(ours.get(name), array)]
        yield ": ".join([what, *([", ".join(wrong)] if wrong else [])]), not wrong


def _same_dtype(ours: Any, theirs: np.ndarray) -> bool:
    """JAX's whole numbers have 32 bits, where it is not told otherwise."""
    kinds = {theirs.dtype, jax.dtypes.canonicalize_dtype(theirs.dtype)}
    is_whole = theirs.dtype.kind in "iu"
    return ours is not None and ours.dtype in (kinds if is_whole else {theirs.dtype})


def _same_values(ours: Any, theirs: np.ndarray) -> bool:
    return ours is not None and np.array_equal(ours, theirs)


def initialisation(pair: Pair, seeds: int = 10) -> Iterator[Record]:
    """Level 2: hard bounds, and a Kolmogorov-Smirnov test of each tensor against torch's draws.

    The error of a test is -log10 of its p value. With m tests, the smallest p of true hypotheses
    is below 0.001 / m in one case of a thousand (Bonferroni). What torch does not draw, as a norm's
    weights and statistics, is compared as it is.
    """
    if pair.net is None:
        raise LeftOut("the network is one object, which cannot be made anew")
    torch.manual_seed(0)
    nets = [pair.net() for _ in range(seeds)]
    theirs = [_begun(net) for net in nets]
    ours = [pair.to_torch(pair.model, draw) for draw in _draws(pair, seeds)]
    stacks = {
        n: [np.stack([side[n] for side in sides]) for sides in (ours, theirs)] for n in theirs[0]
    }
    drawn = [name for name, (_, b) in stacks.items() if not (b == b[0]).all()]
    bound = -np.log10(0.001 / max(1, len(drawn)))
    for name, (a, b) in stacks.items():
        records = list(_beginning(pair, name, a, b, _limit(theirs[0], name), bound))
        if pair.own_draws and not all(record.passed for record in records):
            own = _default(nets, name)
            if own is None or _differ(own, b) > bound:
                records = [_of_its_own(record) for record in records]
        yield from records


def _beginning(
    pair: Pair, name: str, a: np.ndarray, b: np.ndarray, limit: float, bound: float
) -> Iterator[Record]:
    """Of a tensor of torch's name: ours, theirs, by seed."""
    if (b == b[0]).all():
        yield Record(pair.name, 2, name, "float32", relative_error(a, b), 4 * 2.0**-23)
        return
    bit = 1 + 2.0**-23  # which torch's own draws reach
    if np.abs(b).max() <= limit * bit:  # else they are of a layer that has no such limit
        over = float(np.abs(a).max() / limit)
        yield Record(pair.name, 2, f"{name}: largest / limit", "float32", over, bit)
    yield Record(pair.name, 2, f"{name}: -log10 p", "float32", _differ(a, b), bound)


def _differ(a: np.ndarray, b: np.ndarray) -> float:
    """-log10 of the p value of two samples of one distribution."""
    samples = (values.ravel()[:: max(1, values.size // SAMPLE)] for values in (a, b))
    return surprise(ks_2samp(*samples).pvalue)


def _default(nets: Sequence[torch.nn.Module], name: str) -> np.ndarray | None:
    """What the layer of torch that has this tensor draws of itself; None if none has it."""
    found = []
    for net in nets:
        module = net.get_submodule(layer_of(name))
        reset = getattr(module, "reset_parameters", getattr(module, "_reset_parameters", None))
        if reset is None or not type(module).__module__.startswith("torch."):
            return None
        reset()
        found.append(np.array(as_numpy(net.state_dict()[name])))
    return np.stack(found)


def _of_its_own(record: Record) -> Record:
    """It is reported only."""
    name = f"{record.name}, which the network's own code draws"
    return record._replace(name=name, bound=float("inf"))


def _begun(net: torch.nn.Module) -> dict[str, np.ndarray]:
    """The parameters and buffers that a network begins with, each once."""
    held = net.state_dict()
    once = [*dict(net.named_parameters()), *dict(net.named_buffers())]
    return {name: as_numpy(held[name]) for name in once if name in held}


def _draws(pair: Pair, seeds: int) -> list[Any]:
    """The variables of so many seeds."""
    init = jax.jit(_init(pair))
    return [init(jax.random.key(seed)) for seed in range(seeds)]


def _init(pair: Pair) -> Callable[[jax.Array], Any]:
    inputs = pair.to_flax(jax.tree.map(jnp.asarray, pair.examples(pair.batch)[0]))
    args, kwargs = arguments(inputs)
    model, switch = mode(pair.model, False)
    return lambda key: model.init(key, *args, **kwargs, **switch)


def _limit(parameters: Any, name: str) -> float:
    """1 / sqrt(fan_in): of a bias that of its layer's weight; 0 without such a weight."""
    layer, _, _ = name.rpartition(".")
    weight = parameters.get(f"{layer}.weight" if layer else "weight")
    return 1 / float(np.sqrt(weight[0].size)) if weight is not None else 0.0

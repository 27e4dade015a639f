"""From a network of torch's to a port: what is done, in its order."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import re
from typing import Any

import jax
import torch

from flaxnets.port import batches, behaviour, depth, looks, making, network
from flaxnets.port.analysis import Analysis
from flaxnets.port.author import DEPTHS, is_torchs
from flaxnets.port.boundary import boundary
from flaxnets.port.byhand import ByHand
from flaxnets.port.formatting import ruff
from flaxnets.port.forward import Forward
from flaxnets.port.names import LAYERS
from flaxnets.port.offences import Offences, Unsupported
from flaxnets.port.operation import Refused
from flaxnets.port.plan import Plan
from flaxnets.port.ported import Ported
from flaxnets.port.record import Run, recorded
from flaxnets.port.sameness import same
from flaxnets.port.ties import tied_layers

MOST = 50  # layers whose order has to be said
HEADER = '"""Ported from {} by flaxnets."""\n'


def port(net: torch.nn.Module, example: Any, made: making.Making | None = None) -> Ported:
    """A network of torch's as Flax source with its weights. It is not checked: see ``check``.

    Args:
        net: it is left as it was. Its source must be had: a file, or a notebook's cell.
        example: what it is called with: a tensor, a tuple of tensors, or a dict of them by
            keyword, in torch's layouts.
        made: how it was made, if that was seen: as the command line has it.

    Returns:
        The port.

    Raises:
        ImportError: if ruff is not installed, which formats the source.
        Unsupported: naming all that cannot be ported, each with file, line and what to do.
    """
    args, kwargs = ((), example) if isinstance(example, dict) else (_tuple(example), {})
    ruff()  # before anything is done
    offences = Offences()
    looks.before(net, offences)
    offences.settle()
    own = _copied(net, offences)
    _stir(own)
    for module in own.modules():
        if type(module) not in DEPTHS and (name := depth.probability(module)):
            DEPTHS[type(module)] = name
    analysis = Analysis(own, _runs(own, args, kwargs, offences), offences)
    offences.settle()
    sizes = [leaf.shape for leaf in jax.tree.leaves((args, kwargs)) if hasattr(leaf, "shape")]
    made = made or making.made_anew(own, tuple(size for shape in sizes for size in shape))
    if made is not None:
        with contextlib.suppress(Exception):  # then it is written from its modules
            return _settled(net, example, own, analysis, made)
    offences.found.clear()
    try:
        return _settled(net, example, own, analysis, None)
    except Unsupported:
        raise
    except Refused as refused:
        looks.where(own, "", refused.what, refused.remedy, offences)
    except Exception as error:  # in doubt it is refused
        what = f"what was written of it fails ({type(error).__name__}: {str(error)[:200]})"
        looks.where(own, "", what, "write it more plainly, or report it", offences)
    raise Unsupported(offences.found)


def _stir(net: torch.nn.Module) -> None:
    """No parameter of the copy is zero or one: what they would hide is seen."""
    drawn = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.is_floating_point():
                noise = torch.rand(parameter.shape, generator=drawn)
                parameter.add_((0.01 + 0.1 * noise).to(parameter))


def _settled(
    net: torch.nn.Module, example: Any, own: Any, analysis: Analysis, made: making.Making | None
) -> Ported:
    """What was written gives what torch gives: shapes and dtypes; and no flattening is in doubt."""
    for path, text in tied_layers(own).items():
        analysis.options.setdefault(own.get_submodule(path), {})["tied_to"] = text
    for _ in range(MOST):
        plan = Plan(own, analysis, made or making.Making({}, {}), by_hand=made is None)
        found = _ported(net, example, plan)
        if (doubtful := behaviour.shapes(found, analysis, example)) is None:
            return found
        module = own.get_submodule(doubtful)
        analysis.options.setdefault(module, {})["flattened_from"] = ()
    raise Refused("a flattening that cannot be followed", "flatten it by torch.flatten(x, 1)")


def _runs(net: torch.nn.Module, args: Any, kwargs: Any, offences: Offences) -> list[Run]:
    """In evaluation, and in training."""
    runs = [recorded(net, args, kwargs, train, offences) for train in (False, True)]
    behaviour.after(net, runs, offences)
    batches.other_batch(net, args, kwargs, runs[0], offences, recorded)
    offences.settle()
    return runs


def _copied(net: torch.nn.Module, offences: Offences) -> torch.nn.Module:
    try:
        return copy.deepcopy(net)
    except Exception as error:
        looks.where(net, "", f"it cannot be copied ({error})", "keep no results in it", offences)
        offences.settle()
        raise


def _ported(net: torch.nn.Module, example: Any, plan: Plan) -> Ported:
    plan.writer, plan.call_writer = ByHand(plan), lambda file: Forward(plan, file, None)
    functions = plan.run_functions()
    behaviour.flags(plan.analysis, functions, plan.offences)
    behaviour.unknown_calls(plan, functions, plan.offences)
    plan.offences.settle()
    for name, parameter in plan.net.named_parameters():
        owner = plan.net.get_submodule(name.rpartition(".")[0])
        if not parameter.requires_grad and is_torchs(owner):
            what = f"{name} has requires_grad=False: leave it out of the optimizer here too"
            plan.notes[what] = None
    source = network.written(plan, root := _root(plan), HEADER.format(type(net).__name__))
    plan.offences.settle()
    if plan.by_hand and root.startswith(LAYERS):
        root = "network()"
    make = None if plan.by_hand else functools.partial(type(net), **plan.making.arguments)
    alias = "fl" if re.search(r"import layers as fl", source) else "layers"
    root = root.replace(LAYERS, alias)
    found = Ported(net, example, source, root, boundary(plan.analysis), [*plan.notes], make)
    same(plan.net, found.model)
    return found


def _root(plan: Plan) -> str:
    """The text that makes the whole."""
    if plan.by_hand:
        text: str = plan.writer.constructor(plan.net)
        return text
    kind = type(plan.net)
    names = plan.fields_of(kind)
    parameters = inspect.signature(kind.__init__).parameters
    texts = [
        f"{names.get(name, name)}={_value(value)}"
        for name, value in plan.making.arguments.items()
        if name not in parameters or not _equal(parameters[name].default, value)
    ]
    return f"{kind.__name__}({', '.join(texts)})"


def _equal(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)


def _value(value: Any) -> str:
    if isinstance(value, type):
        is_torchs = value.__module__.startswith("torch.")
        return f"{LAYERS}.{value.__name__}" if is_torchs else value.__name__
    return repr(value)


def _tuple(example: Any) -> tuple[Any, ...]:
    return example if isinstance(example, tuple) else (example,)

"""Labels, as ``axes`` has them, carried through a program: abstract interpretation of its jaxpr.

What a primitive does to axes is a rule of ``rules``; of one without a rule the result is lost, if
anything in it came from maps.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from flaxnets.layers.flattening import axes
from flaxnets.layers.flattening.axes import Label
from flaxnets.layers.flattening.rules import RULES

Labels = list[Label]
# What happens at a name that ``checkpoint_name`` has given: the name and its label -> the new one.
Named = Callable[[str, Label], Label]
TURNS = 4  # of a loop, after which its labels have settled, but for what swaps them each time


def carry(program: ClosedJaxpr, labels: Sequence[Label], named: Named) -> Labels:
    """The labels of what a program returns, from those of its arguments."""
    return _carry(program.jaxpr, labels, named)


def _carry(jaxpr: Jaxpr, labels: Sequence[Label], named: Named) -> Labels:
    known: dict[Any, Label] = dict(zip(jaxpr.invars, labels, strict=True))

    def of(var: Any) -> Label:
        unknown = isinstance(var, Literal) or var not in known
        return axes.plain(_shape(var)) if unknown else known[var]

    for equation in jaxpr.eqns:
        found = _results(equation, [of(var) for var in equation.invars], named)
        known.update(zip(equation.outvars, found, strict=True))
    return [of(var) for var in jaxpr.outvars]


def _results(equation: Any, labels: Labels, named: Named) -> Labels:
    name, parameters = equation.primitive.name, equation.params
    if name == "name":
        return [named(parameters["name"], labels[0])]
    if name in CONTROL:
        return CONTROL[name](parameters, labels, named)
    if name in RULES:
        return [RULES[name](parameters, labels, _shape(var)) for var in equation.outvars]
    if name in EACH:
        return labels
    if (inner := _inner(equation)) is not None:
        return _carry(inner, labels, named)
    return [axes.lost(labels, _shape(var)) for var in equation.outvars]


def _inner(equation: Any) -> Jaxpr | None:
    """The program that an equation calls, as ``jit`` does: one with its arguments and results."""
    for value in equation.params.values():
        inner = value.jaxpr if isinstance(value, ClosedJaxpr) else value
        if isinstance(inner, Jaxpr) and _shapes(inner) == _shapes(equation):
            return inner
    return None


def _shapes(called: Any) -> tuple[list[Any], list[Any]]:
    """Of the arguments and of the results."""
    return [*map(_shape, called.invars)], [*map(_shape, called.outvars)]


def _shape(var: Any) -> tuple[Any, ...]:
    return getattr(var.aval, "shape", ())


# Control flow.


def _scan(parameters: Any, labels: Labels, named: Named) -> Labels:
    consts, carried = parameters["num_consts"], parameters["num_carry"]
    first = consts + carried
    rows = [label[1:] for label in labels[first:]]
    every = axes.axis(axes.PLAIN, parameters["length"])
    turns = functools.reduce(axes.met, [label[0] for label in labels[first:]], every)
    state, ys = _repeated(
        lambda state: _carry(parameters["jaxpr"].jaxpr, labels[:consts] + state + rows, named),
        labels[consts:first],
    )
    return state + [axes.settled((turns, *label)) for label in ys]


def _while(parameters: Any, labels: Labels, named: Named) -> Labels:
    first = parameters["cond_nconsts"] + parameters["body_nconsts"]
    consts, body = labels[parameters["cond_nconsts"] : first], parameters["body_jaxpr"].jaxpr
    return _repeated(lambda state: _carry(body, consts + state, named), labels[first:])[0]


def _repeated(turn: Callable[[Labels], Labels], state: Labels) -> tuple[Labels, Labels]:
    """The state of a loop when no turn adds to it, and what such a turn returns beside it."""
    for _ in range(TURNS):
        found = turn(state)
        after = [axes.joined(*both) for both in zip(state, found, strict=False)]
        if after == state:
            break
        state = after
    return after, found[len(state) :]


def _cond(parameters: Any, labels: Labels, named: Named) -> Labels:
    found = [_carry(branch.jaxpr, labels[1:], named) for branch in parameters["branches"]]
    return [functools.reduce(axes.joined, same) for same in zip(*found, strict=True)]


EACH = {"optimization_barrier", "device_put"}  # a result for each operand, and the same
CONTROL: dict[str, Callable[[Any, Labels, Named], Labels]] = {
    "scan": _scan,
    "while": _while,
    "cond": _cond,
}

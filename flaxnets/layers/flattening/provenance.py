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
    try:
        found = _followed(equation, labels, named)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        found = None  # another version of JAX has other parameters
    return found or [axes.lost(labels, _shape(var)) for var in equation.outvars]


def _followed(equation: Any, labels: Labels, named: Named) -> Labels | None:
    """None of what has no rule."""
    name, parameters = equation.primitive.name, equation.params
    if name == "name":
        return [named(parameters["name"], labels[0])]
    if name in CONTROL:
        return CONTROL[name](equation, labels, named)
    if name in RULES:
        return [RULES[name](parameters, labels, _shape(var)) for var in equation.outvars]
    if name in EACH:
        return labels
    inner = _inner(equation)
    return None if inner is None else _carry(inner, labels, named)


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


def _scan(equation: Any, labels: Labels, named: Named) -> Labels:
    body = _opened(equation.params["jaxpr"])
    # What is taken row by row has an axis more outside; how many there are of the rest is called
    # otherwise from version to version.
    first = len(labels) - sum(map(_differ, equation.invars, body.invars))
    carried = len(body.outvars) - sum(map(_differ, equation.outvars, body.outvars))
    consts = first - carried
    rows = [label[1:] for label in labels[first:]]
    every = axes.axis(axes.PLAIN, equation.params["length"])
    turns = functools.reduce(axes.met, [label[0] for label in labels[first:]], every)
    state, ys = _repeated(
        lambda state: _carry(body, labels[:consts] + state + rows, named), labels[consts:first]
    )
    return state + [axes.settled((turns, *label)) for label in ys]


def _differ(outside: Any, inside: Any) -> bool:
    return _shape(outside) != _shape(inside)


def _opened(program: Any) -> Jaxpr:
    return program if isinstance(program, Jaxpr) else program.jaxpr


def _while(equation: Any, labels: Labels, named: Named) -> Labels:
    parameters = equation.params
    first = parameters["cond_nconsts"] + parameters["body_nconsts"]
    consts, body = labels[parameters["cond_nconsts"] : first], _opened(parameters["body_jaxpr"])
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


def _cond(equation: Any, labels: Labels, named: Named) -> Labels:
    branches = map(_opened, equation.params["branches"])
    found = [_carry(branch, labels[1:], named) for branch in branches]
    return [functools.reduce(axes.joined, same) for same in zip(*found, strict=True)]


EACH = {"optimization_barrier", "device_put"}  # a result for each operand, and the same
CONTROL: dict[str, Callable[[Any, Labels, Named], Labels]] = {
    "scan": _scan,
    "while": _while,
    "cond": _cond,
}

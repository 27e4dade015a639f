"""Whether it trains: the argument by which a linen module is told, whatever its author calls it."""

import contextlib
import contextvars
import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn

# What each is in training. linen's own layers have the last two.
SWITCHES = {
    "train": True,
    "training": True,
    "is_training": True,
    "deterministic": False,
    "use_running_average": False,
}


def switches(call: Callable[..., Any]) -> tuple[str, ...]:
    """Those of the names above that a function has among its parameters."""
    parameters = inspect.signature(call).parameters
    return tuple(name for name in SWITCHES if name in parameters)


def switched(call: Callable[..., Any], train: bool) -> dict[str, bool]:
    """The arguments that say so to a function, {} if it takes none of them."""
    return {name: SWITCHES[name] == train for name in switches(call)}


def omitted(call: Callable[..., Any], args: Any, kwargs: Any) -> tuple[str, ...]:
    """The switches of a function that a call of it leaves out, or gives as None."""
    try:
        given = inspect.signature(call).bind(*args, **kwargs).arguments
    except TypeError:  # which the call itself will say
        return ()
    return tuple(name for name in switches(call) if given.get(name) is None)


def field(module: nn.Module, name: str) -> Any:
    """What a module has in a field of this name; None if it has no such field."""
    names = {field.name for field in dataclasses.fields(module)}
    return getattr(module, name, None) if name in names else None


def passed_on() -> bool | None:
    """What is called now has its switch from a module above it: this one; None if from none."""
    return _train.get()


def passing_train_on(method: Callable[..., Any]) -> Callable[..., Any]:
    """A module's method that passes on the ``train`` that it is given, or has by default.

    All that is called within it has it, through whatever lies between, if it takes a switch and was
    not given one, by its call or among its fields.
    """
    if "train" not in inspect.signature(method).parameters:
        return method

    @functools.wraps(method)
    def passing(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        bound = inspect.signature(method).bind(self, *args, **kwargs)
        bound.apply_defaults()
        train = bound.arguments["train"]
        if train is None:
            return method(self, *args, **kwargs)
        with _passing(train):
            return method(self, *args, **kwargs)

    return passing


def kept_by_jit(method: Callable[..., Any], kind: str) -> Callable[..., Any]:
    """A method whose program ``nn.jit`` keeps: it must not depend on what is passed on to it."""

    @functools.wraps(method)
    def keeping(*args: Any, **kwargs: Any) -> Any:
        token = _kept.set(kind)
        try:
            return method(*args, **kwargs)
        finally:
            _kept.reset(token)

    return keeping


_train: contextvars.ContextVar[bool | None] = contextvars.ContextVar("train", default=None)
_kept: contextvars.ContextVar[str] = contextvars.ContextVar("kept", default="")


@contextlib.contextmanager
def _passing(train: bool) -> Iterator[None]:
    outermost = _train.get() is None
    token = _train.set(train)
    try:
        with nn.intercept_methods(_pass_on) if outermost else contextlib.nullcontext():
            yield
    finally:
        _train.reset(token)


def _pass_on(call: Callable[..., Any], args: Any, kwargs: Any, context: Any) -> Any:
    module, kind = context.module, type(context.module).__name__
    free = [name for name in omitted(call, args, kwargs) if field(module, name) is None]
    if free and _kept.get():
        raise ValueError(
            f"{kind} takes {free[0]}, but is called without it within {_kept.get()}, which nn.jit "
            f"compiles and keeps: pass {free[0]} on to it there"
        )
    if not free:
        return call(*args, **kwargs)
    bound = inspect.signature(call).bind(*args, **kwargs)
    bound.arguments.update({name: SWITCHES[name] == _train.get() for name in free})
    return call(*bound.args, **bound.kwargs)

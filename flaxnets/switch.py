"""Whether it trains: the argument by which a linen module is told, whatever its author calls it."""

import contextlib
import contextvars
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


def passed_on() -> bool | None:
    """What is called now has its switch from a module above it: this one; None if from none."""
    return _train.get()


def passing_train_on(call: Callable[..., Any]) -> Callable[..., Any]:
    """A module's ``__call__`` that passes on the ``train`` that it is given.

    All that is called within it has it, through whatever lies between, if it takes a switch and was
    not given one, by its call or among its fields.
    """
    if "train" not in inspect.signature(call).parameters:
        return call

    @functools.wraps(call)
    def passing(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if "train" in omitted(call, (self, *args), kwargs):
            return call(self, *args, **kwargs)
        given = inspect.signature(call).bind(self, *args, **kwargs).arguments["train"]
        with _passing(given):
            return call(self, *args, **kwargs)

    return passing


_train: contextvars.ContextVar[bool | None] = contextvars.ContextVar("train", default=None)


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
    train, module = _train.get(), context.module
    if context.method_name == "__call__" and train is not None:
        names = omitted(call, args, kwargs)
        free = [name for name in names if getattr(module, name, None) is None]
        kwargs = {**kwargs, **{name: SWITCHES[name] == train for name in free}}
    return call(*args, **kwargs)

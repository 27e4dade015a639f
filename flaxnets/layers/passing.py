"""How ``train`` reaches what needs it, through whatever lies between."""

import contextlib
import contextvars
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn

from flaxnets.switch import SWITCHES, omitted

_train: contextvars.ContextVar[bool | None] = contextvars.ContextVar("train", default=None)


def passing_train_on(call: Callable[..., Any]) -> Callable[..., Any]:
    """A module's ``__call__`` that passes on the ``train`` that it is given."""
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


@contextlib.contextmanager
def _passing(train: bool) -> Iterator[None]:
    """While it is entered, what is called without its switch has it from here."""
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

"""The argument by which a linen module is told whether it trains, whatever its author calls it."""

import inspect
from collections.abc import Callable
from typing import Any

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
    """The switches of a function that a call of it leaves to their defaults, or gives as None."""
    try:
        given = inspect.signature(call).bind(*args, **kwargs).arguments
    except TypeError:  # which the call itself will say
        return ()
    return tuple(name for name in switches(call) if given.get(name) is None)

"""What changes a tensor in place, done out of place."""

from __future__ import annotations

import inspect
from typing import Any

import torch


def name_of(func: Any) -> str:
    name: str = getattr(func, "__name__", str(func))
    if name in ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"):
        return name.strip("_")
    if name in ("__get__", "__set__"):
        return f"{name[:5]}{func.__self__.__name__}"  # "__getshape"
    return name


def is_in_place(name: str) -> bool:
    return name.endswith("_") and not name.endswith("__")


def out_of_place(func: Any, args: Any, kwargs: Any, inner: bool = False) -> tuple[Any, bool]:
    """What a function gives, and whether it would have changed its input."""
    name = name_of(func)
    if kwargs.get("inplace"):
        return func(*args, **{**kwargs, "inplace": False}), True
    place = _place_of_inplace(func)
    if place is not None and len(args) > place and args[place] is True:
        return func(*args[:place], False, *args[place + 1 :], **kwargs), True
    if inner or not is_in_place(name):
        return func(*args, **kwargs), False
    other = getattr(torch.Tensor, name[:-1], None) or getattr(torch.nn.functional, name[:-1], None)
    if not callable(other) or not isinstance(args[0], torch.Tensor):
        return func(*args, **kwargs), True
    return other(*args, **kwargs), True


def _place_of_inplace(func: Any) -> int | None:
    try:
        return [*inspect.signature(func).parameters].index("inplace")
    except (ValueError, TypeError):
        return None

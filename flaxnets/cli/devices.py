"""The device that ``--device`` names."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import jax


def find(name: str | None) -> jax.Device | None:
    """The device of a name as gpu or gpu:1; None for None, which stands for all there are.

    Raises ValueError if JAX finds no device at all, or none of that name.
    """
    try:
        found = jax.devices()
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"JAX finds no device; is JAX_PLATFORMS right? ({error})") from error
    if name is None:
        return None
    match = re.fullmatch(r"([a-z]+)(?::(\d+))?", name)
    try:
        if match:
            return jax.devices(match[1])[int(match[2] or 0)]
    except (RuntimeError, AssertionError, IndexError):
        pass  # said below
    names = ", ".join(f"{device.platform}:{device.id}" for device in found)
    raise ValueError(f"no device {name!r} here: JAX found {names}")


@contextmanager
def used(device: jax.Device | None) -> Iterator[None]:
    """While it is entered, JAX computes on this device; None leaves it the choice."""
    if device is None:
        yield
    else:
        with jax.default_device(device):
            yield


def describe(device: jax.Device | None) -> str:
    """As ``cpu device: 2 cores``, or ``4 gpu devices: NVIDIA H100``."""
    devices = [device] if device else jax.devices()
    platform, kind = devices[0].platform, devices[0].device_kind
    what = f"{os.cpu_count()} cores" if platform == "cpu" else kind
    if len(devices) == 1:
        return f"{platform} device: {what}"
    processes = f" of {jax.process_count()} processes" if jax.process_count() > 1 else ""
    return f"{len(devices)} {platform} devices{processes}: {what}"

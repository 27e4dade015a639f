"""A network of the user's: its name, weights, example and loss on the command line.

Bad input is raised as ValueError, OSError or ImportError.
"""

import argparse
import json
from typing import TYPE_CHECKING, Any

from flaxnets.cli import inputs

if TYPE_CHECKING:
    from flaxnets.port.targets import Target


def target(options: argparse.Namespace) -> "Target":
    """The network, with its weights. Runs its file."""
    import torch

    from flaxnets.port import targets, weights

    arguments = kwargs(options.kwargs)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # so that the same file gives the same port
        try:
            found = targets.load(options.target, arguments)
        except targets.Unbound as error:
            raise ValueError(f"{error}: give it as --kwargs '{{\"name\": value}}'") from error
    if options.weights:
        weights.read(found.net, options.weights)
    return found


def kwargs(text: str | None) -> dict[str, Any]:
    """What NAME is called with."""
    try:
        found = json.loads(text or "{}")
    except ValueError as error:
        raise ValueError(f"--kwargs {text}: no JSON ({error})") from error
    if not isinstance(found, dict):
        raise ValueError(f"--kwargs {text}: it must be an object, as '{{\"classes\": 10}}'")
    return found


def example(target: "Target", options: argparse.Namespace) -> Any:
    """What the network is called with."""
    from flaxnets.port import targets

    if options.input:
        found = inputs.drawn(options.input, target.net)
    elif callable(make := getattr(target.module, "example", None)):
        with targets.authors_errors():
            found = make()
    else:
        where = options.target.rpartition(":")[0]
        raise ValueError(f"give --input SHAPE, or write a function example() in {where}")
    targets.check_takes(target.net, found)
    return found


def loss(target: "Target", name: str | None) -> Any:
    """A function of the file, else a name of torch's."""
    import torch.nn.functional as F

    found = getattr(target.module, name, None) if name else None
    theirs = getattr(F, name, None) if name else None
    if name and not callable(found) and theirs is None:
        raise ValueError(f"--loss {name}: neither torch.nn.functional nor the file has it")
    return found if callable(found) and found is not theirs else name

"""Convert weights between PyTorch's files and flaxnets', both ways.

examples:
  flaxnets convert checkpoint.pt net.safetensors
      a checkpoint of torch, as predict and flaxnets.load take it
  flaxnets convert runs/cnn net.pt
      what a run has trained, as torch.load and load_state_dict take it
"""

import argparse
from pathlib import Path

from flaxnets import interop, saving
from flaxnets.cli.terminal import bad_input, check_writable
from flaxnets.models import MODELS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    kinds = ", ".join(interop.FORMATS)
    parser.add_argument("source", metavar="IN", help=f"{kinds}, or the folder of a run")
    parser.add_argument("target", metavar="OUT", help=kinds)
    parser.add_argument(
        "--model",
        choices=MODELS,
        help="the network that it must be (default: what its parameters are those of)",
    )
    parser.add_argument("--force", action="store_true", help="replace OUT if it exists")


def run(options: argparse.Namespace) -> int:
    """Convert what the options name. Returns the exit status."""
    with bad_input():
        interop.check_path(options.target)
        check_writable("OUT", options.target)
        if Path(options.target).exists() and not options.force:
            raise ValueError(f"{options.target} exists already: choose another OUT, or --force")
        model, variables = saving.load(options.source)
        name = saving.describe(model)["model"]
        if options.model not in (None, name):
            raise ValueError(f"{options.source} holds a {name}, not a {options.model}")
        known = interop.metadata(saving.find(options.source))
    arrays = interop.to_torch(model, variables)
    interop.save(options.target, arrays, {**known, **saving.describe(model)})
    kinds = ", ".join(sorted({str(array.dtype) for array in arrays.values()}))
    count = sum(array.size for array in arrays.values())
    print(f"{options.source} -> {options.target}: {name}, {count:,} parameters, {kinds}")
    return 0

"""A model in a file: its weights under torch's names, and in the metadata what it is.

The metadata are ``model``, its name in ``MODELS``; ``fields``, its fields as JSON; and what the
caller adds, as ``dataset``.
"""

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from flaxnets import interop
from flaxnets.models import MODELS, Network

PARAMS = "params.safetensors"  # what a run's folder has


def save(
    path: str | os.PathLike[str],
    model: nn.Module,
    variables: Mapping[str, Any],
    **metadata: str,
) -> None:
    """Write one of the networks of ``flaxnets.models`` to a file.

    Args:
        path: the file, as ``interop.save`` takes it: .safetensors, .npz, or .pt and .pth, which
            keep no metadata: from these ``load`` takes the network in its tutorial's sizes.
        model, variables: the network, and its ``{"params": ...}``: arrays of any dtype, shaped as
            ``model.init`` gives them.
        metadata: text to keep with them, as ``dataset="mnist"``.

    Raises:
        TypeError: for another model: ``interop.save`` writes the parameters of any.
        ValueError: for another suffix, or variables that are not the model's.
        OSError: if the file cannot be written.
        ImportError: for a .pt or .pth file where torch is not installed.
    """
    metadata = {**describe(model), **metadata}
    interop.save(path, interop.to_torch(model, variables), metadata)


def load(path: str | os.PathLike[str]) -> tuple[Network, dict[str, Any]]:
    """The model and the variables of a run's folder, or of a file that ``save`` wrote.

    A file without flaxnets' metadata is taken for the network, in its tutorial's sizes, whose
    parameters it holds.

    Args:
        path: a folder that holds ``params.safetensors``, or a file as ``interop.load`` takes it.

    Returns:
        The linen module and ``{"params": ...}``, NumPy arrays of the stored dtype, shaped as
        ``model.init`` gives them.

    Raises:
        ValueError: if it holds none of the networks, or is not whole.
        OSError: if there is no such file, or it cannot be read.
        ImportError: for a .pt or .pth file where torch is not installed.
    """
    path = find(path)
    metadata, state_dict = interop.metadata(path), interop.load(path)
    try:
        model = _restore(metadata) if "model" in metadata else _recognise(state_dict)
        return model, interop.from_torch(model, state_dict)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def find(path: str | os.PathLike[str]) -> Path:
    """The file of weights that a path names, itself or in a run's folder."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file or folder")
    if not path.is_dir():
        return path
    if not (path / PARAMS).is_file():
        raise FileNotFoundError(
            f"{path} holds no {PARAMS}: it is not the folder of a run, or of one to be resumed, "
            "which has not come to the end of its first epoch"
        )
    return path / PARAMS


def describe(model: nn.Module) -> dict[str, str]:
    """The metadata from which ``load`` makes the model again."""
    names: dict[type, str] = {network: name for name, network in MODELS.items()}
    if type(model) not in names:
        raise TypeError(f"{type(model).__name__} is none of {', '.join(MODELS)}")
    values = {name: getattr(model, name) for name in _fields(type(model))}
    fields = {name: _plain(name, value) for name, value in values.items()}
    return {"model": names[type(model)], "fields": json.dumps(fields)}


def _restore(metadata: Mapping[str, str]) -> Network:
    name = metadata["model"]
    if name not in MODELS:
        raise ValueError(f"saved with the model {name!r}, which is none of {', '.join(MODELS)}")
    text = metadata.get("fields", "{}")
    try:
        saved = json.loads(text).items()
        tuning = {field.name for field in dataclasses.fields(MODELS[name]) if _is_tuning(field)}
        fields = {name: _from_plain(name, value) for name, value in saved if name not in tuning}
        model = MODELS[name](**fields)
        list(interop.leaves(model))  # defines the layers: a field of another kind is found here
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"the fields of its metadata are not those of {name}: {text:.80}"
        ) from error
    return model


def _recognise(state_dict: interop.StateDict) -> Network:
    shapes = {name: array.shape for name, array in state_dict.items()}
    for network in MODELS.values():
        if {leaf.name: leaf.shape for leaf in interop.leaves(network())} == shapes:
            return network()
    raise ValueError(
        "it names no model in its metadata, and its parameters are those of none of "
        f"{', '.join(MODELS)} in their tutorials' sizes"
    )


def _fields(network: type[nn.Module]) -> list[str]:
    """Those that say what it computes: not how it does on a machine, nor linen's own."""
    fields = [field for field in dataclasses.fields(network) if not _is_tuning(field)]
    return [field.name for field in fields if field.name not in ("name", "parent")]


def _is_tuning(field: "dataclasses.Field[Any]") -> bool:
    return bool(field.metadata.get("tuning"))


def _plain(name: str, value: Any) -> Any:
    """A field as JSON has it: a dtype by its name."""
    return jnp.dtype(value).name if value is not None and name.endswith("dtype") else value


def _from_plain(name: str, value: Any) -> Any:
    if value is None or not name.endswith("dtype"):
        return value
    if not jnp.issubdtype(value, jnp.floating):
        raise ValueError(f"{value} is no floating dtype")
    return getattr(jnp, jnp.dtype(value).name)

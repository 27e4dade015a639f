"""What torch's own layers read and give: maps, features, or whatever they are given."""

from __future__ import annotations

from typing import Any

import torch

from flaxnets import layers
from flaxnets.port.author import DEPTHS
from flaxnets.port.layouts import Layout
from flaxnets.port.operation import Operation, Refused

MAPS = (
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "GroupNorm",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "LocalResponseNorm",
    "MaxPool1d",
    "MaxPool2d",
    "AvgPool1d",
    "AvgPool2d",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "Upsample",
    "UpsamplingBilinear2d",
    "UpsamplingNearest2d",
    "PixelShuffle",
    "PixelUnshuffle",
    "ZeroPad1d",
    "ZeroPad2d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "CircularPad1d",
    "CircularPad2d",
    "Dropout1d",
    "Dropout2d",
    "FeatureAlphaDropout",
    "Softmax2d",
)
EACH = (
    "ReLU",
    "ReLU6",
    "LeakyReLU",
    "ELU",
    "CELU",
    "SELU",
    "GELU",
    "SiLU",
    "Mish",
    "Hardswish",
    "Hardsigmoid",
    "Hardtanh",
    "Hardshrink",
    "Softshrink",
    "Sigmoid",
    "LogSigmoid",
    "Tanh",
    "Tanhshrink",
    "Softplus",
    "Softsign",
    "Threshold",
    "RReLU",
    "Dropout",
    "AlphaDropout",
    "Identity",
    "StochasticDepth",
)
OF_FEATURES = ("Linear", "BatchNorm1d", "LayerNorm", "PReLU", "RMSNorm")  # as flattened_from says
UNKNOWN = "write it with the layers of torch.nn that flaxnets.layers has"


def call(op: Operation, module: torch.nn.Module) -> None:
    """How a layer's input must lie, and how its output does. Notes options that it needs here."""
    kind = layer_of(module)
    x = op.event.args[0] if op.event.args else next(iter(op.event.kwargs.values()))
    if not isinstance(x, torch.Tensor):
        raise Refused(f"{kind} called with {type(x).__name__}", UNKNOWN)
    layout = op.lies(x)
    if layout.flat and kind in OF_FEATURES and x.ndim == 2:
        return _of_features(op, module, kind, layout)
    if kind in EACH or (kind == "PReLU" and _one(module)):
        op.gives(layout)
    elif kind in MAPS or (kind == "PReLU" and x.ndim > 2):
        op.want("input", last=True)
        op.gives(x.ndim > 2)
    elif kind in ("Softmax", "LogSoftmax", "Softmin", "GLU"):
        _along(op, module, kind, x)
    elif kind in ("LayerNorm", "RMSNorm"):
        _over_last(op, module, x)
    elif kind in ("Flatten", "Unflatten"):
        _flattening(op, module, kind, x)
    else:  # the rest lies as in torch
        for name in op.values:
            op.want(name)
        op.gives()


def _one(module: Any) -> bool:
    """Whether a PReLU has one slope for all."""
    return bool(module.num_parameters == 1)


def layer_of(module: torch.nn.Module) -> str:
    """The name of its class in ``flaxnets.layers``: of torch's class that has its forward."""
    if type(module) in DEPTHS:
        return "StochasticDepth"
    holder = next(each for each in type(module).__mro__ if "forward" in vars(each))
    kind: Any = next(
        (each for each in type(module).__mro__ if each.__module__.startswith("torch.nn.modules")),
        holder,
    )
    name: str = kind.__name__
    if name == "NonDynamicallyQuantizableLinear":
        return "Linear"
    if not hasattr(layers, name):
        raise Refused(f"torch.nn.{name}", UNKNOWN)
    return name


def _of_features(op: Operation, module: Any, kind: str, layout: Layout) -> None:
    """The order of what is flattened is baked into its weights."""
    op.analysis.option(op, module, "flattened_from", layout.flat)
    op.gives(Layout() if kind == "Linear" else layout)


def _along(op: Operation, module: Any, kind: str, x: torch.Tensor) -> None:
    layout = op.lies(x)
    if module.dim is None:
        raise Refused(f"{kind} without dim", "say the axis: dim=1")
    if kind == "GLU" and layout.flat:
        op.want("input")
    if layout.last:
        op.analysis.option(op, module, "of_maps", True)
    elif x.ndim == 4:
        op.analysis.option(op, module, "of_maps", False)
    op.gives(layout)


def _over_last(op: Operation, module: Any, x: torch.Tensor) -> None:
    layout = op.lies(x)
    sizes = len(module.normalized_shape)
    if layout.last and sizes == x.ndim - 1:
        if sizes == 2:
            op.analysis.option(op, module, "of_maps", True)
        op.gives(layout)
        return
    op.want("input")
    if sizes > 2:
        op.analysis.option(op, module, "of_maps", False)
    op.gives()


def _flattening(op: Operation, module: Any, kind: str, x: torch.Tensor) -> None:
    layout = op.lies(x)
    if kind == "Unflatten":
        return _unflattened(op, module, x)
    start, end = module.start_dim % x.ndim, module.end_dim % x.ndim
    if not layout.last:
        if x.ndim == 4:
            op.analysis.option(op, module, "of_maps", False)
        op.want("input")
        return op.gives()
    if x.ndim == 3 and start != end:
        op.analysis.option(op, module, "of_maps", True)
    maps = (*x.shape[2:], x.shape[1])
    is_whole = start == 1 and end == x.ndim - 1
    if not is_whole or x[0, 0].numel() == 1 or x.shape[1] == 1:
        return op.gives(start > 1 or start == end)
    op.analysis.flattened.append((op.event, op.origin, maps))
    op.gives(Layout() if op.wish == "torch" else Layout(flat=maps))


def _unflattened(op: Operation, module: Any, x: torch.Tensor) -> None:
    op.want("input", op.lies(x).last)
    out = op.event.out
    becomes = x.ndim == 2 and out.ndim == 4
    if out.ndim == 4 and not becomes:
        op.analysis.option(op, module, "of_maps", False)
        op.want("input")
    op.gives(becomes)

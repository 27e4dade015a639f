"""The networks of the PyTorch tutorials in JAX and Flax linen."""

from flaxnets import data, interop, layers, losses, models, training
from flaxnets.interop import named_parameters
from flaxnets.models import CNN, MLP, MODELS, SoftmaxMLP
from flaxnets.saving import load, save

__version__ = "0.1.0"
__all__ = [
    "CNN",
    "MLP",
    "MODELS",
    "SoftmaxMLP",
    "data",
    "interop",
    "layers",
    "load",
    "losses",
    "models",
    "named_parameters",
    "save",
    "training",
]

"""The networks of the PyTorch tutorials in JAX and Flax linen."""

from flaxnets import data, interop, layers, models, training
from flaxnets.models import CNN, MLP, MODELS, SoftmaxMLP

__version__ = "0.1.0"
__all__ = ["CNN", "MLP", "MODELS", "SoftmaxMLP", "data", "interop", "layers", "models", "training"]

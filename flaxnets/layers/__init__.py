"""The layers of ``torch.nn`` that the tutorials use, as linen modules with torch's semantics.

What differs from torch is what JAX asks for: images are channels last, (N, H, W, C); training is
an argument of the call (``train=True``), not a state of the module; random numbers come from the
key given as ``rngs={"dropout": key}``. What differs from linen is what torch has: sizes are
given on both sides, weights and biases start uniform in +-1/sqrt(fan_in), nothing is padded,
``Dropout2d`` drops whole channels, and modules print as torch's do.
"""

from flaxnets.layers.activation import LogSoftmax, ReLU, Softmax
from flaxnets.layers.attention import scaled_dot_product_attention
from flaxnets.layers.base import Module, Tensor
from flaxnets.layers.container import Sequential
from flaxnets.layers.convolution import Conv2d
from flaxnets.layers.dropout import Dropout, Dropout2d
from flaxnets.layers.flatten import Flatten
from flaxnets.layers.linear import Linear
from flaxnets.layers.multihead_attention import MultiheadAttention
from flaxnets.layers.patches import conv2d
from flaxnets.layers.pooling import MaxPool2d, max_pool2d
from flaxnets.layers.stand_in import LayerNorm
from flaxnets.layers.transformer import TransformerDecoder, TransformerEncoder
from flaxnets.layers.transformer_layer import TransformerDecoderLayer, TransformerEncoderLayer

__all__ = [
    "Conv2d",
    "Dropout",
    "Dropout2d",
    "Flatten",
    "LayerNorm",
    "Linear",
    "LogSoftmax",
    "MaxPool2d",
    "Module",
    "MultiheadAttention",
    "ReLU",
    "Sequential",
    "Softmax",
    "Tensor",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "conv2d",
    "max_pool2d",
    "scaled_dot_product_attention",
]

"""The layers of ``torch.nn`` that its tutorials and examples use, with torch's semantics.

They are linen modules of torch's names, arguments and defaults. What differs from torch is what JAX
asks for: maps are channels last, (N, H, W, C) and (N, L, C); training is an argument of the call
(``train=True``), not a state of the module; random numbers come from the key given as
``rngs={"dropout": key}``; torch's ``bias`` is ``use_bias``. What differs from linen is what torch
has: sizes on both sides, initial distributions, paddings, running statistics, gradients at kinks,
masks of whole channels, and ``print``. Functions are named as in ``torch.nn.functional``; where
``jax.nn`` or linen has torch's own, as ``relu`` and ``silu``, that is to be taken.
"""

from flaxnets.layers.activation import (
    GELU,
    LogSigmoid,
    Mish,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Softsign,
    Tanh,
    Tanhshrink,
    gelu,
    softplus,
)
from flaxnets.layers.adaptive import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
)
from flaxnets.layers.attention import scaled_dot_product_attention
from flaxnets.layers.averaging import AvgPool1d, AvgPool2d, avg_pool1d, avg_pool2d
from flaxnets.layers.base import Module, Tensor
from flaxnets.layers.batch_norm import BatchNorm1d, BatchNorm2d
from flaxnets.layers.container import Identity, ModuleDict, ModuleList, Sequential
from flaxnets.layers.convolution import Conv1d, Conv2d, conv1d, conv2d
from flaxnets.layers.dropout import AlphaDropout, Dropout, Dropout1d, Dropout2d, FeatureAlphaDropout
from flaxnets.layers.elementwise import absolute, clamp, normalize
from flaxnets.layers.embedding import Embedding, embedding
from flaxnets.layers.embedding_bag import EmbeddingBag, embedding_bag
from flaxnets.layers.exponential import CELU, ELU, SELU
from flaxnets.layers.extremes import max, min
from flaxnets.layers.flatten import Flatten, Unflatten
from flaxnets.layers.group_norm import GroupNorm, LocalResponseNorm, group_norm, local_response_norm
from flaxnets.layers.instance_norm import InstanceNorm1d, InstanceNorm2d
from flaxnets.layers.layer_norm import LayerNorm, RMSNorm, layer_norm, rms_norm
from flaxnets.layers.linear import Linear
from flaxnets.layers.multihead_attention import MultiheadAttention
from flaxnets.layers.padding import pad
from flaxnets.layers.pads import (
    CircularPad1d,
    CircularPad2d,
    ConstantPad1d,
    ConstantPad2d,
    ReflectionPad1d,
    ReflectionPad2d,
    ReplicationPad1d,
    ReplicationPad2d,
    ZeroPad1d,
    ZeroPad2d,
)
from flaxnets.layers.parameter_list import ParameterList
from flaxnets.layers.piecewise import (
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyReLU,
    ReLU6,
    RReLU,
    hardtanh,
    leaky_relu,
)
from flaxnets.layers.pooling import MaxPool1d, MaxPool2d, max_pool1d, max_pool2d
from flaxnets.layers.prelu import PReLU, prelu
from flaxnets.layers.recurrent import GRU, LSTM, RNN
from flaxnets.layers.recurrent_cells import GRUCell, LSTMCell, RNNCell
from flaxnets.layers.resizing import interpolate
from flaxnets.layers.shuffling import PixelShuffle, PixelUnshuffle, pixel_shuffle, pixel_unshuffle
from flaxnets.layers.softmax import GLU, LogSoftmax, Softmax, Softmax2d, Softmin
from flaxnets.layers.stochastic_depth import StochasticDepth
from flaxnets.layers.thresholds import (
    Hardshrink,
    Softshrink,
    Threshold,
    hardshrink,
    softshrink,
    threshold,
)
from flaxnets.layers.transformer import TransformerDecoder, TransformerEncoder
from flaxnets.layers.transformer_layer import TransformerDecoderLayer, TransformerEncoderLayer
from flaxnets.layers.transposed_convolution import (
    ConvTranspose1d,
    ConvTranspose2d,
    conv_transpose1d,
    conv_transpose2d,
)
from flaxnets.layers.upsampling import Upsample, UpsamplingBilinear2d, UpsamplingNearest2d

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "GRU",
    "LSTM",
    "RNN",
    "SELU",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AlphaDropout",
    "AvgPool1d",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "CircularPad1d",
    "CircularPad2d",
    "ConstantPad1d",
    "ConstantPad2d",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Embedding",
    "EmbeddingBag",
    "FeatureAlphaDropout",
    "Flatten",
    "GRUCell",
    "GroupNorm",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "Identity",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "LSTMCell",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LocalResponseNorm",
    "LogSigmoid",
    "LogSoftmax",
    "MaxPool1d",
    "MaxPool2d",
    "Mish",
    "Module",
    "ModuleDict",
    "ModuleList",
    "MultiheadAttention",
    "PReLU",
    "ParameterList",
    "PixelShuffle",
    "PixelUnshuffle",
    "RMSNorm",
    "RNNCell",
    "RReLU",
    "ReLU",
    "ReLU6",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "StochasticDepth",
    "Tanh",
    "Tanhshrink",
    "Tensor",
    "Threshold",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "Unflatten",
    "Upsample",
    "UpsamplingBilinear2d",
    "UpsamplingNearest2d",
    "ZeroPad1d",
    "ZeroPad2d",
    "absolute",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "avg_pool1d",
    "avg_pool2d",
    "clamp",
    "conv1d",
    "conv2d",
    "conv_transpose1d",
    "conv_transpose2d",
    "embedding",
    "embedding_bag",
    "gelu",
    "group_norm",
    "hardshrink",
    "hardtanh",
    "interpolate",
    "layer_norm",
    "leaky_relu",
    "local_response_norm",
    "max",
    "max_pool1d",
    "max_pool2d",
    "min",
    "normalize",
    "pad",
    "pixel_shuffle",
    "pixel_unshuffle",
    "prelu",
    "rms_norm",
    "scaled_dot_product_attention",
    "softplus",
    "softshrink",
    "threshold",
]

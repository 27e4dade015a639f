"""The layers of ``torch.nn`` that the tutorials use, as linen modules with torch's semantics.

What differs from torch is what JAX asks for: images are channels last, (N, H, W, C); training is
an argument of the call (``train=True``), not a state of the module; random numbers come from the
key given as ``rngs={"dropout": key}``. What differs from linen is what torch has: sizes are
given on both sides, weights and biases start uniform in +-1/sqrt(fan_in), nothing is padded,
``Dropout2d`` drops whole channels, and modules print as torch's do.
"""

from flaxnets.layers.activation import LogSoftmax, ReLU, Softmax
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
from flaxnets.layers.averaging import AvgPool1d, AvgPool2d, avg_pool1d, avg_pool2d
from flaxnets.layers.base import Module, Tensor
from flaxnets.layers.container import Sequential
from flaxnets.layers.convolution import Conv2d
from flaxnets.layers.dropout import Dropout, Dropout2d
from flaxnets.layers.flatten import Flatten
from flaxnets.layers.linear import Linear
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
from flaxnets.layers.patches import conv2d
from flaxnets.layers.pooling import MaxPool1d, MaxPool2d, max_pool1d, max_pool2d
from flaxnets.layers.resizing import interpolate
from flaxnets.layers.shuffling import PixelShuffle, PixelUnshuffle, pixel_shuffle, pixel_unshuffle
from flaxnets.layers.upsampling import Upsample, UpsamplingBilinear2d, UpsamplingNearest2d

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AvgPool1d",
    "AvgPool2d",
    "CircularPad1d",
    "CircularPad2d",
    "ConstantPad1d",
    "ConstantPad2d",
    "Conv2d",
    "Dropout",
    "Dropout2d",
    "Flatten",
    "Linear",
    "LogSoftmax",
    "MaxPool1d",
    "MaxPool2d",
    "Module",
    "PixelShuffle",
    "PixelUnshuffle",
    "ReLU",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "Sequential",
    "Softmax",
    "Tensor",
    "Upsample",
    "UpsamplingBilinear2d",
    "UpsamplingNearest2d",
    "ZeroPad1d",
    "ZeroPad2d",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "avg_pool1d",
    "avg_pool2d",
    "conv2d",
    "interpolate",
    "max_pool1d",
    "max_pool2d",
    "pad",
    "pixel_shuffle",
    "pixel_unshuffle",
]

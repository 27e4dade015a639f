"""The layers of ``torch.nn`` that the tutorials use, as linen modules with torch's semantics.

What differs from torch is what JAX asks for: images are channels last, (N, H, W, C); training is
an argument of the call (``train=True``), not a state of the module; random numbers come from the
key given as ``rngs={"dropout": key}``. What differs from linen is what torch has: sizes are
given on both sides, weights and biases start uniform in +-1/sqrt(fan_in), nothing is padded,
``Dropout2d`` drops whole channels, and modules print as torch's do.
"""

from flaxnets.layers.activation import LogSoftmax, ReLU, Softmax
from flaxnets.layers.base import Module, Tensor
from flaxnets.layers.container import Sequential
from flaxnets.layers.convolution import Conv2d
from flaxnets.layers.dropout import Dropout, Dropout2d
from flaxnets.layers.embedding import Embedding, embedding
from flaxnets.layers.embedding_bag import EmbeddingBag, embedding_bag
from flaxnets.layers.flatten import Flatten
from flaxnets.layers.linear import Linear
from flaxnets.layers.patches import conv2d
from flaxnets.layers.pooling import MaxPool2d, max_pool2d
from flaxnets.layers.recurrent import GRU, LSTM, RNN
from flaxnets.layers.recurrent_cells import GRUCell, LSTMCell, RNNCell

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Conv2d",
    "Dropout",
    "Dropout2d",
    "Embedding",
    "EmbeddingBag",
    "Flatten",
    "GRUCell",
    "LSTMCell",
    "Linear",
    "LogSoftmax",
    "MaxPool2d",
    "Module",
    "RNNCell",
    "ReLU",
    "Sequential",
    "Softmax",
    "Tensor",
    "conv2d",
    "embedding",
    "embedding_bag",
    "max_pool2d",
]

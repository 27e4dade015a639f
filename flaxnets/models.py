"""The three networks of the PyTorch tutorials.

Each reads as the class that it mirrors. All take images as float32 in [0, 1], shaped (N, 28, 28),
(N, 28, 28, 1) or torch's (N, 1, 28, 28). Each knows its tutorial's loss, and how its outputs
become probabilities.
"""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax.typing import DTypeLike

from flaxnets.layers import Conv2d, Dropout2d, Flatten, Linear, Module, ReLU, Sequential, max_pool2d

HEIGHT = WIDTH = 28
TUNING = {"tuning": True}  # of a field that suits a machine: a file says nothing of it


class CNN(Module):
    """The convolutional network for MNIST: ``Net`` of PyTorch's recipe "Defining a Neural Network".

    https://docs.pytorch.org/tutorials/recipes/recipes/defining_a_neural_network.html

    Called with images, of a floating dtype in [0, 1] and shaped (N, 28, 28), (N, 28, 28, 1) or
    (N, 1, 28, 28), and ``train`` (False: no dropout; True needs ``rngs={"dropout": key}`` or a
    collection ``masks``), it returns log-probabilities, (N, num_classes), float32 at least.

    Attributes:
        num_classes: the number of outputs.
        channels: the outputs of conv1 and conv2.
        hidden: the outputs of fc1.
        convolution: how convolutions are computed: see ``flaxnets.layers.conv2d``. It changes
            no result, and is not saved.
        dtype: the dtype of the computation. By default that of the images and the parameters
            together, float32 at least.
        param_dtype: the dtype that parameters are created in.

    Raises:
        ValueError: if the images have another shape.
        TypeError: if they are not floating-point numbers.
        flax.errors.InvalidRngError: in training without a key and without masks.
    """

    num_classes: int = 10
    channels: tuple[int, int] = (32, 64)
    hidden: int = 128
    convolution: str | None = dataclasses.field(default=None, metadata=TUNING)
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

    def setup(self) -> None:
        dtypes: dict[str, Any] = {"dtype": self.dtype, "param_dtype": self.param_dtype}
        convolutional = {"implementation": self.convolution, **dtypes}
        first, second = self.channels
        maps = (12, 12, second)  # 28 x 28, less 2 by each convolution, halved by the pooling
        self.conv1 = Conv2d(1, first, 3, 1, **convolutional)
        self.conv2 = Conv2d(first, second, 3, 1, **convolutional)
        self.dropout1 = Dropout2d(0.25)
        self.dropout2 = Dropout2d(0.5)
        self.fc1 = Linear(12 * 12 * second, self.hidden, flattened_from=maps, **dtypes)
        self.fc2 = Linear(self.hidden, self.num_classes, **dtypes)

    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        x = _as_maps(x)
        x = self.conv1(x)
        x = nn.relu(x)
        x = self.conv2(x)
        x = nn.relu(x)
        x = max_pool2d(x, 2)
        x = self.dropout1(x, train)
        x = x.reshape(x.shape[0], self.fc1.in_features)
        x = self.fc1(x)
        x = nn.relu(x)
        x = self.dropout2(x, train)
        x = self.fc2(x)
        return nn.log_softmax(_single(x))

    @staticmethod
    def loss(outputs: jax.Array, labels: jax.Array) -> jax.Array:
        """The negative log-likelihood: (N, K) log-probabilities, (N,) labels -> (N,) losses."""
        return -jnp.take_along_axis(outputs, labels[:, None], axis=1)[:, 0]

    @staticmethod
    def probabilities(outputs: jax.Array) -> jax.Array:
        """(N, K) log-probabilities -> (N, K) probabilities."""
        return jnp.exp(outputs)


class MLP(Module):
    """The network for Fashion-MNIST: ``NeuralNetwork`` of "Build the Neural Network".

    https://docs.pytorch.org/tutorials/beginner/basics/buildmodel_tutorial.html

    Called with images, of a floating dtype in [0, 1] and shaped (N, 28, 28), (N, 28, 28, 1),
    (N, 1, 28, 28) or flat, (N, 784), it returns logits, (N, num_classes), in the dtype of the
    computation. ``train`` changes nothing.

    Attributes:
        num_classes: the number of outputs.
        hidden: the outputs of each layer but the last.
        dtype, param_dtype: as in ``CNN``.

    Raises:
        ValueError: if the images have another shape.
        TypeError: if they are not floating-point numbers.
    """

    num_classes: int = 10
    hidden: tuple[int, ...] = (512, 512)
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

    def setup(self) -> None:
        dtypes: dict[str, Any] = {"dtype": self.dtype, "param_dtype": self.param_dtype}
        stack: list[nn.Module] = []
        features = HEIGHT * WIDTH
        for size in self.hidden:
            stack += [Linear(features, size, **dtypes), ReLU()]
            features = size
        self.flatten = Flatten()
        self.linear_relu_stack = Sequential((*stack, Linear(features, self.num_classes, **dtypes)))

    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        x = self.flatten(_as_maps(x, flat=True))
        logits = self.linear_relu_stack(x)
        return logits

    @staticmethod
    def loss(outputs: jax.Array, labels: jax.Array) -> jax.Array:
        """The cross-entropy: (N, K) logits, (N,) labels -> (N,) losses."""
        return _cross_entropy(outputs, labels)

    @staticmethod
    def probabilities(outputs: jax.Array) -> jax.Array:
        """(N, K) logits -> (N, K) probabilities."""
        return nn.softmax(outputs)


class SoftmaxMLP(Module):
    """The fully connected network of "Building a neural network using PyTorch", softmax included.

    That tutorial is a document for which no lasting address is known; as it stands there, the
    network is ``flaxnets.parity.reference.SoftmaxNeuralNetwork``.

    Called with images, of a floating dtype in [0, 1] and shaped (N, 28, 28), (N, 28, 28, 1),
    (N, 1, 28, 28) or flat, (N, 784), it returns probabilities, (N, num_classes), float32 at least.
    ``train`` changes nothing.

    Attributes:
        num_classes: the number of outputs.
        hidden: the outputs of fc1 and fc2.
        dtype, param_dtype: as in ``CNN``.

    Raises:
        ValueError: if the images have another shape.
        TypeError: if they are not floating-point numbers.
    """

    num_classes: int = 10
    hidden: tuple[int, int] = (512, 256)
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

    def setup(self) -> None:
        dtypes: dict[str, Any] = {"dtype": self.dtype, "param_dtype": self.param_dtype}
        first, second = self.hidden
        self.fc1 = Linear(HEIGHT * WIDTH, first, **dtypes)
        self.fc2 = Linear(first, second, **dtypes)
        self.fc3 = Linear(second, self.num_classes, **dtypes)

    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        x = _as_maps(x, flat=True).reshape(x.shape[0], HEIGHT * WIDTH)
        x = nn.relu(self.fc1(x))
        x = nn.relu(self.fc2(x))
        x = nn.softmax(_single(self.fc3(x)))
        return x

    @staticmethod
    def loss(outputs: jax.Array, labels: jax.Array) -> jax.Array:
        """torch's ``CrossEntropyLoss`` on probabilities, as the tutorial has it.

        (N, K) probabilities, (N,) labels -> (N,) losses. They are taken for logits, so that softmax
        is applied twice and no loss falls below log(1 + (K - 1) / e): 1.4612 for ten classes.
        """
        return _cross_entropy(outputs, labels)

    @staticmethod
    def probabilities(outputs: jax.Array) -> jax.Array:
        """(N, K) probabilities, as they are."""
        return outputs


Network = CNN | MLP | SoftmaxMLP
"""Any of the three."""

MODELS: dict[str, type[Network]] = {
    "cnn": CNN,
    "mlp": MLP,
    "softmax_mlp": SoftmaxMLP,
}


def _cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    losses: jax.Array = optax.softmax_cross_entropy_with_integer_labels(_single(logits), labels)
    return losses


def _single(x: jax.Array) -> jax.Array:
    """In single precision at least, as softmax and losses are under torch's autocast."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _as_maps(x: jax.Array, flat: bool = False) -> jax.Array:
    """Any of the shapes that images may have -> (N, 28, 28, 1)."""
    shapes = [(HEIGHT, WIDTH), (HEIGHT, WIDTH, 1), (1, HEIGHT, WIDTH)]
    shapes += [(HEIGHT * WIDTH,)] if flat else []
    if x.shape[1:] not in shapes:
        expected = ", ".join(f"(N, {', '.join(map(str, shape))})" for shape in shapes)
        raise ValueError(f"images must be shaped {expected}; got {x.shape}")
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise TypeError(
            f"images must be floating-point numbers in [0, 1]; got {x.dtype}: "
            "divide 8-bit images by 255"
        )
    return x.reshape(x.shape[0], HEIGHT, WIDTH, 1)

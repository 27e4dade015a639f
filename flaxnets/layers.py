"""The layers of ``torch.nn`` that the tutorials use, as linen modules with torch's semantics.

What differs from torch is what JAX asks for: images are channels last, (N, H, W, C); training is
an argument of the call (``train=True``), not a state of the module; random numbers come from the
key given as ``rngs={"dropout": key}``. What differs from linen is what torch has: sizes are
given on both sides, weights and biases start uniform in +-1/sqrt(fan_in), nothing is padded,
``Dropout2d`` drops whole channels, and modules print as torch's do.
"""

import functools
import itertools
import math
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from flaxnets.convolution import conv2d
from flaxnets.module import Module

__all__ = [
    "Conv2d",
    "Dropout",
    "Dropout2d",
    "Flatten",
    "Linear",
    "LogSoftmax",
    "MaxPool2d",
    "Module",
    "ReLU",
    "Sequential",
    "Softmax",
    "max_pool2d",
]


class Linear(Module):
    """``torch.nn.Linear``: x @ kernel + bias, (..., in_features) -> (..., out_features).

    Attributes:
        in_features, out_features: the sizes of the last axis before and after.
        use_bias: whether there is a bias.
        flattened_from: the (H, W, C) of the feature maps whose flattening is the input, if it is
            one. It changes nothing here; torch flattens in the order C, H, W, and ``interop``
            permutes the weights by it, so that no activation has to be transposed.
        dtype: the dtype of the computation and of the output. By default that of the input and
            the parameters together, float32 at least.
        param_dtype: the dtype that parameters are created in, a floating one.

    Raises:
        ValueError: when called, if the last axis of the input is not ``in_features``.
    """

    in_features: int
    out_features: int
    use_bias: bool = True
    flattened_from: tuple[int, int, int] | None = None
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        """(in_features, out_features)."""
        return (self.in_features, self.out_features)

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        _check_last_axis(self, x, self.in_features)
        x, kernel, bias = _parameters(self, x)
        return x @ kernel + bias

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.use_bias}"
        )


class Conv2d(Module):
    """``torch.nn.Conv2d`` without padding, (N, H, W, in_channels) -> (N, H', W', out_channels).

    Attributes:
        in_channels, out_channels: the sizes of the last axis before and after.
        kernel_size, stride: one number for both height and width, or a pair.
        use_bias: whether there is a bias.
        implementation: how it is computed: see ``flaxnets.convolution.conv2d``.
        dtype, param_dtype: as in ``Linear``.

    Raises:
        ValueError: when called, if the last axis of the input is not ``in_channels``, or for an
            unknown implementation.
    """

    in_channels: int
    out_channels: int
    kernel_size: int | tuple[int, int]
    stride: int | tuple[int, int] = 1
    use_bias: bool = True
    implementation: str | None = None
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        """(height, width, in_channels, out_channels)."""
        return (*_pair(self.kernel_size), self.in_channels, self.out_channels)

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        _check_last_axis(self, x, self.in_channels)
        x, kernel, bias = _parameters(self, x)
        return conv2d(x, kernel, _pair(self.stride), self.implementation) + bias

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={_pair(self.kernel_size)}, "
            f"stride={_pair(self.stride)}" + ("" if self.use_bias else ", bias=False")
        )


class Dropout(Module):
    """``torch.nn.Dropout``: zeroes elements with probability p, scales the others by 1/(1 - p).

    Called with an input (...,) of a floating dtype and ``train``, it returns the same shape and
    dtype; without ``train`` the input as it is.

    The mask is True where an element is kept. It is taken from the variable collection ``masks``
    where that holds one for this layer, and drawn with the ``dropout`` key where not. To record
    what was drawn, and to replay it::

        out, drawn = model.apply(variables, x, train=True, rngs={"dropout": key}, mutable=["masks"])
        out = model.apply({**variables, **drawn}, x, train=True)

    Attributes:
        p: the probability of an element to be zeroed.

    Raises:
        ValueError: when called, if ``p`` is not in [0, 1], or a mask has another shape than the
            input asks for.
        flax.errors.InvalidRngError: if a mask is to be drawn and there is no ``dropout`` key.
    """

    p: float = 0.5

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the mask for an input of this shape."""
        return shape

    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        if not 0 <= self.p <= 1:
            raise ValueError(f"dropout probability must be between 0 and 1, got {self.p}")
        if not train or self.p == 0:
            return x
        scale = 0 if self.p == 1 else 1 / (1 - self.p)
        return x * (self._mask(self.mask_shape(x.shape)) * jnp.asarray(scale, x.dtype))

    def _mask(self, shape: tuple[int, ...]) -> jax.Array:
        if self.has_variable("masks", "keep"):
            mask: jax.Array = self.get_variable("masks", "keep")
            if mask.shape != shape:  # a smaller one would be broadcast without a word
                raise ValueError(f"{self.name}: the mask must be shaped {shape}, got {mask.shape}")
            return mask
        mask = jax.random.bernoulli(self.make_rng("dropout"), 1 - self.p, shape)
        if not self.is_initializing():  # else every later step would replay the first mask
            self.sow("masks", "keep", mask, reduce_fn=lambda _, new: new, init_fn=lambda: None)
        return mask

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace=False"


class Dropout2d(Dropout):
    """``torch.nn.Dropout2d``: drops whole channels of (N, H, W, C), with a mask (N, 1, 1, C).

    On a 2-D input, (N, D), it drops single elements, as torch does with a warning that this is
    deprecated: the tutorials' CNN does it before its last layer. Dtypes are floating, as in
    ``Dropout``.

    Attributes:
        p: the probability of a channel to be zeroed.

    Raises: as ``Dropout`` does, and ValueError in training for any other number of axes.
    """

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the mask for an input of this shape."""
        if len(shape) not in (2, 4):
            raise ValueError(f"Dropout2d takes (N, H, W, C) or (N, D), got {shape}")
        return (shape[0], *(1 for _ in shape[1:-1]), shape[-1])


class MaxPool2d(Module):
    """``torch.nn.MaxPool2d`` with windows that do not overlap: see ``max_pool2d``.

    (N, H, W, C) -> (N, H // kernel_size, W // kernel_size, C), of the input's dtype.

    Attributes:
        kernel_size: the height and the width of the windows, and of the steps between them.

    Raises: as ``max_pool2d`` does, when called.
    """

    kernel_size: int

    def __call__(self, x: jax.Array) -> jax.Array:
        return max_pool2d(x, self.kernel_size)

    def extra_repr(self) -> str:
        size = self.kernel_size
        return f"kernel_size={size}, stride={size}, padding=0, dilation=1, ceil_mode=False"


class Flatten(Module):
    """``torch.nn.Flatten``: (N, ...) -> (N, D).

    Feature maps are flattened in the order H, W, C that they lie in (torch: C, H, W). A ``Linear``
    that follows says so by ``flattened_from``, and ``interop`` permutes its weights. Any dtype goes
    through as it is.
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))

    def extra_repr(self) -> str:
        return "start_dim=1, end_dim=-1"


class ReLU(Module):
    """``torch.nn.ReLU``: max(x, 0), (...,) -> (...,) of any shape and of the input's dtype."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.relu(x)


class Softmax(Module):
    """``torch.nn.Softmax``: exp(x) normalised to sum to one along the axis ``dim``.

    (...,) -> (...,) of any shape and of the input's dtype, if that is floating.

    Attributes:
        dim: the axis; the last one by default, where torch asks for one.

    Raises:
        ValueError: when called, if the input has no such axis.
    """

    dim: int = -1

    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.softmax(x, axis=self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """``torch.nn.LogSoftmax``: the logarithm of ``Softmax``, without its underflow.

    (...,) -> (...,) of any shape and of the input's dtype, if that is floating.

    Attributes:
        dim: the axis, as in ``Softmax``.

    Raises: as ``Softmax`` does.
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.log_softmax(x, axis=self.dim)


class Sequential(Module):
    """``torch.nn.Sequential`` of a list of layers, called one after the other.

    They are named ``0``, ``1``, ... as torch names them. Each one takes what the one before it
    returns: the input (N, ...) is of the shape and dtype that the first takes.

    Attributes:
        layers: a tuple or a list of linen modules whose ``__call__`` needs one argument.

    Raises: what its layers raise, when called.
    """

    layers: Sequence[nn.Module]
    preserve_adopted_names = True  # linen's switch: else it would name them layers_0, ...

    def __post_init__(self) -> None:
        self.layers = tuple(
            layer.clone(name=str(i)) if layer.name is None else layer
            for i, layer in enumerate(self.layers)
        )
        super().__post_init__()

    def named_children(self) -> dict[str, nn.Module]:
        """The layers by their names."""
        return {str(i): layer for i, layer in enumerate(self.layers)}

    def __call__(self, x: jax.Array) -> jax.Array:
        for layer in self.layers:
            x = layer(x)
        return x


def max_pool2d(x: jax.Array, size: int) -> jax.Array:
    """``torch.nn.functional.max_pool2d``: the maximum of each size x size window.

    (N, H, W, C) -> (N, H // size, W // size, C). Rows and columns that fill no window are left
    out; among equal values the first in reading order gets the gradient; NaN wins. All as in torch.

    Args:
        x: (N, H, W, C), of any dtype of real numbers.
        size: the height and the width of the windows, at least 1.

    Returns:
        (N, H // size, W // size, C), of the dtype of ``x``.

    Raises:
        ValueError: if ``x`` has not four axes.
    """
    n, height, width, channels = x.shape
    rows, columns = height // size, width // size
    x = x[:, : rows * size, : columns * size]
    x = x.reshape(n, rows, size, columns, size, channels)
    window = [x[:, :, i, :, j] for i, j in itertools.product(range(size), repeat=2)]
    return functools.reduce(_first_maximum, window)


def _first_maximum(first: jax.Array, second: jax.Array) -> jax.Array:
    return jnp.where((second > first) | jnp.isnan(second), second, first)


def _parameters(layer: Linear | Conv2d, x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The input, the kernel and the bias in the dtype of the computation."""
    init = _uniform(math.prod(layer.kernel_shape[:-1]))
    arrays = [x, layer.param("kernel", init, layer.kernel_shape, layer.param_dtype)]
    if layer.use_bias:
        arrays.append(layer.param("bias", init, layer.kernel_shape[-1:], layer.param_dtype))
    # What is only stored in half precision is still computed in single.
    dtype = layer.dtype or jnp.promote_types(jnp.result_type(*arrays), jnp.float32)
    x, kernel, *bias = (jnp.asarray(array, dtype) for array in arrays)
    return x, kernel, bias[0] if bias else jnp.zeros((), dtype)


def _uniform(fan_in: int) -> nn.initializers.Initializer:
    """Uniform in +-1/sqrt(fan_in): what torch's ``reset_parameters`` comes to.

    ``kaiming_uniform_(weight, a=sqrt(5))`` has this bound, and the bias is drawn with it too.
    """
    bound = 1 / math.sqrt(fan_in)

    def init(key: jax.Array, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init


def _check_last_axis(layer: nn.Module, x: jax.Array, size: int) -> None:
    if x.shape[-1] != size:
        raise ValueError(f"{layer} takes a last axis of {size}, got an input of shape {x.shape}")


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size

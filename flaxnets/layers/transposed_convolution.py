"""Transposed convolutions: the gradients of convolutions, as layers."""

import math
from collections.abc import Iterator, Sequence
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike

from flaxnets.layers.base import Module, Tensor
from flaxnets.layers.convolution import printed
from flaxnets.layers.convolving.arguments import check_channels, checked, convolved
from flaxnets.layers.parameters import BIAS, KERNEL, check_last_axis, weighted
from flaxnets.layers.sizes import tupled
from flaxnets.layers.windows import Size, as_maps


def conv_transpose1d(
    input: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
    implementation: str | None = None,
) -> jax.Array:
    """``torch.nn.functional.conv_transpose1d``: ``conv_transpose2d`` of rows.

    Args:
        input: (N, L, C), of any floating dtype.
        kernel: (k, C / groups, C'), the same dtype.
        bias: (C',), the same dtype, or None.
        stride, padding, output_padding, dilation: a number each, or one in a tuple.
        groups, implementation: as in ``conv_transpose2d``.

    Returns:
        (N, L', C'), the dtype of ``input``.

    Raises: as ``conv_transpose2d`` does.
    """
    sizes = (stride, padding, output_padding, groups, dilation)
    return _conv_transpose(1, input, kernel, bias, *sizes, implementation)


def conv_transpose2d(
    input: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
    implementation: str | None = None,
) -> jax.Array:
    """The transposed convolution of ``torch.nn.functional.conv_transpose2d``, channels last.

    Each pixel adds the kernel times itself to the result, at places that lie ``stride`` apart.

    Args:
        input: (N, H, W, C), of any floating dtype.
        kernel: (h, w, C / groups, C'), the same dtype. torch has (C, C' / groups, h, w): without
            groups that is the same, transposed by (2, 3, 0, 1).
        bias: (C',), the same dtype, or None.
        stride, dilation: one number for both height and width, or a pair.
        padding: how much is taken away from each side, one number or a pair.
        output_padding: how much of it is left below and on the right, or put there, less than
            ``stride`` or ``dilation``.
        groups: into how many parts the channels are split that do not see each other.
        implementation: as in ``conv2d``.

    Returns:
        (N, H', W', C'), the dtype of ``input``, where H' is
        (H - 1) * stride - 2 * padding + dilation * (h - 1) + output_padding + 1.

    Raises:
        ValueError: for arrays, dtypes or sizes that do not fit each other, maps that are not
            floating, and an unknown implementation.
    """
    sizes = (stride, padding, output_padding, groups, dilation)
    return _conv_transpose(2, input, kernel, bias, *sizes, implementation)


def _conv_transpose(
    rank: int,
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None,
    stride: Size,
    padding: Size,
    output_padding: Size,
    groups: int,
    dilation: Size,
    implementation: str | None,
) -> jax.Array:
    x = checked(rank, x, kernel, bias, groups)
    strides, dilations = tupled("stride", stride, rank), tupled("dilation", dilation, rank)
    away = tupled("padding", padding, rank, 0)
    more = tupled("output_padding", output_padding, rank, 0)
    if any(m >= max(s, d) for m, s, d in zip(more, strides, dilations, strict=True)):
        raise ValueError(
            f"output_padding={output_padding} must be less than stride={stride} or {dilation=}"
        )
    # It is the convolution with the kernel turned round of pixels that lie a stride apart.
    reach = [d * (k - 1) for d, k in zip(dilations, kernel.shape[:rank], strict=True)]
    around = tuple((r - p, r - p + m) for r, p, m in zip(reach, away, more, strict=True))
    kernel = lax.rev(kernel, range(rank))
    sizes = {"spread": strides, "padding": around, "dilation": dilations}
    return convolved(x, kernel, bias, implementation, groups, **sizes)


class _ConvTranspose(Module):
    rank: ClassVar[int]
    makes_maps: ClassVar[bool] = True
    in_channels: int
    out_channels: int
    kernel_size: int | tuple[int, ...]
    stride: int | tuple[int, ...] = 1
    padding: int | tuple[int, ...] = 0
    output_padding: int | tuple[int, ...] = 0
    groups: int = 1
    use_bias: bool = True
    dilation: int | tuple[int, ...] = 1
    padding_mode: str = "zeros"
    implementation: str | None = None
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

    def __post_init__(self) -> None:
        check_channels(self.in_channels, self.out_channels, self.groups)
        if self.padding_mode != "zeros":
            raise ValueError(f"padding_mode must be 'zeros' here, got {self.padding_mode!r}")
        for name in ("kernel_size", "stride", "dilation"):
            self._sizes(name)
        for name in ("padding", "output_padding"):
            self._sizes(name, 0)
        super().__post_init__()

    @nn.nowrap
    def _sizes(self, name: str, least: int = 1) -> tuple[int, ...]:
        return tupled(name, getattr(self, name), self.rank, least)

    def _shape(self) -> tuple[int, ...]:
        size = self._sizes("kernel_size")
        return (*size, self.in_channels // self.groups, self.out_channels)

    def tensors(self) -> Iterator[Tensor]:
        """``weight``, (in, out / groups, height, width) in torch, and ``bias``."""
        *size, channels, _ = ours = self._shape()
        outputs, places = self.out_channels // self.groups, range(3, 3 + self.rank)
        view = (self.groups, channels, outputs, *size)
        shape = (self.in_channels, outputs, *size)
        yield Tensor("weight", KERNEL, shape, ours, (*places, 1, 0, 2), view)
        if self.use_bias:
            yield Tensor("bias", BIAS, ours[-1:], ours[-1:])

    @nn.compact
    def __call__(self, x: jax.Array, output_size: Sequence[int] | None = None) -> jax.Array:
        x = as_maps(x, self.rank)
        check_last_axis(self, x, self.in_channels)
        fan_in = math.prod(self._sizes("kernel_size")) * (self.out_channels // self.groups)
        x, kernel, bias = weighted(self, x, self._shape(), fan_in)
        more = self._output_padding(x.shape, output_size)
        sizes = (self.stride, self.padding, more, self.groups, self.dilation, self.implementation)
        return _conv_transpose(self.rank, x, kernel, bias if self.use_bias else None, *sizes)

    def _output_padding(
        self, shape: tuple[int, ...], wanted: Sequence[int] | None
    ) -> tuple[int, ...]:
        if wanted is None:
            return self._sizes("output_padding", 0)
        wanted = tuple(wanted[1:-1] if len(wanted) == self.rank + 2 else wanted)
        names = ("stride", "kernel_size", "dilation")
        sizes = [shape[1:-1], self._sizes("padding", 0), *map(self._sizes, names)]
        least = [
            (n - 1) * s - 2 * p + d * (k - 1) + 1 for n, p, s, k, d in zip(*sizes, strict=True)
        ]
        most = [n + s - 1 for n, s in zip(least, self._sizes("stride"), strict=True)]
        if len(wanted) != self.rank or not all(
            low <= n <= high for low, n, high in zip(least, wanted, most, strict=True)
        ):
            raise ValueError(f"output_size={wanted} must be from {least} to {most} for {shape}")
        return tuple(n - low for n, low in zip(wanted, least, strict=True))

    def extra_repr(self) -> str:
        return printed(self, self.rank)


class ConvTranspose1d(_ConvTranspose):
    """``torch.nn.ConvTranspose1d``: (N, L, in_channels) -> (N, L', out_channels).

    Attributes:
        in_channels, out_channels: the sizes of the last axis before and after.
        kernel_size, stride, padding, output_padding, groups, use_bias, dilation, padding_mode: as
            in ``ConvTranspose2d``, a number each, or one in a tuple.
        implementation: how it is computed: see ``flaxnets.layers.conv2d``.
        dtype, param_dtype: as in ``Linear``.

    Raises: as ``ConvTranspose2d`` does.
    """

    rank: ClassVar[int] = 1


class ConvTranspose2d(_ConvTranspose):
    """``torch.nn.ConvTranspose2d``: (N, H, W, in_channels) -> (N, H', W', out_channels).

    Called with maps and, if more than one size of the result is possible, ``output_size``: its
    (H', W'), or its whole shape, (N, H', W', out_channels). It takes the place of
    ``output_padding``.

    Attributes:
        in_channels, out_channels: the sizes of the last axis before and after.
        kernel_size, stride, padding, output_padding, dilation: one number for both height and
            width, or a pair: see ``flaxnets.layers.conv_transpose2d``.
        groups: into how many parts the channels are split that do not see each other.
        use_bias: whether there is a bias.
        padding_mode: ``"zeros"``; torch takes no other either.
        implementation: how it is computed: see ``flaxnets.layers.conv2d``.
        dtype, param_dtype: as in ``Linear``.

    Raises:
        ValueError: when made, for channels that ``groups`` does not divide, sizes that are no sizes
            or another ``padding_mode``; when called, if the input has another rank or other
            channels, for an ``output_padding`` that is too large, an ``output_size`` that is not
            possible, or an unknown implementation.
    """

    rank: ClassVar[int] = 2

"""Convolutions."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from flaxnets.layers.base import Module, Tensor
from flaxnets.layers.convolving.arguments import check_channels, checked, convolved
from flaxnets.layers.padding import MODES, pad
from flaxnets.layers.parameters import BIAS, KERNEL, check_last_axis, weighted
from flaxnets.layers.sizes import tupled
from flaxnets.layers.windows import Size, as_maps


def conv1d(
    input: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
    implementation: str | None = None,
) -> jax.Array:
    """``torch.nn.functional.conv1d``: ``conv2d`` of rows, (N, L, C) -> (N, L', C').

    Args:
        input: (N, L, C), of any floating dtype.
        kernel: (k, C / groups, C'), the same dtype: torch's (C', C / groups, k), transposed.
        bias: (C',), the same dtype, or None.
        stride, padding, dilation: a number each, or one in a tuple; padding as in ``conv2d``.
        groups, implementation: as in ``conv2d``.

    Returns:
        (N, L', C'), the dtype of ``input``.

    Raises: as ``conv2d`` does.
    """
    return _conv(1, input, kernel, bias, stride, padding, dilation, groups, implementation)


def conv2d(
    input: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
    implementation: str | None = None,
) -> jax.Array:
    """The 2-D cross-correlation that ``torch.nn.functional.conv2d`` computes, channels last.

    Args:
        input: (N, H, W, C), of any floating dtype.
        kernel: (h, w, C / groups, C'), the same dtype: torch's (C', C / groups, h, w), transposed
            by (2, 3, 1, 0).
        bias: (C',), the same dtype, or None.
        stride: steps along the height and the width, one number for both or a pair.
        padding: how many zeros are put on each side, one number or a pair; ``"valid"`` for none,
            ``"same"`` for as many as keep the size, the odd one below and on the right.
        dilation: steps between the elements of the kernel, one number or a pair.
        groups: into how many parts the channels are split that do not see each other.
        implementation: ``"lax"`` (XLA's own), ``"patches"`` (products of matrices) or ``"shifts"``
            (for groups of one channel). By default the one that is fastest inside a compiled loop
            on the platform of JAX's default device.

    Returns:
        (N, H', W', C'), the dtype of ``input``, where H' is
        (H + 2 * padding - dilation * (h - 1) - 1) // stride + 1.

    Raises:
        ValueError: for arrays, dtypes or sizes that do not fit each other, maps that are not
            floating, and an unknown implementation.
    """
    return _conv(2, input, kernel, bias, stride, padding, dilation, groups, implementation)


def _conv(
    rank: int,
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None,
    stride: Size,
    padding: Size | str,
    dilation: Size,
    groups: int,
    implementation: str | None,
) -> jax.Array:
    x = checked(rank, x, kernel, bias, groups)
    strides, dilations = tupled("stride", stride, rank), tupled("dilation", dilation, rank)
    around = sides(padding, kernel.shape[:rank], strides, dilations)
    sizes = {"stride": strides, "padding": around, "dilation": dilations}
    return convolved(x, kernel, bias, implementation, groups, **sizes)


def sides(
    padding: Size | str, size: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> tuple[tuple[int, int], ...]:
    """What is put before and behind each axis."""
    if not isinstance(padding, str):
        return tuple((p, p) for p in tupled("padding", padding, len(size), 0))
    if padding not in ("same", "valid"):
        raise ValueError(f"padding {padding!r} is not one of ['same', 'valid']")
    if padding == "valid":
        return ((0, 0),) * len(size)
    if any(s != 1 for s in stride):
        raise ValueError(f"padding='same' is for a stride of 1, got stride={stride}")
    wide = [d * (k - 1) for d, k in zip(dilation, size, strict=True)]
    return tuple((both // 2, both - both // 2) for both in wide)


class _Conv(Module):
    rank: ClassVar[int]
    makes_maps: ClassVar[bool] = True
    in_channels: int
    out_channels: int
    kernel_size: int | tuple[int, ...]
    stride: int | tuple[int, ...] = 1
    padding: int | tuple[int, ...] | str = 0
    dilation: int | tuple[int, ...] = 1
    groups: int = 1
    use_bias: bool = True
    padding_mode: str = "zeros"
    implementation: str | None = None
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

    def __post_init__(self) -> None:
        check_channels(self.in_channels, self.out_channels, self.groups)
        modes = ["zeros", *MODES]
        if self.padding_mode not in modes:
            raise ValueError(f"padding_mode {self.padding_mode!r} is not one of {modes}")
        self._sides()
        super().__post_init__()

    @nn.nowrap
    def _sides(self) -> tuple[tuple[int, int], ...]:
        names = ("kernel_size", "stride", "dilation")
        sizes = (tupled(name, getattr(self, name), self.rank) for name in names)
        return sides(self.padding, *sizes)

    def _shape(self) -> tuple[int, ...]:
        size = tupled("kernel_size", self.kernel_size, self.rank)
        return (*size, self.in_channels // self.groups, self.out_channels)

    def tensors(self) -> Iterator[Tensor]:
        """``weight``, (out, in / groups, height, width) in torch, and ``bias``."""
        *size, channels, outputs = ours = self._shape()
        axes = (*range(2, 2 + self.rank), 1, 0)
        yield Tensor("weight", KERNEL, (outputs, channels, *size), ours, axes)
        if self.use_bias:
            yield Tensor("bias", BIAS, ours[-1:], ours[-1:])

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = as_maps(x, self.rank)
        check_last_axis(self, x, self.in_channels)
        x, kernel, bias = weighted(self, x, self._shape())
        padding = self.padding
        if self.padding_mode != "zeros":
            around = [side for both in reversed(self._sides()) for side in both]
            x, padding = pad(x, around, self.padding_mode), 0
        rest = (self.stride, padding, self.dilation, self.groups, self.implementation)
        return _conv(self.rank, x, kernel, bias if self.use_bias else None, *rest)

    def extra_repr(self) -> str:
        return printed(self, self.rank)


class Conv1d(_Conv):
    """``torch.nn.Conv1d``: (N, L, in_channels) -> (N, L', out_channels).

    Attributes:
        in_channels, out_channels: the sizes of the last axis before and after.
        kernel_size, stride, padding, dilation, groups, use_bias, padding_mode: as in ``Conv2d``,
            a number each, or one in a tuple.
        implementation: how it is computed: see ``flaxnets.layers.conv2d``.
        dtype, param_dtype: as in ``Linear``.

    Raises: as ``Conv2d`` does.
    """

    rank: ClassVar[int] = 1


class Conv2d(_Conv):
    """``torch.nn.Conv2d``: (N, H, W, in_channels) -> (N, H', W', out_channels).

    Attributes:
        in_channels, out_channels: the sizes of the last axis before and after.
        kernel_size, stride, dilation: one number for both height and width, or a pair.
        padding: the same, or ``"same"`` or ``"valid"``: see ``flaxnets.layers.conv2d``.
        groups: into how many parts the channels are split that do not see each other.
        use_bias: whether there is a bias.
        padding_mode: what is put around the maps: ``"zeros"``, ``"reflect"``, ``"replicate"`` or
            ``"circular"``.
        implementation: how it is computed: see ``flaxnets.layers.conv2d``.
        dtype, param_dtype: as in ``Linear``.

    Raises:
        ValueError: when made, for channels that ``groups`` does not divide, sizes that are no
            sizes, a ``padding`` or ``padding_mode`` that there is not, or ``"same"`` with a stride;
            when called, if the input has another rank or other channels, if the kernel or the
            padding does not fit it, or for an unknown implementation.
    """

    rank: ClassVar[int] = 2


def printed(layer: Any, rank: int) -> str:
    """torch's text of a convolution."""
    text: str = f"{layer.in_channels}, {layer.out_channels}"
    plain = {"padding": 0, "dilation": 1, "output_padding": 0}
    for name in ("kernel_size", "stride", *plain):
        size = getattr(layer, name, 0)
        size = size if isinstance(size, str) else tupled(name, size, rank, 0)
        if size != (plain.get(name),) * rank:
            text += f", {name}={size}"
    text += f", groups={layer.groups}" * (layer.groups != 1) + ", bias=False" * (not layer.use_bias)
    text += f", padding_mode={layer.padding_mode}" * (layer.padding_mode != "zeros")
    return text

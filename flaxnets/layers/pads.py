"""Layers that pad maps."""

from typing import ClassVar

import jax

from flaxnets.layers.base import Module
from flaxnets.layers.padding import pad
from flaxnets.layers.windows import as_maps


class _Pad(Module):
    makes_maps: ClassVar[bool] = True
    rank: ClassVar[int]
    mode: ClassVar[str]
    padding: int | tuple[int, ...]

    def __call__(self, x: jax.Array) -> jax.Array:
        return pad(as_maps(x, self.rank), self.sides, self.mode, getattr(self, "value", None))

    @property
    def sides(self) -> tuple[int, ...]:
        """One number is for all sides."""
        size = self.padding
        return (size,) * (2 * self.rank) if isinstance(size, int) else size

    def extra_repr(self) -> str:
        return f"{self.sides}"


class ZeroPad1d(_Pad):
    """``torch.nn.ZeroPad1d``: puts zeros around maps. See ``pad``.

    (N, L, C) -> (N, L', C), of the input's dtype.

    Attributes:
        padding: (left, right), or one number for all; negative ones take places away.

    Raises: as ``pad`` does, when called.
    """

    rank: ClassVar[int] = 1
    mode: ClassVar[str] = "constant"


class ZeroPad2d(_Pad):
    """``torch.nn.ZeroPad2d``: puts zeros around maps. See ``pad``.

    (N, H, W, C) -> (N, H', W', C), of the input's dtype.

    Attributes:
        padding: (left, right, top, bottom), or one number for all; negative ones take places away.

    Raises: as ``pad`` does, when called.
    """

    rank: ClassVar[int] = 2
    mode: ClassVar[str] = "constant"


class ConstantPad1d(_Pad):
    """``torch.nn.ConstantPad1d``: puts ``value`` around maps. See ``pad``.

    (N, L, C) -> (N, L', C), of the input's dtype.

    Attributes:
        padding: (left, right), or one number for all; negative ones take places away.
        value: the number.

    Raises: as ``pad`` does, when called.
    """

    rank: ClassVar[int] = 1
    mode: ClassVar[str] = "constant"
    padding: int | tuple[int, ...]
    value: float

    def extra_repr(self) -> str:
        return f"padding={self.sides}, value={self.value}"


class ConstantPad2d(_Pad):
    """``torch.nn.ConstantPad2d``: puts ``value`` around maps. See ``pad``.

    (N, H, W, C) -> (N, H', W', C), of the input's dtype.

    Attributes:
        padding: (left, right, top, bottom), or one number for all; negative ones take places away.
        value: the number.

    Raises: as ``pad`` does, when called.
    """

    rank: ClassVar[int] = 2
    mode: ClassVar[str] = "constant"
    padding: int | tuple[int, ...]
    value: float

    def extra_repr(self) -> str:
        return f"padding={self.sides}, value={self.value}"


class ReflectionPad1d(_Pad):
    """``torch.nn.ReflectionPad1d``: reflects maps at their edges. See ``pad``.

    (N, L, C) -> (N, L', C), of the input's dtype.

    Attributes:
        padding: (left, right), or one number for all; negative ones take places away.

    Raises: as ``pad`` does, when called.
    """

    rank: ClassVar[int] = 1
    mode: ClassVar[str] = "reflect"


class ReflectionPad2d(_Pad):
    """``torch.nn.ReflectionPad2d``: reflects maps at their edges. See ``pad``.

    (N, H, W, C) -> (N, H', W', C), of the input's dtype.

    Attributes:
        padding: (left, right, top, bottom), or one number for all; negative ones take places away.

    Raises: as ``pad`` does, when called.
    """

    rank: ClassVar[int] = 2
    mode: ClassVar[str] = "reflect"


class ReplicationPad1d(_Pad):
    """``torch.nn.ReplicationPad1d``: repeats the edges of maps. See ``pad``.

    (N, L, C) -> (N, L', C), of the input's dtype.

    Attributes:
        padding: (left, right), or one number for all; negative ones take places away.

    Raises: as ``pad`` does, when called.
    """

    rank: ClassVar[int] = 1
    mode: ClassVar[str] = "replicate"


class ReplicationPad2d(_Pad):
    """``torch.nn.ReplicationPad2d``: repeats the edges of maps. See ``pad``.

    (N, H, W, C) -> (N, H', W', C), of the input's dtype.

    Attributes:
        padding: (left, right, top, bottom), or one number for all; negative ones take places away.

    Raises: as ``pad`` does, when called.
    """

    rank: ClassVar[int] = 2
    mode: ClassVar[str] = "replicate"


class CircularPad1d(_Pad):
    """``torch.nn.CircularPad1d``: joins maps at their edges. See ``pad``.

    (N, L, C) -> (N, L', C), of the input's dtype.

    Attributes:
        padding: (left, right), or one number for all; negative ones take places away.

    Raises: as ``pad`` does, when called.
    """

    rank: ClassVar[int] = 1
    mode: ClassVar[str] = "circular"


class CircularPad2d(_Pad):
    """``torch.nn.CircularPad2d``: joins maps at their edges. See ``pad``.

    (N, H, W, C) -> (N, H', W', C), of the input's dtype.

    Attributes:
        padding: (left, right, top, bottom), or one number for all; negative ones take places away.

    Raises: as ``pad`` does, when called.
    """

    rank: ClassVar[int] = 2
    mode: ClassVar[str] = "circular"

"""Layers that resize maps."""

from typing import Any, ClassVar

import jax

from flaxnets.layers.base import Module
from flaxnets.layers.resizing import MODES, interpolate

Factor = float | tuple[float, ...] | None


class Upsample(Module):
    """``torch.nn.Upsample``: see ``interpolate``.

    (N, H, W, C) -> (N, H', W', C), or (N, L, C) -> (N, L', C), of the input's dtype.

    Attributes:
        size, scale_factor, mode, align_corners, recompute_scale_factor: as ``interpolate`` takes
            them.

    Raises:
        ValueError: when made, for an unknown mode; when called, as ``interpolate`` does.
    """

    makes_maps: ClassVar[bool] = True
    size: int | tuple[int, ...] | None = None
    scale_factor: Factor = None
    mode: str = "nearest"
    align_corners: bool | None = None
    recompute_scale_factor: bool | None = None

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"mode {self.mode!r} is not one of {list(MODES)}")
        super().__post_init__()

    def __call__(self, x: jax.Array) -> jax.Array:
        sizes = (self.size, _floats(self.scale_factor), self.mode)
        return interpolate(x, *sizes, self.align_corners, self.recompute_scale_factor)

    def extra_repr(self) -> str:
        return _printed(self)


class UpsamplingNearest2d(Module):
    """``torch.nn.UpsamplingNearest2d``: see ``interpolate``, mode ``nearest``.

    (N, H, W, C) -> (N, H', W', C), of the input's dtype.

    Attributes:
        size, scale_factor: as ``interpolate`` takes them.

    Raises: as ``interpolate`` does, when called.
    """

    makes_maps: ClassVar[bool] = True
    mode: ClassVar[str] = "nearest"
    size: int | tuple[int, int] | None = None
    scale_factor: Factor = None

    def __call__(self, x: jax.Array) -> jax.Array:
        return interpolate(x, self.size, _floats(self.scale_factor), self.mode)

    def extra_repr(self) -> str:
        return _printed(self)


class UpsamplingBilinear2d(Module):
    """``torch.nn.UpsamplingBilinear2d``: see ``interpolate``, ``bilinear`` with ``align_corners``.

    (N, H, W, C) -> (N, H', W', C), of the input's dtype.

    Attributes:
        size, scale_factor: as ``interpolate`` takes them.

    Raises: as ``interpolate`` does, when called.
    """

    makes_maps: ClassVar[bool] = True
    mode: ClassVar[str] = "bilinear"
    size: int | tuple[int, int] | None = None
    scale_factor: Factor = None

    def __call__(self, x: jax.Array) -> jax.Array:
        return interpolate(x, self.size, _floats(self.scale_factor), self.mode, True)

    def extra_repr(self) -> str:
        return _printed(self)


def _floats(factor: Factor) -> Factor:
    """As torch has them; 0 is none."""
    if isinstance(factor, tuple):
        return tuple(map(float, factor))
    return float(factor) if factor else None


def _printed(layer: Any) -> str:
    factor = _floats(layer.scale_factor)
    size = f"size={layer.size}" if factor is None else f"scale_factor={factor}"
    return f"{size}, mode={layer.mode!r}"

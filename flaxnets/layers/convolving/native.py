"""XLA's own convolution."""

import jax
from jax import lax

from flaxnets.layers.convolving.geometry import Geometry

LAYOUTS = ("NHWC", "HWIO", "NHWC")


def by_xla(images: jax.Array, kernel: jax.Array, geometry: Geometry) -> jax.Array:
    """(N, H, W, C) with (h, w, C / groups, C')."""
    return lax.conv_general_dilated(
        images,
        kernel,
        geometry.stride,
        geometry.padding,
        geometry.spread,
        geometry.dilation,
        LAYOUTS,
        geometry.groups,
    )

"""How a kernel goes over images."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

Pair = tuple[int, int]


class Geometry(NamedTuple):
    """A number each for height and width.

    ``spread`` is how far apart the pixels of the images are taken to lie, with zeros between them:
    more than 1 in the gradient of a convolution with strides, and in a transposed one.
    """

    stride: Pair = (1, 1)
    padding: tuple[Pair, Pair] = ((0, 0), (0, 0))  # before and behind, negative ones take away
    dilation: Pair = (1, 1)
    groups: int = 1
    spread: Pair = (1, 1)

    def places(self, images: jax.Array, size: tuple[int, ...]) -> Pair:
        """At how many places a kernel of this size lies within padded images."""
        height, width = (
            (spread * (n - 1) + 1 + before + behind - d * (k - 1) - 1) // stride + 1
            for n, k, stride, (before, behind), d, spread in zip(
                images.shape[1:3],
                size[:2],
                self.stride,
                self.padding,
                self.dilation,
                self.spread,
                strict=True,
            )
        )
        return height, width

    def padded(self, images: jax.Array) -> jax.Array:
        """The images, spread and with zeros around them."""
        if self.padding == ((0, 0), (0, 0)) and self.spread == (1, 1):
            return images
        edges = [(*p, s - 1) for p, s in zip(self.padding, self.spread, strict=True)]
        zero = jnp.zeros((), images.dtype)
        return lax.pad(images, zero, [(0, 0, 0), *edges, (0, 0, 0)])

    def within(self) -> "Geometry":
        """The same for images that are padded already."""
        return self._replace(padding=((0, 0), (0, 0)), spread=(1, 1))

    def window(self, images: jax.Array, i: int, j: int, places: Pair) -> jax.Array:
        """What lies under the kernel's element (i, j) at each place, of padded images."""
        starts = (i * self.dilation[0], j * self.dilation[1])
        rows, columns = (
            slice(start, start + (n - 1) * stride + 1, stride)
            for start, n, stride in zip(starts, places, self.stride, strict=True)
        )
        return images[:, rows, columns]

"""How a convolution is computed on each platform: internal, see ``flaxnets.layers.conv2d``.

All implementations give the same values and gradients up to rounding:

- ``lax``: XLA's own convolution. On a GPU that is cuDNN, and the right call.
- ``patches``: the kernel-sized patches of the images, gathered into a matrix, times the kernel
  as a matrix.
- ``shifts``: the images, shifted by each element of the kernel, times that, added up. For groups
  of one channel, where there is no matrix.

Which one by default was measured, ``benchmarks/convolutions.py``. On a CPU XLA's convolution runs
without threads and vector units inside a compiled loop (jax-ml/jax#12868): 5 to 60 times slower
than patches for every size, stride, dilation and number of groups that was tried, wide kernels
too, and hundreds of times slower than shifts where each channel is a group. Whether there is a loop
around it no convolution knows. Outside of one XLA's takes 0.7 of the time of patches for 3 x 3 and
half of it for 7 x 7, but ten times that of shifts and a hundred times that of patches in groups.
"""

from collections.abc import Callable

import jax

from flaxnets.layers.convolving.geometry import Geometry
from flaxnets.layers.convolving.native import by_xla
from flaxnets.layers.convolving.patches import by_patches
from flaxnets.layers.convolving.shifts import by_shifts
from flaxnets.layers.convolving.transposed import by_phases

IMPLEMENTATIONS: dict[str, Callable[[jax.Array, jax.Array, Geometry], jax.Array]] = {
    "lax": by_xla,
    "patches": by_patches,
    "shifts": by_shifts,
}


def convolve(
    images: jax.Array, kernel: jax.Array, geometry: Geometry, implementation: str | None = None
) -> jax.Array:
    """Images (N, H, W, C) with a kernel (h, w, C / groups, C'), (N, H', W', C')."""
    name = implementation or fastest(kernel.shape, geometry.groups)
    if name not in IMPLEMENTATIONS:
        raise ValueError(f"implementation {name!r} is not one of {sorted(IMPLEMENTATIONS)}")
    if name != "lax" and geometry.spread != (1, 1):
        return by_phases(IMPLEMENTATIONS[name], images, kernel, geometry)
    return IMPLEMENTATIONS[name](images, kernel, geometry)


def fastest(kernel: tuple[int, ...], groups: int) -> str:
    """The implementation that is taken by default for a kernel of this shape."""
    if _platform() != "cpu":
        return "lax"
    return "shifts" if groups > 1 and kernel[-2] == 1 else "patches"


def _platform() -> str:
    # None, a Device, or the name of a platform
    device = getattr(jax.config, "jax_default_device", None)
    return getattr(device, "platform", device) or jax.default_backend()

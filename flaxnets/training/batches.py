"""The batches of an epoch as arrays on the devices, each batch spread over all of them.

Batch ``i`` has the examples that the order names in places ``i * batch_size`` and after, whatever
the number of devices. A batch that the devices do not divide, or that is not full, is padded, and
what was added weighs nothing.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

AXIS = "data"


class Examples(NamedTuple):
    """A split: images (N, ...) as they are stored, labels (N,)."""

    images: Any
    labels: Any


class Batch(NamedTuple):
    """Examples and how much each one counts: 1, or 0 for what only fills up the batch."""

    images: Any
    labels: Any
    weights: Any


def find_mesh() -> Mesh:
    """The devices to train on: JAX's default device if one is set, or else all there are."""
    chosen = jax.config.values["jax_default_device"]
    devices = [chosen] if isinstance(chosen, jax.Device) else jax.devices(chosen)
    return Mesh(np.array(devices), (AXIS,))


def replicate(tree: Any, mesh: Mesh) -> Any:
    """The same arrays on every device."""
    everywhere = NamedSharding(mesh, PartitionSpec())
    if jax.process_count() == 1:
        return jax.device_put(tree, everywhere)

    def from_each(leaf: Any) -> jax.Array:  # every process has all of it
        if is_key := jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf = jax.random.key_data(leaf)
        leaf = np.asarray(leaf)
        found = jax.make_array_from_callback(leaf.shape, everywhere, leaf.__getitem__)
        return jax.random.wrap_key_data(found) if is_key else found

    return jax.tree.map(from_each, tree)


def place(split: Sequence[Any], mesh: Mesh) -> Examples:
    """Images and labels where ``arrange`` takes them from: on every device, or, where there are
    several processes, in each one's own memory.

    Raises:
        TypeError: if they are no arrays of numbers.
        ValueError: if it is no pair, there are none, or their counts differ.
    """
    if not is_pair(split):
        raise ValueError(f"a split must be (images, labels); got {in_short(split)}")
    images, labels = split
    for name, array in (("images", images), ("labels", labels)):
        dtype = array.dtype if hasattr(array, "dtype") else np.asarray(array).dtype
        if dtype.kind in "OSU":
            raise TypeError(f"{name} must be numbers, got dtype {dtype}")
    if len(images) == 0 or len(images) != len(labels):
        raise ValueError(f"a split has {len(images)} images and {len(labels)} labels")
    if jax.process_count() == 1:
        return Examples(*replicate((jnp.asarray(images), jnp.asarray(labels)), mesh))
    arrays = (np.asarray(images), np.asarray(labels))
    dtypes = (jax.dtypes.canonicalize_dtype(array.dtype) for array in arrays)
    return Examples(*(a.astype(d, copy=False) for a, d in zip(arrays, dtypes, strict=True)))


def is_pair(value: Any) -> bool:
    """Whether it is a tuple or a list of two: two images in an array are none."""
    return isinstance(value, tuple | list) and len(value) == 2


def in_short(value: Any) -> str:
    """What was given, for a message: arrays by their dtypes and shapes."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype} {value.shape}"
    if isinstance(value, tuple | list) and len(value) <= 4:
        return f"({', '.join(map(in_short, value))})"
    kind = type(value).__name__
    return f"{kind} of {len(value)}" if hasattr(value, "__len__") else kind


def arrange(
    examples: Examples, order: np.ndarray | jax.Array, batch_size: int, mesh: Mesh
) -> Batch:
    """All batches of an epoch: (batches, rows, ...) arrays, spread along the rows.

    Args:
        examples: from ``place``.
        order: (N,) the places of the examples in the order in which the epoch takes them.
        batch_size: examples a batch; rows is the least multiple of the devices from there on.
    """
    rows = -(-batch_size // mesh.size) * mesh.size
    if jax.process_count() == 1:
        batches: Batch = _gather(examples, order, batch_size, rows, mesh)
        return batches
    places, weights = _places(len(order), batch_size, rows, np)
    chosen, spread = np.asarray(order)[places], NamedSharding(mesh, PartitionSpec(None, AXIS))

    def part(array: np.ndarray) -> jax.Array:  # of the rows that this process has
        shape = (*places.shape, *array.shape[1:])
        return jax.make_array_from_callback(shape, spread, lambda at: array[chosen[_rows(at)]])

    own = jax.make_array_from_callback(places.shape, spread, weights.__getitem__)
    return Batch(part(examples.images), part(examples.labels), own)


def _rows(index: Any) -> Any:
    return index[:2]  # of which batches, and in each which rows


@functools.partial(jax.jit, static_argnames=("batch_size", "rows", "mesh"))
def _gather(examples: Examples, order: jax.Array, batch_size: int, rows: int, mesh: Mesh) -> Batch:
    places, weights = _places(len(order), batch_size, rows, jnp)
    chosen = order[places]
    batches = Batch(examples.images[chosen], examples.labels[chosen], weights)
    spread = NamedSharding(mesh, PartitionSpec(None, AXIS))
    placed: Batch = jax.lax.with_sharding_constraint(batches, spread)
    return placed


def _places(n: int, batch_size: int, rows: int, xp: Any) -> tuple[Any, Any]:
    """(batches, rows): the place in the order of each row, and whether it counts."""
    first = xp.arange(-(-n // batch_size))[:, None] * batch_size
    row = xp.arange(rows)[None]
    places = first + row
    return xp.minimum(places, n - 1), (row < batch_size) & (places < n)

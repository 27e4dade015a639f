"""What the axes of an array are, where it was made from feature maps.

A label says it of each axis, by atoms, outermost first, whose sizes multiply to that of the axis:
maps (N, 12, 12, 64) that are flattened as they lie have a last axis of H 12, W 12, C 64. Atoms of
size 1 are left out: they can stand anywhere.
"""

import functools
import math
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from jax.extend.core import InconclusiveDimensionOperation

Size = Any  # an int, or a symbolic dimension of jax.export


class Atom(NamedTuple):
    """A factor of an axis.

    ``stride`` orders the parts of what was split; of a layer's features ``whole`` is their number.
    """

    kind: str
    size: Size
    stride: Size = 1
    whole: Size = 0


Axis = tuple[Atom, ...]
Label = tuple[Axis, ...]

COPY, PLAIN, FEATURE, CHANNEL, LOST = "=.FC?"
PLACES = "DHWL"  # L alone is a row, or of several of these a choice
LETTERS = {1: "L", 2: "HW", 3: "DHW"}
WEIGHTS = {COPY: 0, PLAIN: 1, FEATURE: 2, LOST: 4}  # the others 3: what comes from maps


def is_one(size: Size) -> bool:
    """Whether a size, which may be symbolic, is 1."""
    return isinstance(size, int) and size == 1


def axis(kind: str, size: Size) -> Axis:
    """An axis of one kind."""
    return () if is_one(size) else (Atom(kind, size, 1, size if kind == FEATURE else 0),)


def plain(shape: Sequence[Size]) -> Label:
    """Of an array that comes from no maps."""
    return tuple(axis(PLAIN, size) for size in shape)


def maps(shape: Sequence[Size]) -> Label:
    """Of maps (N, ..., C), channels last."""
    kinds = (PLAIN, *LETTERS.get(len(shape) - 2, PLAIN * len(shape[1:-1])), CHANNEL)
    return tuple(map(axis, kinds, shape))


def kinds_of(axes: Iterable[Axis]) -> set[str]:
    """What is in them, but for what says nothing."""
    return {atom.kind for axis in axes for atom in axis} - {PLAIN, COPY}


def lost(labels: Iterable[Label], shape: Sequence[Size]) -> Label:
    """Of what was made from arrays so labelled, in a way that is not understood."""
    come_from_maps = any(kinds_of(label) - {FEATURE} for label in labels)
    return tuple(axis(LOST if come_from_maps else PLAIN, size) for size in shape)


def in_torchs_order(atoms: Axis) -> bool:
    """Whether they lie as torch, channels first, has them: no place before what is none."""
    reached: tuple[int, Size] = (-1, 0)
    for kind, _, stride, _ in atoms:
        place = (PLACES.find(kind), -stride if kind in PLACES else 0)
        if kind == LOST or place < reached:
            return False
        reached = place
    return True


def mixed(axes: Sequence[Axis], size: Size) -> Axis:
    """Of an axis in which there is something of each of these."""
    kinds = kinds_of(axes)
    if not all(map(in_torchs_order, axes)):
        return axis(LOST, size)
    if len(kinds) == 1:
        return axis(kinds.pop(), size)
    if kinds <= {CHANNEL, FEATURE}:
        return axis(CHANNEL if kinds else PLAIN, size)
    return axis("L" if kinds <= {*PLACES} else PLAIN, size)


def resized(atoms: Axis, size: Size) -> Axis:
    """Of an axis from which some was taken, or to which some was added."""
    return atoms if product(atoms) == size else mixed([atoms], size)


def product(atoms: Axis) -> Size:
    """The size of an axis."""
    return math.prod(atom.size for atom in atoms)


def joined(label: Label, other: Label) -> Label:
    """Of what is made element by element from two arrays."""
    return settled(map(met, label, other))


def met(one: Axis, other: Axis) -> Axis:
    """Of an axis whose elements are each made from one of both."""
    light, heavy = sorted((one, other), key=_weight)
    if one == other or _weight(light) < _weight(heavy):
        return heavy
    features = {atom.kind for atom in heavy} <= {FEATURE, PLAIN, COPY}
    return axis(PLAIN, product(heavy)) if features else mixed([one, other], product(heavy))


def _weight(atoms: Axis) -> int:
    return max((WEIGHTS.get(atom.kind, 3) for atom in atoms), default=-1)


def concatenated(labels: Sequence[Label], along: int, size: Size) -> Label:
    """Of arrays, one behind the other."""
    return settled(
        mixed(same, size) if i == along else functools.reduce(met, same)
        for i, same in enumerate(zip(*labels, strict=True))
    )


def reshaped(label: Label, shape: Sequence[Size]) -> Label:
    """Of the same elements in the same order, in another shape."""
    atoms = deque(atom for axis in label for atom in axis)
    try:
        return settled([_taken(atoms, size) for size in shape])
    except (ArithmeticError, IndexError, InconclusiveDimensionOperation):
        return lost([label], shape)


def _taken(atoms: deque[Atom], size: Size) -> Axis:
    """From the left as many as make a size, the last one split if need be."""
    found: list[Atom] = []
    while not is_one(size):
        atom = atoms.popleft()
        if atom.size != size and size % atom.size != 0:
            inner, rest = divmod(atom.size, size)
            if rest != 0:
                raise ArithmeticError(f"{atom.size} is no multiple of {size}")
            atoms.appendleft(atom._replace(size=inner))
            atom = atom._replace(size=size, stride=atom.stride * inner)
        found.append(atom)
        size = 1 if atom.size == size else size // atom.size
    return tuple(found)


def settled(label: Iterable[Axis]) -> Label:
    """With parts that lie side by side again made one, and one alone as if never split."""
    axes = [_put_together(atoms) for atoms in label]
    kinds = [atom.kind for axis in axes for atom in axis]
    single = {kind for kind in kinds if kinds.count(kind) == 1 and kind != FEATURE}
    return tuple(
        tuple(atom._replace(stride=1) if atom.kind in single else atom for atom in axis)
        for axis in axes
    )


def _put_together(atoms: Axis) -> Axis:
    found: list[Atom] = []
    for atom in atoms:
        before = found[-1] if found else None
        if before and _are_one(before, atom):
            kept = before if atom.kind == COPY else atom  # copies of a place are a finer place
            found[-1] = kept._replace(size=before.size * atom.size)
        else:
            found.append(atom)
    return tuple(found)


def _are_one(before: Atom, atom: Atom) -> bool:
    if COPY in (before.kind, atom.kind) or before.kind == atom.kind in (PLAIN, LOST):
        return True
    return before.kind == atom.kind and before.stride == atom.stride * atom.size

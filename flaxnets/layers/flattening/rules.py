"""What each primitive of JAX does to labels.

A rule takes the primitive's parameters, the labels of its operands and the shape of a result, and
returns the label of that.
"""

import functools
from collections.abc import Callable
from typing import Any

from flaxnets.layers.flattening import axes
from flaxnets.layers.flattening.axes import Label

Labels = list[Label]


def _joined(_: Any, labels: Labels, shape: Any) -> Label:
    """Element by element. An operand of another rank is a number."""
    operands = [label for label in labels if len(label) == len(shape)]
    return functools.reduce(axes.joined, operands, axes.plain(shape))


def _resized(_: Any, labels: Labels, shape: Any) -> Label:
    """The same axes, of other sizes."""
    return axes.settled(map(axes.resized, labels[0], shape))


def _updated(_: Any, labels: Labels, shape: Any) -> Label:
    return axes.joined(labels[0], axes.settled(map(axes.resized, labels[1], shape)))


def _scattered(_: Any, labels: Labels, shape: Any) -> Label:
    """As what is written into, if nothing of another kind is written."""
    operand, _indices, written = labels
    is_known = axes.kinds_of(written) <= axes.kinds_of(operand)
    return operand if is_known else axes.lost(labels, shape)


def _reshape(_: Any, labels: Labels, shape: Any) -> Label:
    return axes.reshaped(labels[0], shape)


def _transpose(parameters: Any, labels: Labels, _: Any) -> Label:
    return tuple(labels[0][i] for i in parameters["permutation"])


def _broadcast(parameters: Any, labels: Labels, shape: Any) -> Label:
    """What is new has copies of the same."""
    found = [axes.axis(axes.COPY, size) for size in shape]
    for i, atoms in zip(parameters["broadcast_dimensions"], labels[0], strict=True):
        found[i] = atoms or found[i]
    return axes.settled(found)


def _reduced(parameters: Any, labels: Labels, _: Any) -> Label:
    names = ("axes", "dimensions", "axis")
    gone = next(parameters[name] for name in names if name in parameters)
    gone = {gone} if isinstance(gone, int) else gone
    return axes.settled(atoms for i, atoms in enumerate(labels[0]) if i not in gone)


def _concatenate(parameters: Any, labels: Labels, shape: Any) -> Label:
    along = parameters["dimension"]
    return axes.concatenated(labels, along, shape[along])


def _stack(parameters: Any, labels: Labels, shape: Any) -> Label:
    along, found = parameters["axis"], functools.reduce(axes.joined, labels)
    return (*found[:along], axes.axis(axes.PLAIN, shape[along]), *found[along:])


def _dot(parameters: Any, labels: Labels, shape: Any) -> Label:
    """Both operands' free axes; those that are contracted have vanished."""
    contracted, batched = parameters["dimension_numbers"]
    batch = [axes.met(labels[0][i], labels[1][j]) for i, j in zip(*batched, strict=True)]
    places = [
        [i for i in range(len(labels[side])) if i not in (*contracted[side], *batched[side])]
        for side in (0, 1)
    ]
    free = [[labels[side][i] for i in places[side]] for side in (0, 1)]
    for side in (0, 1):
        summed = [labels[1 - side][i] for i in contracted[1 - side]]
        if len(free[side]) == 1 and len(summed) == 1:
            free[side] = [_mapped(free[side][0], summed[0])]
    return axes.settled([*batch, *free[0], *free[1]])


def _mapped(free: axes.Axis, summed: axes.Axis) -> axes.Axis:
    """Of places made from places by a matrix, as when maps are enlarged; channels likewise."""
    kinds = axes.kinds_of([summed])
    same = kinds <= {*axes.PLACES} or kinds <= {axes.CHANNEL} or kinds <= {axes.LOST}
    if axes.kinds_of([free]) or not kinds or not same:
        return free
    return axes.mixed([summed], axes.product(free))


def _convolve(parameters: Any, labels: Labels, shape: Any) -> Label:
    """New maps, of as many channels as there are kernels."""
    batch, channel, *places = parameters["dimension_numbers"].out_spec
    order = (batch, *places, channel)
    found = dict(zip(order, axes.maps([shape[i] for i in order]), strict=True))
    return tuple(found[i] for i in range(len(shape)))


def _gather(parameters: Any, labels: Labels, shape: Any) -> Label:
    """Slices of the operand's axes, and the places of the indices where an axis is looked up."""
    numbers, (operand, indices) = parameters["dimension_numbers"], labels
    gone = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
    slices = zip(operand, parameters["slice_sizes"], strict=True)
    kept = iter([axes.resized(*each) for i, each in enumerate(slices) if i not in gone])
    looked = [operand[i] for i in gone]
    places = iter(indices[:-1])
    found = []
    for i, size in enumerate(shape):
        atoms = next(kept) if i in numbers.offset_dims else _looked_up(next(places), looked, size)
        found.append(atoms)
    return axes.settled(found)


def _looked_up(place: axes.Axis, looked: list[axes.Axis], size: Any) -> axes.Axis:
    return axes.met(place, axes.mixed(looked, size)) if axes.kinds_of(looked) else place


ELEMENTWISE = """
    abs acos acosh add and asin asinh atan atan2 atanh bessel_i0e bessel_i1e
    cbrt ceil clamp clz complex conj convert_element_type copy copy_p cos cosh cumlogsumexp cummax
    cummin cumprod cumsum digamma div eq eq_to erf erf_inv erfc exp exp2 expm1 floor ge gt igamma
    igammac imag integer_pow is_finite le le_to lgamma log log1p logistic lt lt_to max min mul ne
    neg nextafter not or polygamma population_count pow pvary real reduce_precision rem rev round
    rsqrt select_n sharding_constraint shift_left shift_right_arithmetic shift_right_logical sign
    sin sinh sort sqrt square stop_gradient sub tan tanh xor zeta
"""
SCATTERING = "scatter scatter_add scatter_max scatter_min scatter_mul scatter_sub"
REDUCING = """
    argmax argmin reduce reduce_and reduce_max reduce_min reduce_or reduce_prod reduce_sum
    reduce_xor squeeze unstack
"""
RESIZING = """
    dynamic_slice fft pad reduce_window reduce_window_max reduce_window_min reduce_window_sum slice
    split tile top_k
"""
RULES: dict[str, Callable[[Any, Labels, Any], Label]] = {
    **dict.fromkeys(ELEMENTWISE.split(), _joined),
    **dict.fromkeys(REDUCING.split(), _reduced),
    **dict.fromkeys(RESIZING.split(), _resized),
    **dict.fromkeys(SCATTERING.split(), _scattered),
    "broadcast_in_dim": _broadcast,
    "concatenate": _concatenate,
    "conv_general_dilated": _convolve,
    "dot_general": _dot,
    "dynamic_update_slice": _updated,
    "gather": _gather,
    "reshape": _reshape,
    "stack": _stack,
    "transpose": _transpose,
}

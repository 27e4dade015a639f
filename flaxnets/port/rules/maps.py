"""Functions of feature maps, which lie channels last here."""

from collections.abc import Callable

from flaxnets.port.operation import Operation, Refused, Written

Make = Callable[[Operation], Written | None]


def of_maps(name: str, *drop: str) -> Make:
    """The function of ``flaxnets.layers`` with its name, and torch's arguments."""

    def rule(op: Operation) -> Written:
        if op["return_indices"]:
            raise Refused(f"{name} with return_indices", "there is no unpooling here")
        op.want("input", last=True)
        op.gives(True)
        return op.called(f"layers.{name}", *drop)

    return rule


def _padded(op: Operation) -> Written:
    if op.rank not in (3, 4):
        raise Refused(f"F.pad of {op.rank} axes", "pad maps, or concatenate zeros")
    return of_maps("pad")(op) or op.written("")


def _linear(op: Operation) -> Written:
    op.want("input")
    op.gives()
    bias = " + {bias}" if op["bias"] is not None else ""
    return op.written("{input} @ {weight}.T" + bias)


def _layer_norm(op: Operation) -> Written:
    op.want("input")
    op.gives()
    return op.called("layers.layer_norm")


def _embedding(op: Operation) -> Written:
    op.gives()
    return op.called("layers.embedding")


_POOLS = "max_pool1d max_pool2d avg_pool1d avg_pool2d adaptive_avg_pool1d adaptive_avg_pool2d"
_MORE = "adaptive_max_pool1d adaptive_max_pool2d pixel_shuffle pixel_unshuffle interpolate"

RULES: dict[str, tuple[str, Make]] = {
    **{name: ("input", of_maps(name)) for name in f"{_POOLS} {_MORE}".split()},
    "_max_pool1d": ("input", of_maps("max_pool1d")),
    "_max_pool2d": ("input", of_maps("max_pool2d")),
    "boolean_dispatch": ("input", of_maps("max_pool2d")),
    "pad": ("input pad mode value", _padded),
    "linear": ("input weight bias", _linear),
    "layer_norm": ("input normalized_shape weight bias eps", _layer_norm),
    "embedding": ("input weight", _embedding),
}

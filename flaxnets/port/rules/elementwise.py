"""What is done to each number: layouts go through it."""

from collections.abc import Callable
from typing import Any

import torch

from flaxnets.port import layouts
from flaxnets.port.layouts import Layout
from flaxnets.port.operation import Operation, Written

Make = Callable[[Operation], Written | None]


def unary(template: str) -> Make:
    """Of one operand."""

    def rule(op: Operation) -> Written:
        op.gives(op.lies(op.input))
        return op.written(template)

    return rule


def function(name: str) -> Make:
    """A function of one tensor and of options, which are written as they are."""

    def rule(op: Operation) -> Written:
        op.gives(op.lies(op.input))
        return op.called(name)

    return rule


def binary(operator: str) -> Make:
    """An operator between tensors, or a tensor and a number."""

    def rule(op: Operation) -> Written:
        agree(op, [name for name in ("input", "other") if name in op.values])
        if operator in ("+", "-") and op["alpha"] not in (None, 1):
            op.wraps["other"] = f"{op['alpha']} * {op.wraps.get('other', '{}')}"
        return op.written(f"{{input}} {operator} {{other}}")

    return rule


def agree(op: Operation, names: list[str]) -> None:
    """Operands that are broadcast together come to lie alike; so does the result."""
    tensors = {n: op[n] for n in names if isinstance(op[n], torch.Tensor) and op[n].ndim}
    lying = {name: op.lies(value) for name, value in tensors.items()}
    kinds = {layout.kind for layout in lying.values()}
    rank = max((value.ndim for value in tensors.values()), default=0)
    if not tensors:
        return op.gives()
    if len(kinds) == 1 and not next(iter(lying.values())).last:
        made = [layout for layout in lying.values() if layout.origin is not None]
        return op.gives([*made, *lying.values()][0])
    flat = [layout for layout in lying.values() if layout.flat]
    if flat:
        for layout in flat:
            op.analysis.wish(layout.origin, "torch")
        return op.gives(flat[0])
    for name, value in tensors.items():
        _aligned(op, name, value, lying[name], rank)
    op.gives(max(lying.values(), key=lambda layout: layout.last))


def _aligned(op: Operation, name: str, value: torch.Tensor, layout: Layout, rank: int) -> None:
    """To be broadcast with maps of so many axes."""
    if layout.last and value.ndim == rank:
        return
    if value.ndim == rank and layout.origin is not None:
        op.analysis.wish(layout.origin, "last")
    text = layouts.aligned("{}", value.shape, rank)
    if layout.last:  # of fewer axes than the other
        text = layouts.aligned(layouts.moved("{}", False, value.ndim), value.shape, rank)
    if text != "{}":
        op.wraps[name] = text


def _clamp(op: Operation) -> Written:
    op.gives(op.lies(op.input))
    return op.called("layers.clamp")


def both(function_: str) -> Make:
    """Of two tensors, by a function of NumPy's."""

    def rule(op: Operation) -> Written:
        agree(op, ["input", "other"])
        return op.written(f"{function_}({{input}}, {{other}})")

    return rule


def _chosen(op: Operation) -> Written:
    """torch.where(condition, input, other)."""
    agree(op, ["condition", "input", "other"])
    return op.written("jnp.where({condition}, {input}, {other})")


def _filled(op: Operation) -> Written:
    agree(op, ["input", "mask"])
    return op.written("jnp.where({mask}, {value}, {input})")


def _as_it_is(op: Operation) -> Written:
    op.gives(op.lies(op.input))
    return op.written("{input}")


def _converted(op: Operation) -> Written:
    """``to``: another dtype; devices are JAX's affair."""
    op.gives(op.lies(op.input))
    out: Any = op.event.out
    if out.dtype == op.input.dtype:
        return op.written("{input}")
    return op.written(f"{{input}}.astype({DTYPES[out.dtype]})")


def _typed_as(op: Operation) -> Written:
    op.gives(op.lies(op.input))
    return op.written("{input}.astype({other}.dtype)")


DTYPES = {
    torch.float32: "jnp.float32",
    torch.float64: "jnp.float64",
    torch.float16: "jnp.float16",
    torch.bfloat16: "jnp.bfloat16",
    torch.int64: "int",
    torch.int32: "jnp.int32",
    torch.bool: "bool",
    torch.uint8: "jnp.uint8",
}

_NUMPYS = "exp log sqrt sin cos log1p expm1 square floor ceil round sign isnan isinf isfinite"
_OPERATORS = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "multiply": "*",
    "subtract": "-",
    "div": "/",
    "true_divide": "/",
    "divide": "/",
    "gt": ">",
    "lt": "<",
    "ge": ">=",
    "le": "<=",
    "eq": "==",
    "ne": "!=",
    "pow": "**",
    "remainder": "%",
    "floor_divide": "//",
    "__floordiv__": "//",
    "__and__": "&",
    "__or__": "|",
    "__xor__": "^",
    "logical_and": "&",
    "logical_or": "|",
    "bitwise_and": "&",
    "bitwise_or": "|",
}
_FUNCTIONS = {
    "relu": "nn.relu",
    "relu6": "nn.relu6",
    "sigmoid": "nn.sigmoid",
    "silu": "nn.silu",
    "gelu": "layers.gelu",
    "leaky_relu": "layers.leaky_relu",
    "elu": "nn.elu",
    "selu": "nn.selu",
    "hardtanh": "layers.hardtanh",
    "hardswish": "nn.hard_swish",
    "hardsigmoid": "nn.hard_sigmoid",
    "softplus": "layers.softplus",
    "softsign": "nn.soft_sign",
    "logsigmoid": "nn.log_sigmoid",
    "mish": "jax.nn.mish",
    "threshold": "layers.threshold",
    "hardshrink": "layers.hardshrink",
    "softshrink": "layers.softshrink",
    "tanh": "jnp.tanh",
}
_SAME = "contiguous clone cpu cuda requires_grad_ alias"

RULES: dict[str, tuple[str, Make]] = {
    **{name: ("input", unary(f"jnp.{name}({{input}})")) for name in _NUMPYS.split()},
    **{name: ("input other alpha", binary(sign)) for name, sign in _OPERATORS.items()},
    **{name: ("input", function(ours)) for name, ours in _FUNCTIONS.items()},
    **dict.fromkeys(_SAME.split(), ("input", _as_it_is)),
    "neg": ("input", unary("-{input}")),
    "negative": ("input", unary("-{input}")),
    "rsqrt": ("input", unary("jax.lax.rsqrt({input})")),
    "erf": ("input", unary("jax.scipy.special.erf({input})")),
    "reciprocal": ("input", unary("1 / {input}")),
    "abs": ("input", unary("layers.absolute({input})")),
    "detach": ("input", unary("jax.lax.stop_gradient({input})")),
    "logical_not": ("input", unary("~{input}")),
    "bitwise_not": ("input", unary("~{input}")),
    "__invert__": ("input", unary("~{input}")),
    "clamp": ("input min max", _clamp),
    "clip": ("input min max", _clamp),
    "maximum": ("input other", both("jnp.maximum")),
    "minimum": ("input other", both("jnp.minimum")),
    "celu": ("input", function("nn.celu")),
    "where": ("condition input other", _chosen),
    "masked_fill": ("input mask value", _filled),
    "to": ("input", _converted),
    "type": ("input", _converted),
    "float": ("input", _converted),
    "double": ("input", _converted),
    "half": ("input", _converted),
    "long": ("input", _converted),
    "int": ("input", _converted),
    "bool": ("input", _converted),
    "type_as": ("input other", _typed_as),
    "__rsub__": ("other input", binary("-")),
    "rsub": ("other input alpha", binary("-")),
    "__rpow__": ("other input", binary("**")),
    "__rtruediv__": ("other input", binary("/")),
    "__rdiv__": ("other input", binary("/")),
}

"""Products of matrices, which lie as in torch."""

from collections.abc import Callable

from flaxnets.port.operation import Operation, Written

Make = Callable[[Operation], Written | None]


def product(template: str) -> Make:
    """Of two operands."""

    def rule(op: Operation) -> Written:
        for name in ("input", "other"):
            op.want(name)
        op.gives()
        return op.written(template)

    return rule


def _einsum(op: Operation) -> Written:
    for each in op["operands"]:
        if op.brought(each, "{}", False) != "{}":
            op.analysis.insist(op, each)
    op.gives()
    return op.called("jnp.einsum")


def _attend(op: Operation) -> Written:
    for name in ("query", "key", "value", "attn_mask"):
        op.want(name)
    op.gives()
    return op.called("layers.scaled_dot_product_attention")


def _triangle(op: Operation) -> Written:
    op.want("input")
    op.gives()
    return op.called(f"jnp.{op.event.name}")


RULES: dict[str, tuple[str, Make]] = {
    "matmul": ("input other", product("{input} @ {other}")),
    "mm": ("input other", product("{input} @ {other}")),
    "bmm": ("input other", product("{input} @ {other}")),
    "mv": ("input other", product("{input} @ {other}")),
    "dot": ("input other", product("{input} @ {other}")),
    "__matmul__": ("input other", product("{input} @ {other}")),
    "einsum": ("equation *operands", _einsum),
    "scaled_dot_product_attention": ("query key value attn_mask dropout_p is_causal", _attend),
    "triu": ("input diagonal", _triangle),
    "tril": ("input diagonal", _triangle),
}

"""Padding."""

from hypothesis import strategies as st

from draws.draw import Draw, Layer, Wrong, normal

places = st.integers(1, 6)
MODES = {
    "Zero": "constant",
    "Constant": "constant",
    "Reflection": "reflect",
    "Replication": "replicate",
    "Circular": "circular",
}


@st.composite
def sides(draw, mode, size):
    """Before and behind an axis of that size; some negative, which leave at least one place."""
    before = draw(st.integers(-(size // 2), size))
    after = draw(st.integers(1 - size - min(before, 0), size))
    if mode == "reflect":  # what is copied is what was there before
        return min(before, size - 1), min(after, size - 1)
    if mode == "circular":  # and here what is left
        left = size + min(before, 0) + min(after, 0)
        return min(before, left), min(after, left)
    return before, after


@st.composite
def padded(draw, kind, rank):
    """Sides for each axis, or one number."""
    shape = [draw(places) for _ in range(rank)]
    one = min(shape) - (MODES[kind] == "reflect")
    padding = draw(st.integers(0, one))
    if draw(st.booleans()):
        padding = tuple(n for size in shape[::-1] for n in draw(sides(MODES[kind], size)))
    arguments = {"padding": padding}
    if kind == "Constant":
        arguments["value"] = draw(st.sampled_from([0, 1, -2.5]))
    return Draw(arguments, normal(*shape, draw(st.integers(1, 3))))


def layer(kind: str, rank: int) -> Layer:
    """Padding of one kind."""
    inputs = normal(*(4, 5)[:rank], 2)
    value = {"value": 1.5} if kind == "Constant" else {}
    traps = {1: [(2, -1)], 2: [(2, 1, -1, 3)]}[rank]
    says = "pad|maps"
    wrong = [
        Wrong({"padding": (1,), **value}, inputs, says),
        Wrong({"padding": (-6,) * 2 * rank, **value}, inputs, says),
        Wrong({"padding": (1,) * 10, **value}, inputs, says),
    ]
    if kind not in ("Zero", "Constant"):
        wrong.append(Wrong({"padding": 1, **value}, normal(), says))
    if MODES[kind] in ("reflect", "circular"):
        wrong.append(Wrong({"padding": 6, **value}, inputs, says))
    if MODES[kind] == "reflect":
        wrong.append(Wrong({"padding": 4, **value}, inputs, says))
    return Layer(
        padded(kind, rank),
        [Draw({"padding": trap, **value}, inputs) for trap in traps],
        wrong=wrong,
    )


LAYERS = {f"{kind}Pad{rank}d": layer(kind, rank) for kind in MODES for rank in (1, 2)}

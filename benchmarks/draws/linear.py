"""Fully connected layers."""

from hypothesis import strategies as st

from draws.draw import Draw, Layer, Wrong, normal

sizes = st.integers(1, 6)


@st.composite
def linear(draw):
    """Inputs of one axis or several before the last."""
    arguments = {
        "in_features": draw(sizes),
        "out_features": draw(sizes),
        "bias": draw(st.booleans()),
    }
    before = draw(st.lists(sizes, max_size=2))
    return Draw(arguments, normal(*before, arguments["in_features"]), maps=False)


LAYERS = {
    "Linear": Layer(
        linear(),
        [Draw({"in_features": 7, "out_features": 5}, normal(7))],
        wrong=[Wrong({"in_features": 7, "out_features": 5}, normal(8), "last axis of 7")],
    ),
}

"""Dropouts: with torch's masks replayed."""

from typing import Any

import torch
from hypothesis import strategies as st

from draws.draw import Draw, Layer, Wrong, normal

probabilities = st.sampled_from([0, 0.0, 0.1, 0.3, 0.5, 0.9, 1.0])
sizes = st.integers(1, 5)


class StochasticDepth(torch.nn.Module):
    """torchvision.ops' and timm's (DropPath), from their descriptions: neither is needed."""

    def __init__(self, p: float, mode: str = "row", scale_by_keep: bool = True) -> None:
        super().__init__()
        if p < 0 or p > 1 or mode not in ("batch", "row"):  # they do so when they are called
            raise ValueError
        self.p, self.mode, self.scale_by_keep = p, mode, scale_by_keep

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scales a branch of each example, or of the batch, by 0 or by what keeps its mean."""
        if not self.training or self.p == 0:
            return x
        rate = 1 - self.p
        shape = (x.shape[0] if self.mode == "row" else 1, *[1] * (x.ndim - 1))
        noise = torch.empty(shape, dtype=x.dtype).bernoulli_(rate)
        if rate > 0 and self.scale_by_keep:
            noise.div_(rate)
        return x * noise

    def extra_repr(self) -> str:
        """torchvision's, which has no ``scale_by_keep``."""
        return f"p={self.p}, mode={self.mode}" + ", scale_by_keep=False" * (not self.scale_by_keep)


@st.composite
def dropout(draw, *axes: int, **options: st.SearchStrategy[Any]):
    """Inputs of so many axes after the first."""
    arguments = {"p": draw(probabilities)}
    arguments |= {name: draw(option) for name, option in options.items()}
    n = draw(st.sampled_from(axes))
    return Draw(arguments, normal(*draw(st.lists(sizes, min_size=n, max_size=n))))


def layer(*axes: int, wrong: tuple[Wrong, ...] = ()) -> Layer:
    """One of torch.nn's."""
    shape = (3, 2, 4, 5)[-max(axes) :] if max(axes) else ()
    return Layer(
        dropout(*axes, inplace=st.booleans()),
        [Draw({"p": 0.3}, normal(*shape))],
        wrong=[Wrong({"p": 1.5}), Wrong({"p": -0.1}), *wrong],
    )


LAYERS = {
    "Dropout": layer(0, 1, 2, 3),
    "Dropout1d": layer(2, wrong=(Wrong({}, normal(2, 3, 4), "Dropout1d takes"),)),
    "Dropout2d": layer(1, 3),
    "AlphaDropout": layer(0, 1, 2, 3),
    "FeatureAlphaDropout": layer(
        1, 2, 3, wrong=(Wrong({}, normal(), "FeatureAlphaDropout takes"),)
    ),
    "StochasticDepth": Layer(
        dropout(0, 1, 2, 3, mode=st.sampled_from(["row", "batch"]), scale_by_keep=st.booleans()),
        [
            Draw({"p": 0.3, "mode": "row"}, normal(2, 4, 5)),
            Draw({"p": 0.5, "mode": "batch", "scale_by_keep": False}, normal(4)),
        ],
        wrong=[Wrong({"p": 1.5}), Wrong({"p": 0.5, "mode": "column"})],
        theirs=StochasticDepth,
    ),
}

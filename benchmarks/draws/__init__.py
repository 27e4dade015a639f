"""Layers in options that are drawn, by hypothesis, each with inputs that it takes.

A file a family. ``LAYERS`` has them all by their names, which are torch's too.
"""

from draws import activations, convolutions, dropout, embedding, linear, norms, recurrent
from draws.draw import Layer

FAMILIES = (
    activations,
    convolutions,
    dropout,
    embedding,
    linear,
    norms,
    recurrent,
)
LAYERS: dict[str, Layer] = {
    name: layer for family in FAMILIES for name, layer in family.LAYERS.items()
}

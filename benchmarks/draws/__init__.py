"""Layers in options that are drawn, by hypothesis, each with inputs that it takes.

A file a family. ``LAYERS`` has them all by their names, which are torch's too.
"""

from draws import (
    activations,
    attention,
    container,
    convolutions,
    dropout,
    embedding,
    linear,
    norms,
    padding,
    pools,
    recurrent,
    resizing,
)
from draws.draw import Layer

FAMILIES = (
    activations,
    attention,
    container,
    convolutions,
    dropout,
    embedding,
    linear,
    norms,
    padding,
    pools,
    recurrent,
    resizing,
)
LAYERS: dict[str, Layer] = {
    name: layer for family in FAMILIES for name, layer in family.LAYERS.items()
}

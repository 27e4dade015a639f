"""Layers in options that are drawn, by hypothesis, each with inputs that it takes.

A file a family. ``LAYERS`` has them all by their names, which are torch's too.
"""

from draws import attention, linear
from draws.draw import Layer

FAMILIES = (attention, linear)
LAYERS: dict[str, Layer] = {
    name: layer for family in FAMILIES for name, layer in family.LAYERS.items()
}

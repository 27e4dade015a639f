"""Networks in plain torch, each as an author of tutorials and repositories would write it.

A file has one network, or some that belong together, and for each of them four functions: ``small``
(narrow: a port of it compiles in seconds), ``real`` (the widths that it has elsewhere), ``example``
(inputs of the small one) and ``real_example``; where a file has several, a suffix tells them apart.
They import torch and nothing else, so that each file can be given to the command line.
"""

from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

import torch

from networks import dcgan, garment, lenet, mnist_cnn, mnist_examples, resnet, unet, vgg, vit

Inputs = torch.Tensor | tuple[torch.Tensor, ...] | dict[str, torch.Tensor]


class Network(NamedTuple):
    """A network to try: how it is made, in two sizes, and inputs of each.

    Attributes:
        kind: "feed-forward" or "sequence".
        batch_axis: the axis of its inputs that is the batch; 1 where time comes first.
    """

    small: Callable[[], torch.nn.Module]
    real: Callable[[], torch.nn.Module]
    example: Callable[[], Inputs]
    real_example: Callable[[], Inputs]
    kind: str = "feed-forward"
    batch_axis: int = 0


def _of(file: ModuleType, suffix: str = "", kind: str = "feed-forward", axis: int = 0) -> Network:
    names = ("small", "real", "example", "real_example")
    return Network(*(getattr(file, name + suffix) for name in names), kind, axis)


NETWORKS = {
    "lenet": _of(lenet),
    "lenet_chapter": _of(lenet, "_chapter"),
    "garment": _of(garment),
    "mnist_cnn": _of(mnist_cnn),
    "mnist_lambda": _of(mnist_cnn, "_lambda"),
    "mnist_net": _of(mnist_examples),
    "mnist_hogwild": _of(mnist_examples, "_hogwild"),
    "dcgan_generator": _of(dcgan, "_generator"),
    "dcgan_discriminator": _of(dcgan, "_discriminator"),
    "resnet18": _of(resnet, "_18"),
    "resnet50": _of(resnet, "_50"),
    "vgg11": _of(vgg),
    "vgg11_bn": _of(vgg, "_bn"),
    "unet": _of(unet),
    "unet_bilinear": _of(unet, "_bilinear"),
    "unet_lists": _of(unet, "_lists"),
    "vit": _of(vit),
    "vit_einsum": _of(vit, "_einsum"),
}

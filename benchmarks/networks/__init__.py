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

from networks import (
    alexnet,
    attention_masks,
    autoencoder,
    convnext,
    dcgan,
    densenet,
    fast_neural_style,
    garment,
    inception,
    lenet,
    mlp_mixer,
    mnist_cnn,
    mnist_examples,
    mobilenetv2,
    resnet,
    resnet_cifar,
    rnn_classifiers,
    siamese,
    squeezenet,
    super_resolution,
    tabular,
    text_cnn,
    time_sequence,
    unet,
    vae,
    vgg,
    vit,
    word_language_model,
)

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
    "vae_encoder": _of(vae, "_encoder"),
    "vae_decoder": _of(vae, "_decoder"),
    "super_resolution": _of(super_resolution),
    "fast_neural_style": _of(fast_neural_style),
    "siamese": _of(siamese),
    "resnet_cifar": _of(resnet_cifar),
    "resnet_wide": _of(resnet_cifar, "_wide"),
    "alexnet": _of(alexnet),
    "squeezenet": _of(squeezenet),
    "mobilenetv2": _of(mobilenetv2),
    "densenet": _of(densenet),
    "inception": _of(inception),
    "inception_v3": _of(inception, "_v3"),
    "autoencoder": _of(autoencoder),
    "autoencoder_views": _of(autoencoder, "_views"),
    "mlp_mixer": _of(mlp_mixer),
    "mlp_mixer_paper": _of(mlp_mixer, "_paper"),
    "convnext": _of(convnext),
    "convnext_drop_path": _of(convnext, "_drop_path"),
    "text_cnn": _of(text_cnn),
    "text_cnn_1d": _of(text_cnn, "_1d"),
    "tabular": _of(tabular),
    "tabular_named": _of(tabular, "_named"),
    "lstm_classifier": _of(rnn_classifiers, "_lstm", "sequence"),
    "gru_classifier": _of(rnn_classifiers, "_gru", "sequence"),
    "mnist_rnn": _of(rnn_classifiers, "_mnist", "sequence"),
    "conv_gru": _of(rnn_classifiers, "_conv", "sequence"),
    "time_sequence": _of(time_sequence, "", "sequence"),
    "forecaster": _of(time_sequence, "_forecaster", "sequence"),
    "rnn_language_model": _of(word_language_model, "_rnn", "sequence", axis=1),
    "transformer_language_model": _of(word_language_model, "_transformer", "sequence", axis=1),
    "transformer_keeping_its_mask": _of(word_language_model, "_mask_kept", "sequence", axis=1),
    "padded_encoder": _of(attention_masks, "_padded", "sequence"),
    "causal_decoder": _of(attention_masks, "_causal", "sequence"),
    "cross_attention": _of(attention_masks, "_cross", "sequence"),
}

"""MLP-Mixer: perceptrons on the patches of a channel, and on the channels of a patch, in turn."""

from functools import partial

import torch
from torch import nn


class PreNormResidual(nn.Module):
    def __init__(self, dim, fn):
        super().__init__()
        self.fn = fn
        self.norm = nn.LayerNorm(dim)

    def forward(self, x):
        return self.fn(self.norm(x)) + x


def FeedForward(dim, expansion=4, dropout=0.0, dense=nn.Linear):
    inner = int(dim * expansion)
    return nn.Sequential(
        dense(dim, inner), nn.GELU(), nn.Dropout(dropout), dense(inner, dim), nn.Dropout(dropout)
    )


class MLPMixer(nn.Module):
    """Tokens are mixed by 1 x 1 convolutions whose channels are the patches."""

    def __init__(self, image, patch, dim, depth, classes, expansions=(4, 0.5), dropout=0.0):
        super().__init__()
        patches = (image // patch) ** 2
        over_patches = partial(nn.Conv1d, kernel_size=1)
        self.stem = nn.Conv2d(3, dim, patch, patch)
        self.mixers = nn.Sequential(
            *[
                nn.Sequential(
                    PreNormResidual(
                        dim, FeedForward(patches, expansions[0], dropout, over_patches)
                    ),
                    PreNormResidual(dim, FeedForward(dim, expansions[1], dropout)),
                )
                for _ in range(depth)
            ]
        )
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, classes)

    def forward(self, x):
        x = self.stem(x)
        n, c, h, w = x.shape
        x = x.reshape(n, c, h * w).permute(0, 2, 1)
        x = self.norm(self.mixers(x))
        return self.head(x.mean(1))


class MixerLayer(nn.Module):
    """The paper's form: transposed for the tokens, and back for the channels."""

    def __init__(self, tokens, channels, tokens_hidden, channels_hidden):
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.token_in = nn.Linear(tokens, tokens_hidden)
        self.token_out = nn.Linear(tokens_hidden, tokens)
        self.norm2 = nn.LayerNorm(channels)
        self.channel_in = nn.Linear(channels, channels_hidden)
        self.channel_out = nn.Linear(channels_hidden, channels)
        self.act = nn.GELU(approximate="tanh")

    def forward(self, x):
        y = self.norm1(x).transpose(1, 2)  # tokens last
        y = self.token_out(self.act(self.token_in(y)))
        x = x + y.transpose(1, 2)
        return x + self.channel_out(self.act(self.channel_in(self.norm2(x))))


class PaperMixer(nn.Module):
    def __init__(self, tokens=64, channels=128, depth=4, classes=10, hidden=(64, 512)):
        super().__init__()
        self.embed = nn.Conv2d(3, channels, kernel_size=4, stride=4)
        for i in range(depth):
            self.add_module(f"layer{i}", MixerLayer(tokens, channels, *hidden))
        self.depth = depth
        self.norm = nn.LayerNorm(channels)
        self.head = nn.Linear(channels, classes)
        nn.init.zeros_(self.head.weight)

    def forward(self, x):
        x = self.embed(x).flatten(start_dim=2).mT
        for i in range(self.depth):
            x = getattr(self, f"layer{i}")(x)
        return self.head(self.norm(x).mean(dim=-2))


def small():
    return MLPMixer(image=12, patch=4, dim=6, depth=2, classes=5, expansions=(2, 1), dropout=0.1)


def real():
    return MLPMixer(image=32, patch=4, dim=256, depth=8, classes=10)


def example():
    return torch.randn(3, 3, 12, 12, generator=torch.Generator().manual_seed(0))


def real_example():
    return torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def small_paper():
    mixer = PaperMixer(tokens=9, channels=6, depth=2, classes=5, hidden=(7, 8))
    nn.init.normal_(mixer.head.weight)  # what starts at zero gives no gradients to compare
    return mixer


def real_paper():
    return PaperMixer()


example_paper, real_example_paper = example, real_example

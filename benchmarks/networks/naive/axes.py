"""Axes of maps: dims and what broadcasts mean torch's (N, C, H, W)."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class NegativeDims(nn.Module):
    """-3 is the channels, -1 the width; they lie elsewhere when channels are last."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x):
        x = self.conv(x)
        return torch.cat([x.softmax(-3), x.log_softmax(-1)], dim=-3)


class SoftmaxOverChannels(nn.Module):
    """nn.Softmax(dim=1) of maps: not the last axis, not axis 1 of channels last."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.softmax = nn.Softmax(dim=1)

    def forward(self, x):
        return self.softmax(self.conv(x))


class Softmax2d(nn.Module):
    """A class's own default: over channels."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Softmax2d())

    def forward(self, x):
        return self.layers(x)


class KeptDims(nn.Module):
    """Means with and without keepdim; torch's var and std divide by n - 1."""

    def forward(self, x):
        mean = x.mean(dim=1, keepdim=True)
        std = x.std(dim=(2, 3), keepdim=True)
        return (x - mean) / (std + 1), x.var(1), x.var(dim=-1, correction=0)


class ParametersOfMaps(nn.Module):
    """(C, 1, 1), (1, C, 1, 1), (H, W) and (W,) broadcast from the right of torch's axes."""

    def __init__(self):
        super().__init__()
        self.gamma = nn.Parameter(torch.rand(3, 1, 1))
        self.beta = nn.Parameter(torch.rand(1, 3, 1, 1))
        self.position = nn.Parameter(torch.rand(6, 3))
        self.column = nn.Parameter(torch.rand(3))

    def forward(self, x):
        return (self.gamma * x + self.beta) * self.position + self.column


class SqueezeAndExcite(nn.Module):
    """(N, C) to (N, C, 1, 1) by a view, and a product that broadcasts."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.fc = nn.Sequential(nn.Linear(4, 2), nn.ReLU(), nn.Linear(2, 4), nn.Sigmoid())

    def forward(self, x):
        x = self.conv(x)
        b, c, _, _ = x.size()
        y = F.adaptive_avg_pool2d(x, 1).view(b, c)
        return x * self.fc(y).view(b, c, 1, 1).expand_as(x)


class AddedByIndex(nn.Module):
    """[:, :, None, None], and scale and shift from one Linear (FiLM)."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.film = nn.Linear(5, 8)

    def forward(self, x, condition):
        gamma, beta = self.film(condition)[:, :, None, None].chunk(2, dim=1)
        return (1 + gamma) * self.conv(x) + beta


class Transposed(nn.Module):
    """x.T of a matrix, mT of tokens, height and width exchanged before an uneven kernel."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, (1, 3), padding=(0, 1))
        self.mix = nn.Parameter(torch.rand(3, 4))

    def forward(self, x):
        x = self.conv(x.transpose(2, 3))
        return x, x.flatten(2).mT @ self.mix.T


class Singleton(nn.Module):
    """squeeze of the one channel; unsqueeze in front of what is then the height."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 3)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        x = self.conv(x).squeeze(1)
        return self.fc(x), x.unsqueeze(-1).unsqueeze(1)


class Pooled(nn.Module):
    """Global pooling by mean and amax, by a list, a tuple and an uneven adaptive pool."""

    def forward(self, x):
        uneven = F.adaptive_avg_pool2d(x, (2, 3)).flatten(1)
        return torch.cat([x.mean([2, 3]), x.amax(dim=(-2, -1)), uneven], 1)


class Einsum(nn.Module):
    """An einsum whose letters say nchw."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Parameter(torch.rand(3, 5))
        self.rows = nn.Parameter(torch.rand(6, 2))

    def forward(self, x):
        return torch.einsum("nchw,co->nohw", x, self.mix), torch.einsum(
            "nchw,hk->nckw", x, self.rows
        )


class LinearOverTheWidth(nn.Module):
    """Linear and LayerNorm read torch's last axis, which for maps is the width."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.norm = nn.LayerNorm(3)
        self.fc = nn.Linear(3, 5)

    def forward(self, x):
        return self.fc(self.norm(self.conv(x)))


class UnitLength(nn.Module):
    """F.normalize's default is dim 1: channels of maps."""

    def forward(self, x):
        return F.normalize(x), F.cosine_similarity(x, x.flip(2))


class OverOneAxis(nn.Module):
    """cumsum, sort, topk, max and argmax along an axis; indices are outputs."""

    def forward(self, x):
        values, indices = x.max(dim=1)
        top = x.topk(2, dim=2)
        return x.cumsum(2), x.sort(dim=1, descending=True)[0], values, indices, top.values


def _conditioned():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(4, 3, 6, 3, generator=generator), torch.randn(4, 5, generator=generator)


EXAMPLES = {
    NegativeDims: (4, 3, 6, 3),
    SoftmaxOverChannels: (4, 3, 6, 3),
    Softmax2d: (4, 3, 6, 3),
    KeptDims: (4, 3, 6, 3),
    ParametersOfMaps: (4, 3, 6, 3),
    SqueezeAndExcite: (4, 3, 6, 3),
    AddedByIndex: _conditioned,
    Transposed: (4, 3, 6, 3),
    Singleton: (4, 3, 6, 6),
    Pooled: (4, 3, 6, 8),
    Einsum: (4, 3, 6, 3),
    LinearOverTheWidth: (4, 3, 6, 3),
    UnitLength: (4, 3, 6, 3),
    OverOneAxis: (4, 3, 6, 3),
}
REFUSABLE = set()

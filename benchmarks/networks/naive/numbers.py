"""Gradients, kinks, types and writes in place whose meaning is plain, if one looks."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Detached(nn.Module):
    """Outputs are the same without it, gradients are not."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(6, 6)
        self.fc2 = nn.Linear(6, 6)

    def forward(self, x):
        target = self.fc1(x)
        return self.fc2(target.detach()) - target


class StraightThrough(nn.Module):
    """Rounded outwards, the identity backwards."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x):
        x = 3 * self.fc(x)
        return x + (torch.round(x) - x).detach()


class WithoutGradients(nn.Module):
    """A trace does not see torch.no_grad()."""

    def __init__(self):
        super().__init__()
        self.features = nn.Linear(6, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        with torch.no_grad():
            x = torch.relu(self.features(x))
        return self.head(x)


class AtTheKinks(nn.Module):
    """Zeros and ones exactly, where derivatives are a choice: leaky ReLU, abs, hardtanh, clamp."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(6))
        self.prelu = nn.PReLU()

    def forward(self, x):
        x = x + self.bias
        return torch.stack(
            [
                F.leaky_relu(x),
                self.prelu(x),
                x.abs(),
                F.hardtanh(x),
                x.clamp(-1, 1),
                F.relu6(x),
                F.hardswish(x),
                x.clamp(min=0),
            ]
        )


class Ties(nn.Module):
    """max(dim) gives its gradient to the first of equals, amax to all; zeros have a length too."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(6))

    def forward(self, x):
        x = x + self.bias
        return x.max(dim=1).values, x.amax(dim=1), torch.maximum(x, -x), (x - x).norm(dim=1)


class OtherDefaults(nn.Module):
    """Functions whose defaults differ, or that have more arguments than their namesakes."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)
        self.softplus = nn.Softplus(beta=5, threshold=2)
        self.norm = nn.LayerNorm(6)

    def forward(self, x):
        x = self.norm(self.fc(x) + 1000)
        x = F.gelu(x) - F.gelu(x, approximate="tanh") + F.elu(x, 0.7) + F.celu(x, 2.0)
        return self.softplus(x) + torch.sign(x) + torch.remainder(x, 0.3) - torch.fmod(x, 0.7)


class FromIntegers(nn.Module):
    """Whole numbers divided are float32 in torch, whatever the network; // and % round down."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(5, 4)
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        scale = (x / 3).unsqueeze(-1).to(self.fc.weight.dtype)
        return self.fc(self.table((x - 7) % 5) * scale), (x - 7) // 2, (x > 3).sum(1)


class RoundedOnTheWay(nn.Module):
    """float() in the middle of a network in double precision rounds."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(6, 6)
        self.fc2 = nn.Linear(6, 3)

    def forward(self, x):
        x = torch.softmax(self.fc1(x).float(), dim=-1)
        return self.fc2(x.to(self.fc2.weight.dtype))


class PaddingIndex(nn.Module):
    """The padding's row is read, but gets no gradient; a bag leaves it out of its mean."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(9, 4, padding_idx=2)
        self.bag = nn.EmbeddingBag(9, 4, mode="mean", padding_idx=2)
        nn.init.normal_(self.words.weight)

    def forward(self, x):
        return self.words(x).sum(1) * self.bag(x)


class RenormalizedTable(nn.Module):
    """max_norm writes to its weights in forward."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(9, 4, max_norm=1.0)

    def forward(self, x):
        return self.words(x)


class InPlaceAndHarmless(nn.Module):
    """Writes in place to what nobody reads again: to be ported, not refused."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        out = self.conv(x)
        out += 1
        out *= 0.5
        out = self.relu(out)
        out = out.mean((2, 3)).sub_(0.25)
        return F.relu_(self.fc(out).mul_(2).add_(1))


class InPlaceAndMeant(nn.Module):
    """h is written before it is read a second time: both summands are rectified."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(6, 6)
        self.fc2 = nn.Linear(6, 6)

    def forward(self, x):
        h = self.fc1(x)
        F.relu(h, inplace=True)
        return self.fc2(h) + h


class WritesItsInput(nn.Module):
    """The caller's own tensor is changed; the outputs of one call do not show it."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x):
        x -= 0.5
        return self.fc(x)


class Checkpointed(nn.Module):
    """Computed again in the backward pass, with the same numbers."""

    def __init__(self):
        super().__init__()
        self.block = nn.Sequential(nn.Linear(6, 6), nn.Tanh())
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        x = torch.utils.checkpoint.checkpoint(self.block, x, use_reentrant=False)
        return self.fc(x)


def _whole():
    """Of -1, 0 and 1, with many ties."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(-1, 2, (4, 6), generator=generator).float()


def _words():
    return torch.randint(9, (4, 5), generator=torch.Generator().manual_seed(0))


EXAMPLES = {
    Detached: (4, 6),
    StraightThrough: (4, 6),
    WithoutGradients: (4, 6),
    AtTheKinks: _whole,
    Ties: _whole,
    OtherDefaults: (4, 6),
    FromIntegers: _words,
    RoundedOnTheWay: (4, 6),
    PaddingIndex: _words,
    RenormalizedTable: _words,
    InPlaceAndHarmless: (4, 3, 6, 8),
    InPlaceAndMeant: (4, 6),
    WritesItsInput: (4, 6),
    Checkpointed: (4, 6),
}
REFUSABLE = {
    WithoutGradients,
    RoundedOnTheWay,
    RenormalizedTable,
    InPlaceAndMeant,
    WritesItsInput,
    Checkpointed,
}

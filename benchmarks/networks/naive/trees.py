"""Inputs and outputs: several, by name, nested, whole numbers, masks."""

from collections import namedtuple
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn as nn


class DictOfMaps(nn.Module):
    """A dict with maps in it, in the author's order, and maps in a list of a tuple."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 5, 3, stride=2)

    def forward(self, x):
        low = self.conv1(x)
        high = self.conv2(low)
        return {"low": low, "high": high, "all": ([low, (high,)], high.mean((2, 3)))}


Detection = namedtuple("Detection", ["scores", "boxes"])


class Named(NamedTuple):
    logits: torch.Tensor
    features: torch.Tensor


class NamedTuples(nn.Module):
    """namedtuples of both kinds."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3)
        self.fc = nn.Linear(6, 2)

    def forward(self, x):
        x = self.conv(x)
        logits = self.fc(x.mean(dim=[-1, -2]))
        return Detection(scores=Named(logits, x), boxes=x[:, :4])


@dataclass
class Output:
    logits: torch.Tensor
    hidden: torch.Tensor


class DataClass(nn.Module):
    """A dataclass is no tree of torch's."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 2)

    def forward(self, x):
        hidden = self.fc(x)
        return Output(logits=hidden.softmax(-1), hidden=hidden)


class InputReturned(nn.Module):
    """Its input, one value twice, a constant and None are outputs too."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.register_buffer("grid", torch.arange(6.0).view(2, 3))

    def forward(self, x):
        y = self.conv(x)
        return x, y, y, self.grid, None


class OneNumber(nn.Module):
    """A loss, which has no batch."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 2)

    def forward(self, x):
        return self.fc(x).pow(2).mean()


class ByName(nn.Module):
    """Keyword arguments that are given in another order than forward has them in."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, query, key, *, scale=0.5, bias=None):
        scores = self.fc(query) @ self.fc(key).transpose(-2, -1) * scale
        return scores if bias is None else scores + bias


class MapsAndTokens(nn.Module):
    """Inputs of rank 4, 3 and 2, of which only the first are maps."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3)
        self.token = nn.Linear(5, 5)
        self.out = nn.Linear(5, 2)

    def forward(self, image, tokens, vector):
        maps = self.conv(image).flatten(2).transpose(1, 2)
        together = torch.cat([maps, self.token(tokens), vector.unsqueeze(1)], dim=1)
        return self.out(together)


class MaskAsInput(nn.Module):
    """A boolean mask chooses by where and masked_fill; ~ inverts it."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x, mask):
        x = self.fc(x).masked_fill(~mask, float("-inf"))
        weights = torch.softmax(x, dim=-1)
        return torch.where(mask, weights, torch.zeros_like(weights)), mask.float().mean()


class WholeNumbers(nn.Module):
    """Whole numbers choose rows, are compared, and become floats where they are added."""

    def __init__(self):
        super().__init__()
        self.kind = nn.Embedding(4, 3)
        self.fc = nn.Linear(3, 3)

    def forward(self, kinds, amounts):
        hot = nn.functional.one_hot(kinds, 4).to(self.fc.weight.dtype)
        x = self.fc(self.kind(kinds)) * amounts.unsqueeze(-1)
        return x.sum(1), hot.mean(1), (kinds == 2).any(dim=1)


class Gathered(nn.Module):
    """Each sample's last step, by its length: gather along time."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(3, 4, batch_first=True)

    def forward(self, x, lengths):
        out, _ = self.rnn(x)
        index = (lengths - 1).view(-1, 1, 1).expand(-1, 1, out.size(2))
        return out.gather(1, index).squeeze(1), out[torch.arange(x.size(0)), lengths - 1]


class NeverRead(nn.Module):
    """An argument that forward takes and does not read."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 2)

    def forward(self, x, targets=None):
        return self.fc(x)


class SumOverTheBatch(nn.Module):
    """Samples see each other: a port that is mapped over single samples is wrong."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 4)

    def forward(self, x):
        z = nn.functional.normalize(self.fc(x), dim=-1)
        return z @ z.T, x - x.mean(0, keepdim=True)


def _generator():
    return torch.Generator().manual_seed(0)


def _by_name():
    generator = _generator()
    key, query = (torch.randn(3, 5, 6, generator=generator) for _ in range(2))
    return {"key": key, "query": query}


def _mixed():
    shapes = ((3, 3, 6, 5), (3, 4, 5), (3, 5))
    generator = _generator()
    return tuple(torch.randn(shape, generator=generator) for shape in shapes)


def _masked():
    mask = torch.rand(4, 6, generator=_generator()) > 0.3
    mask[:, 0] = True
    return torch.randn(4, 6, generator=_generator()), mask


def _whole():
    generator = _generator()
    kinds = torch.randint(4, (3, 5), generator=generator)
    return kinds, torch.randint(10, (3, 5), generator=generator)


def _of_lengths():
    return torch.randn(3, 5, 3, generator=_generator()), torch.tensor([5, 2, 3])


def _with_targets():
    return torch.randn(4, 6, generator=_generator()), torch.tensor([0, 1, 1, 0])


EXAMPLES = {
    DictOfMaps: (3, 3, 6, 7),
    NamedTuples: (3, 3, 6, 7),
    DataClass: (4, 6),
    InputReturned: (3, 3, 6, 7),
    OneNumber: (4, 6),
    ByName: _by_name,
    MapsAndTokens: _mixed,
    MaskAsInput: _masked,
    WholeNumbers: _whole,
    Gathered: _of_lengths,
    NeverRead: _with_targets,
    SumOverTheBatch: (4, 6),
}
REFUSABLE = {DataClass, InputReturned}

"""Layers and parameters with several owners, names and uses."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class TiedToItsEmbedding(nn.Module):
    """Two arrays where torch has one: gradients are not added, and training parts them."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(9, 4)
        self.body = nn.Linear(4, 4)
        self.head = nn.Linear(4, 9, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x):
        return self.head(torch.tanh(self.body(self.embedding(x))))


class TiedBias(nn.Module):
    """One of a layer's arrays is tied, the other is not."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(6, 5)
        self.fc2 = nn.Linear(5, 5)
        self.fc2.bias = self.fc1.bias

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


class TiedTransposed(nn.Module):
    """A decoder that reads its encoder's weight, transposed: no array of its own."""

    def __init__(self):
        super().__init__()
        self.encode = nn.Linear(6, 3)
        self.bias = nn.Parameter(torch.zeros(6))

    def forward(self, x):
        h = torch.tanh(self.encode(x))
        return F.linear(h, self.encode.weight.t(), self.bias)


class SharedConvolution(nn.Module):
    """One layer called three times: one set of weights, not three."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 1)
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        x = self.stem(x)
        for _ in range(3):
            x = torch.tanh(self.conv(x)) + x
        return x


class TwoNames(nn.Module):
    """One module under two names: the state_dict has it twice, the parameters once."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 6)
        self.second = self.first
        self.out = nn.Linear(6, 3)

    def forward(self, x):
        return self.out(torch.tanh(self.second(torch.tanh(self.first(x)))))


class RepeatedInASequential(nn.Module):
    """One block twice in a list, with its batch norm: statistics move twice a step."""

    def __init__(self):
        super().__init__()
        block = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Tanh())
        self.layers = nn.Sequential(block, nn.Linear(6, 6), block)

    def forward(self, x):
        return self.layers(x)


class _Scale(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def forward(self, x):
        return x * self.scale


class ParameterOfTwo(nn.Module):
    """Two modules hold one parameter, given to both."""

    def __init__(self):
        super().__init__()
        scale = nn.Parameter(torch.rand(6) + 0.5)
        self.before = _Scale(scale)
        self.fc = nn.Linear(6, 6)
        self.after = _Scale(scale)

    def forward(self, x):
        return self.after(torch.tanh(self.fc(self.before(x))))


class BatchNormCalledTwice(nn.Module):
    """Statistics move at each call, in order; the counter by two."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(4)

    def forward(self, x):
        x = torch.relu(self.bn(self.conv1(x)))
        return torch.relu(self.bn(self.conv2(x)))


class UsedAsWeights(nn.Module):
    """A layer's weight is read and the layer itself never called."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.table = nn.Embedding(5, 6)

    def forward(self, x):
        x = F.conv2d(x, self.conv.weight - self.conv.weight.mean((1, 2, 3), keepdim=True))
        return x.mean((2, 3)) @ self.table.weight[:4]


def words():
    return torch.randint(9, (4, 5), generator=torch.Generator().manual_seed(0))


EXAMPLES = {
    TiedToItsEmbedding: words,
    TiedBias: (4, 6),
    TiedTransposed: (4, 6),
    SharedConvolution: (4, 3, 6, 8),
    TwoNames: (4, 6),
    RepeatedInASequential: (4, 6),
    ParameterOfTwo: (4, 6),
    BatchNormCalledTwice: (4, 3, 6, 8),
    UsedAsWeights: (4, 3, 6, 8),
}
REFUSABLE = {UsedAsWeights}

"""Modules that cannot be carried over: parametrized, not yet made, never called, of no source."""

import torch
import torch.nn as nn
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm


class WeightNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = parametrizations.weight_norm(nn.Linear(6, 3))  # refused: parametrization

    def forward(self, x):
        return self.fc(x)


class SpectralNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = parametrizations.spectral_norm(nn.Conv2d(3, 4, 3))  # refused: parametrization

    def forward(self, x):
        return self.conv(x)


class OldSpectralNorm(nn.Module):
    """By a hook before each forward, as it was before parametrizations."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(spectral_norm(nn.Conv2d(3, 4, 3)), nn.ReLU())  # refused: hook

    def forward(self, x):
        return self.conv(x)


class Symmetric(nn.Module):
    def forward(self, x):
        return x.triu() + x.triu(1).transpose(-1, -2)


class OwnParametrization(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)  # refused: parametrization
        parametrize.register_parametrization(self.fc, "weight", Symmetric())

    def forward(self, x):
        return self.fc(x)


class Pruned(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)  # refused: hook
        prune.l1_unstructured(self.fc, "weight", amount=0.3)

    def forward(self, x):
        return self.fc(x)


class Lazy(nn.Module):
    """What it has no shape for yet cannot be ported before it was called once."""

    def __init__(self):
        super().__init__()
        self.fc = nn.LazyLinear(5)  # refused: lazy
        self.out = nn.Linear(5, 3)

    def forward(self, x):
        return self.out(torch.relu(self.fc(x)))


class NeverCalled(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)
        self.old_head = nn.Linear(6, 10)  # refused: never called

    def forward(self, x):
        return self.fc(x)


class NeverCalledInAList(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(6, 6) for _ in range(4)])  # refused: never called

    def forward(self, x):
        for block in self.blocks[:-1]:
            x = torch.relu(block(x))
        return x


class ParameterNeverRead(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)
        self.temperature = nn.Parameter(torch.ones(1))  # refused: never read

    def forward(self, x):
        return self.fc(x)


def _without_source():
    names = {"nn": nn}
    lines = "class Gate(nn.Module):\n    def forward(self, x):\n        return x * x.sigmoid()\n"
    exec(compile(lines, "<made elsewhere>", "exec"), names)
    return names["Gate"]()


class WithoutSource(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)
        self.gate = _without_source()  # refused: no Python source

    def forward(self, x):
        return self.gate(self.fc(x))


class ForwardReplaced(nn.Module):
    """A method put on one instance: its class's forward is not what is run."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)  # refused: forward replaced
        self.fc.forward = lambda x: torch.tanh(x)

    def forward(self, x):
        return self.fc(x)


EXAMPLES = {
    WeightNorm: (4, 6),
    SpectralNorm: (4, 3, 6, 8),
    OldSpectralNorm: (4, 3, 6, 8),
    OwnParametrization: (4, 6),
    Pruned: (4, 6),
    Lazy: (4, 6),
    NeverCalled: (4, 6),
    NeverCalledInAList: (4, 6),
    ParameterNeverRead: (4, 6),
    WithoutSource: (4, 6),
    ForwardReplaced: (4, 6),
}

"""Paths that differ between training and evaluation, other than by dropout and batch norm."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class AuxiliaryHead(nn.Module):
    """Two outputs in training, as GoogLeNet and Inception have them."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)
        self.aux = nn.Linear(6, 3)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        x = F.relu(self.fc(x))
        if self.training:  # refused: paths differ
            return self.head(x), self.aux(x)  # refused: paths differ
        return self.head(x)  # refused: paths differ


class SoftmaxWhenEvaluated(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        x = self.fc(x)
        return x if self.training else F.softmax(x, dim=1)  # refused: paths differ


class ScaledInTraining(nn.Module):
    """The same operations, with other numbers."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        temperature = 2.0 if self.training else 1.0  # refused: numbers differ
        return self.fc(x) / temperature  # refused: numbers differ


class NoiseInTraining(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        if self.training:  # refused: paths differ
            x = x + 0.1 * torch.randn_like(x)  # refused: paths differ
        return self.fc(x)


class OtherLayerInTraining(nn.Module):
    """Both layers have the same shapes, and each is called in one mode only."""

    def __init__(self):
        super().__init__()
        self.noisy = nn.Linear(6, 3)
        self.calm = nn.Linear(6, 3)

    def forward(self, x):
        layer = self.noisy if self.training else self.calm  # refused: paths differ
        return layer(x)  # refused: paths differ


class DropoutTheOtherWay(nn.Module):
    """Drops in evaluation and not in training: a flag that differs, but not as ``train`` does."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        return self.fc(F.dropout(x, 0.5, training=not self.training))  # refused: paths differ


class DepthInTraining(nn.Module):
    """Fewer blocks are run in training than in evaluation."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(6, 6) for _ in range(3)])

    def forward(self, x):
        depth = 2 if self.training else 3  # refused: paths differ
        for block in self.blocks[:depth]:
            x = torch.tanh(block(x))  # refused: paths differ
        return x


EXAMPLES = {
    AuxiliaryHead: (4, 6),
    SoftmaxWhenEvaluated: (4, 6),
    ScaledInTraining: (4, 6),
    NoiseInTraining: (4, 6),
    OtherLayerInTraining: (4, 6),
    DropoutTheOtherWay: (4, 6),
    DepthInTraining: (4, 6),
}

"""What training does: dropout, statistics, counters, and how the flag comes there."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class OneDropoutTwice(nn.Module):
    """One Dropout called twice draws two masks."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(6, 8)
        self.fc2 = nn.Linear(8, 8)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        x = self.dropout(torch.relu(self.fc1(x)))
        return self.dropout(torch.relu(self.fc2(x)))


class FlagThroughContainers(nn.Module):
    """The flag goes through a list in a dict in a Sequential, to dropout and batch norm."""

    def __init__(self):
        super().__init__()
        inner = nn.Sequential(nn.Linear(6, 6), nn.Sequential(nn.BatchNorm1d(6), nn.Dropout(0.3)))
        self.branches = nn.ModuleDict(
            {"a": nn.ModuleList([inner, nn.Sequential(nn.Sequential(nn.Dropout(0.5)))])}
        )

    def forward(self, x):
        for branch in self.branches["a"]:
            x = branch(x)
        return x


class _Wrapped(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def forward(self, x, *args, **kwargs):
        return x + self.fn(x, *args, **kwargs)


class FlagThroughAWrapper(nn.Module):
    """A wrapper that passes everything on, and knows nothing of what is in it."""

    def __init__(self):
        super().__init__()
        self.block = _Wrapped(_Wrapped(nn.Sequential(nn.Linear(6, 6), nn.Dropout(0.4))))

    def forward(self, x):
        return self.block(x)


class DroppedInEvaluation(nn.Module):
    """F.dropout without its flag drops in evaluation too."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 8)

    def forward(self, x):
        return F.dropout(torch.relu(self.fc(x)), 0.25)


class NeverDropped(nn.Module):
    """p=0, and a flag that is always False: no masks to draw."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 8)
        self.dropout = nn.Dropout(p=0.0)

    def forward(self, x):
        return F.dropout(self.dropout(self.fc(x)), 0.5, training=False)


class WholeChannels(nn.Module):
    """Dropout1d and 2d drop channels of (N, C, L) and (N, C, H, W); alpha dropout keeps moments."""

    def __init__(self):
        super().__init__()
        self.drop2d = nn.Dropout2d(0.5)
        self.drop1d = nn.Dropout1d(0.5)
        self.alpha = nn.AlphaDropout(0.2)

    def forward(self, x):
        x = self.drop2d(x)
        return self.alpha(self.drop1d(x.flatten(2)))


class OneExpressionTwice(nn.Module):
    """Written twice in the port, the norm's statistics would move twice."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4)

    def forward(self, x):
        h = self.bn(self.conv(x))
        return torch.relu(h) * torch.sigmoid(h) + h


class CalledForNothing(nn.Module):
    """A call whose result nobody reads still moves statistics."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 5)
        self.bn = nn.BatchNorm1d(5)

    def forward(self, x):
        h = self.fc(x)
        self.bn(h)
        return h


class CumulativeMean(nn.Module):
    """momentum=None: the mean over all steps, by the counter."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5, momentum=None))

    def forward(self, x):
        return self.layers(x)


class NormsOfAllKinds(nn.Module):
    """Without weights, without statistics, with other momenta and epsilons."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.plain = nn.BatchNorm2d(4, affine=False)
        self.untracked = nn.BatchNorm2d(4, track_running_stats=False)
        self.slow = nn.BatchNorm2d(4, eps=1e-2, momentum=0.01)
        self.still = nn.BatchNorm2d(4, momentum=0.0)
        self.instance = nn.InstanceNorm2d(4, affine=True, track_running_stats=True)

    def forward(self, x):
        x = self.untracked(self.plain(self.conv(x)))
        return self.instance(torch.tanh(self.still(torch.tanh(self.slow(x)))))


class FunctionalNorm(nn.Module):
    """F.batch_norm with buffers of one's own, and the module's flag."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(6))
        self.register_buffer("var", torch.ones(6))
        self.weight = nn.Parameter(torch.rand(6))

    def forward(self, x):
        return F.batch_norm(x, self.mean, self.var, self.weight, training=self.training)


class StaysInEvaluation(nn.Module):
    """train() is overridden: the batch norm never trains."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 5)
        self.bn = nn.BatchNorm1d(5)
        self.bn.running_mean.uniform_(-1, 1)
        self.drop = nn.Dropout(0.5)

    def train(self, mode=True):
        super().train(mode)
        self.bn.eval()
        return self

    def forward(self, x):
        return self.drop(self.bn(self.fc(x)))


class CountsInABuffer(nn.Module):
    """A buffer that each call changes, in evaluation too."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 5)
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))

    def forward(self, x):
        self.seen += x.size(0)
        return self.fc(x)


class MovesItsCentre(nn.Module):
    """Statistics of one's own, moved in training and read in evaluation."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 5)
        self.register_buffer("centre", torch.zeros(5))

    def forward(self, x):
        x = self.fc(x)
        if self.training:
            self.centre.mul_(0.9).add_(x.detach().mean(0), alpha=0.1)
        return x - self.centre


class RandomSlope(nn.Module):
    """RReLU draws its slopes in training, and has their mean in evaluation."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)
        self.act = nn.RReLU()

    def forward(self, x):
        return self.act(self.fc(x))


EXAMPLES = {
    OneDropoutTwice: (4, 6),
    FlagThroughContainers: (4, 6),
    FlagThroughAWrapper: (4, 6),
    DroppedInEvaluation: (4, 6),
    NeverDropped: (4, 6),
    WholeChannels: (4, 3, 5, 6),
    OneExpressionTwice: (4, 3, 6, 8),
    CalledForNothing: (4, 6),
    CumulativeMean: (4, 6),
    NormsOfAllKinds: (4, 3, 6, 8),
    FunctionalNorm: (4, 6),
    StaysInEvaluation: (4, 6),
    CountsInABuffer: (4, 6),
    MovesItsCentre: (4, 6),
    RandomSlope: (4, 6),
}
REFUSABLE = {
    DroppedInEvaluation,
    FunctionalNorm,
    StaysInEvaluation,
    CountsInABuffer,
    MovesItsCentre,
    RandomSlope,
}

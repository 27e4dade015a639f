"""Writes in place to what is read again, itself or by another name: the second read has what was
written. To port what that means is as good as to refuse it."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class InputOfReLUReadAgain(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        h = self.bn(self.conv(x))
        y = self.relu(h)  # refused: h is written, and read again
        return y + h


class ReLUOfFunctional(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x):
        h = self.fc(x)
        y = F.relu(h, inplace=True) * 2  # refused: h is written, and read again
        return y - h


class UnderscoredMethod(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x):
        h = self.fc(x)
        y = h.clamp_(-0.2, 0.2)  # refused: h is written, and read again
        return torch.cat([y, h], 1)


class FirstOfASequential(nn.Module):
    """The layer that writes is the first of its container, so that it writes to h."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.branch = nn.Sequential(nn.LeakyReLU(0.2, inplace=True), nn.Conv2d(4, 4, 1))

    def forward(self, x):
        h = self.conv(x)
        y = self.branch(h)  # refused: h is written, and read again
        return y + h


class ShortcutIsWritten(nn.Module):
    """A block of a residual network that normalizes first, and forgets that ReLU writes."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 1)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        identity = self.stem(x)
        out = self.conv(self.relu(identity))  # refused: identity is written, and read again
        out += identity
        return out


class AddedToAnAlias(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(6, 6)
        self.fc2 = nn.Linear(6, 6)

    def forward(self, x):
        h = self.fc1(x)
        before = h
        h += self.fc2(x)  # refused: before is written too
        return torch.stack([h, before], dim=1)


class ScaledThroughAView(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x):
        h = self.conv(x)
        flat = h.view(h.size(0), -1)
        flat *= 0.5  # refused: h is written by its view
        return h, flat


class OneOfTwoHalves(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x):
        h = self.fc(x)
        left = h[:, :3]
        left.sub_(1)  # refused: h is written by its half
        return h * 2


class SliceAssigned(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x):
        h = self.fc(x)
        h[:, 0] = 0  # refused: assigned to a part
        return h


class SliceAdded(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)
        self.extra = nn.Linear(6, 2)

    def forward(self, x):
        h = self.fc(x)
        h[:, :2] += self.extra(x)  # refused: assigned to a part
        return h


class FilledRowByRow(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1)

    def forward(self, x):
        out = x.new_zeros(x.size(0), 4, x.size(2), x.size(3))
        out[:, 1:3] = self.conv(x)  # refused: assigned to a part
        return out


class MaskedInPlace(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x):
        scores = self.fc(x)
        kept = scores
        scores.masked_fill_(x < 0, -1e9)  # refused: kept is written too
        return scores.softmax(-1), kept


class WrittenAsOut(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("memory", torch.zeros(6), persistent=False)

    def forward(self, x):
        y = x * 2
        torch.add(x.detach(), 1, out=y)  # refused: out=
        return y


EXAMPLES = {
    InputOfReLUReadAgain: (4, 3, 6, 8),
    ReLUOfFunctional: (4, 6),
    UnderscoredMethod: (4, 6),
    FirstOfASequential: (4, 3, 6, 8),
    ShortcutIsWritten: (4, 3, 6, 8),
    AddedToAnAlias: (4, 6),
    ScaledThroughAView: (4, 3, 6, 8),
    OneOfTwoHalves: (4, 6),
    SliceAssigned: (4, 6),
    SliceAdded: (4, 6),
    FilledRowByRow: (4, 3, 6, 8),
    MaskedInPlace: (4, 6),
    WrittenAsOut: (4, 6),
}

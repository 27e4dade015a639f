"""What values decide: which way a forward goes, how often, and how large its results are."""

import torch
import torch.nn as nn


class BranchOnData(nn.Module):
    def __init__(self):
        super().__init__()
        self.positive = nn.Linear(6, 6)
        self.negative = nn.Linear(6, 6)

    def forward(self, x):
        if x.sum() > 0:  # refused: branch on data
            return self.positive(x)
        return self.negative(x)


class ChoiceOnData(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x):
        y = self.fc(x)
        y = y if y.max() > 0 else -y  # refused: branch on data
        return y


class AndOfData(nn.Module):
    def forward(self, x):
        return x.relu() and x  # refused: branch on data


class LoopOnData(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x):
        while x.norm() > 1:  # refused: loop on data
            x = torch.tanh(self.fc(x)) / 4
        return x


class LoopAsOftenAsTold(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x, steps):
        for _ in range(int(steps)):  # refused: loop on data
            x = torch.tanh(self.fc(x))
        return x


class LoopOverSamples(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        rows = []
        for row in x:  # refused: loop over the batch
            rows.append(self.fc(row))
        return torch.stack(rows)


class AssertOnData(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x):
        assert (x < 100).all()  # refused: branch on data
        return self.fc(x)


class Item(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x):
        largest = x.abs().max().item()  # refused: a value as a Python number
        return self.fc(x / largest)


class FloatOfData(nn.Module):
    def forward(self, x):
        mean = float(x.mean())  # refused: a value as a Python number
        return x - mean


class Numpy(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x):
        y = self.fc(x)
        bound = y.detach().cpu().numpy().max()  # refused: numpy in forward
        return y.clamp(max=torch.as_tensor(bound))


class SizeOnData(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.scale * x[x > 0]  # refused: a size that values decide


class Nonzero(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 2)

    def forward(self, x):
        rows = torch.nonzero(x[:, 0] > 0).squeeze(1)  # refused: a size that values decide
        return self.fc(x[rows])


class CatchesErrors(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x):
        try:
            x = self.fc(x).view(int(x[0, 0] * 0) + 4, 6)  # refused: a value as a Python number
        except RuntimeError:
            x = self.fc(x)
        return x


def _count():
    return torch.randn(4, 6), torch.tensor(3)


EXAMPLES = {
    BranchOnData: (4, 6),
    ChoiceOnData: (4, 6),
    AndOfData: (1, 1),
    LoopOnData: (4, 6),
    LoopAsOftenAsTold: _count,
    LoopOverSamples: (4, 6),
    AssertOnData: (4, 6),
    Item: (4, 6),
    FloatOfData: (4, 6),
    Numpy: (4, 6),
    SizeOnData: (4, 6),
    Nonzero: (4, 6),
    CatchesErrors: (4, 6),
}

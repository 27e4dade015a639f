"""Operations that have no twin, and a forward's dealings with what lies outside of its inputs."""

import torch
import torch.nn as nn


class Fourier(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        x = torch.fft.fft(x, dim=-1).real  # refused: unknown operation
        return self.fc(x)


class Decomposed(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x):
        q, r = torch.linalg.qr(self.fc(x).transpose(0, 1))  # refused: unknown operation
        return r.abs()


class Quantized(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        x = torch.fake_quantize_per_tensor_affine(
            x, 0.1, 0, -128, 127
        )  # refused: unknown operation
        return self.fc(x)


class RowsInTheCallersOrder(nn.Module):
    """Keyword arguments in the order in which the caller has written them."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, **columns):  # refused: any arguments
        return self.fc(torch.cat(list(columns.values()), dim=1))  # refused: any arguments


class AnyNumberOfInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, *columns):  # refused: any arguments
        return self.fc(torch.cat(columns, dim=1))  # refused: any arguments


class CountsItsCalls(nn.Module):
    """The second call is another function than the first."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)
        self.calls = 0

    def forward(self, x):
        self.calls += 1  # refused: state in Python
        return self.fc(x) * self.calls  # refused: state in Python


class RemembersATensor(nn.Module):
    """What it returns depends on the call before."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)
        self.last = None

    def forward(self, x):
        y = self.fc(x)
        if self.last is not None:  # refused: state in Python
            y = y + self.last.mean()
        self.last = y.detach()  # refused: state in Python
        return y


class WritesItsParameter(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        with torch.no_grad():
            self.fc.weight.clamp_(-0.3, 0.3)  # refused: writes a parameter
        return self.fc(x)


class MovesAnAverage(nn.Module):
    """A teacher that follows its student, in forward."""

    def __init__(self):
        super().__init__()
        self.student = nn.Linear(6, 3)
        self.teacher = nn.Linear(6, 3).requires_grad_(False)

    def forward(self, x):
        if self.training:
            with torch.no_grad():
                self.teacher.weight.lerp_(self.student.weight, 0.01)  # refused: writes a parameter
        return self.student(x), self.teacher(x)


class ChangesItsMode(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)
        self.bn = nn.BatchNorm1d(6)

    def forward(self, x):
        self.bn.eval()  # refused: state in Python
        return self.bn(self.fc(x))


class MakesALayer(nn.Module):
    """A layer drawn anew at each call: no state_dict has it."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x):
        projection = nn.Linear(6, 3, dtype=x.dtype)  # refused: a layer made in forward
        return projection(self.fc(x))  # refused: a layer made in forward


def _columns():
    return {"second": torch.randn(4, 2), "first": torch.randn(4, 4)}


def _inputs():
    return torch.randn(4, 2), torch.randn(4, 4)


EXAMPLES = {
    Fourier: (4, 6),
    Decomposed: (4, 6),
    Quantized: (4, 6),
    RowsInTheCallersOrder: _columns,
    AnyNumberOfInputs: _inputs,
    CountsItsCalls: (4, 6),
    RemembersATensor: (4, 6),
    WritesItsParameter: (4, 6),
    MovesAnAverage: (4, 6),
    ChangesItsMode: (4, 6),
    MakesALayer: (4, 6),
}

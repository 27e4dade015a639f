"""Gradients of one's own: functions with a backward that is not their forward's derivative."""

import torch
import torch.nn as nn


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return -gradient


class GradientReversal(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Linear(6, 6)
        self.domain = nn.Linear(6, 2)

    def forward(self, x):
        x = torch.relu(self.features(x))
        return self.domain(_Reverse.apply(x))  # refused: autograd.Function


class _Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.sign(x)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * (x.abs() <= 1)


class Binarized(nn.Module):
    """The function is bound to a name first, as most do."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)
        self.sign = _Sign.apply

    def forward(self, x):
        return self.sign(self.fc(x))  # refused: autograd.Function


class Swish(nn.Module):
    """As a module of its own, whose backward is right: refused all the same."""

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * torch.sigmoid(x)

        @staticmethod
        def backward(ctx, gradient):
            (x,) = ctx.saved_tensors
            s = torch.sigmoid(x)
            return gradient * (s * (1 + x * (1 - s)))

    def forward(self, x):
        return self.Function.apply(x)  # refused: autograd.Function


class GradientInForward(nn.Module):
    """Its output is a derivative: an energy's force."""

    def __init__(self):
        super().__init__()
        self.energy = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(self, x):
        with torch.enable_grad():
            x = x.detach().requires_grad_(True)
            total = self.energy(x).sum()
            (force,) = torch.autograd.grad(total, x, create_graph=True)  # refused: autograd.grad
        return -force


EXAMPLES = {
    GradientReversal: (4, 6),
    Binarized: (4, 6),
    Swish: (4, 6),
    GradientInForward: (4, 6),
}

"""Hooks, which no line of a forward shows: where a module has one, the line that defines its
attribute is named, and for the network itself the line of its class."""

import torch.nn as nn


class ForwardHook(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(6, 6)  # refused: forward hook
        self.fc2 = nn.Linear(6, 3)
        self.fc1.register_forward_hook(lambda module, args, out: out * 0.5)

    def forward(self, x):
        return self.fc2(self.fc1(x))


class ForwardPreHook(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(6, 6)
        self.fc2 = nn.Linear(6, 3)  # refused: forward pre-hook
        self.fc2.register_forward_pre_hook(lambda module, args: (args[0] + 1,))

    def forward(self, x):
        return self.fc2(self.fc1(x))


class HookInAContainer(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 3))  # refused: hook
        self.layers[1].register_forward_hook(lambda module, args, out: out + 1)

    def forward(self, x):
        return self.layers(x)


class HookOnItself(nn.Module):  # refused: forward hook
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)
        self.register_forward_hook(lambda module, args, out: -out)

    def forward(self, x):
        return self.fc(x)


class BackwardHook(nn.Module):
    """The outputs are right without it; the gradients are not."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(6, 6)
        self.act = nn.ReLU()  # refused: backward hook
        self.fc2 = nn.Linear(6, 3)
        self.act.register_full_backward_hook(lambda module, grads, outs: (grads[0].clamp(min=0),))

    def forward(self, x):
        return self.fc2(self.act(self.fc1(x)))


class BackwardPreHook(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(6, 6)
        self.fc2 = nn.Linear(6, 3)  # refused: backward pre-hook
        self.fc2.register_full_backward_pre_hook(lambda module, grads: (grads[0] * 2,))

    def forward(self, x):
        return self.fc2(self.fc1(x))


class HookOnAParameter(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)  # refused: hook of a parameter
        self.fc.weight.register_hook(lambda gradient: gradient * 0.1)

    def forward(self, x):
        return self.fc(x)


class HookOnAnActivation(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(6, 6)
        self.fc2 = nn.Linear(6, 3)

    def forward(self, x):
        h = self.fc1(x)
        if h.requires_grad:
            h.register_hook(lambda gradient: gradient * 0.1)  # refused: hook of a tensor
        return self.fc2(h)


EXAMPLES = {
    ForwardHook: (4, 6),
    ForwardPreHook: (4, 6),
    HookInAContainer: (4, 6),
    HookOnItself: (4, 6),
    BackwardHook: (4, 6),
    BackwardPreHook: (4, 6),
    HookOnAParameter: (4, 6),
    HookOnAnActivation: (4, 6),
}

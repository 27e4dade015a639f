"""How a network is put together: classes, names, lists, and what is replaced or kept aside."""

import torch
import torch.nn as nn


class _Block(nn.Module):
    def __init__(self, inp, out, stride=1, act=None):
        super().__init__()
        self.conv = nn.Conv2d(inp, out, 3, stride, padding=1)
        self.act = act or nn.ReLU()
        if stride > 1:
            self.shortcut = nn.Conv2d(inp, out, 1, stride)

    def forward(self, x):
        y = self.act(self.conv(x))
        return y + self.shortcut(x) if hasattr(self, "shortcut") else y


class OneClassSeveralForms(nn.Module):
    """Instances of one class with other numbers, another activation, other children."""

    def __init__(self):
        super().__init__()
        self.a = _Block(3, 4)
        self.b = _Block(4, 4, act=nn.Tanh())
        self.c = _Block(4, 5, stride=2)
        self.d = _Block(5, 5, act=nn.LeakyReLU(0.3))

    def forward(self, x):
        return self.d(self.c(self.b(self.a(x))))


class _Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8))
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        return self.fc(self.features(x))


class Replaced(nn.Module):
    """Submodules replaced after they were made: the class's source says otherwise."""

    def __init__(self):
        super().__init__()
        self.backbone = _Backbone()
        self.backbone.fc = nn.Identity()
        self.backbone.features[1] = nn.GELU()
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.backbone(x))


class _Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def activate(self, x):
        return torch.relu(x)

    def forward(self, x):
        return self.activate(self.fc(x))


class Overridden(_Base):
    """forward is the base's, what it calls is not; super() in the middle."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 5)

    def activate(self, x):
        return super().activate(x) - 0.5 * torch.tanh(x)


class Backwards(nn.Module):
    """Layers are called in another order than they stand in."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(6, 6) for _ in range(4)])
        self.last = nn.Linear(6, 3)
        self.first = nn.Linear(6, 6)

    def forward(self, x):
        x = torch.tanh(self.first(x))
        for layer in reversed(self.layers):
            x = torch.tanh(layer(x))
        return self.last(x)


class EveryOther(nn.Module):
    """Parts of a list, with strides and from behind."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(6, 6) for _ in range(5)])

    def forward(self, x):
        for even, odd in zip(self.layers[::2], self.layers[1::2]):
            x = odd(torch.tanh(even(x)))
        return self.layers[-1](x)


class NamesThatLinenOwns(nn.Module):
    """Names of linen's own, Python's words and names that are no identifiers."""

    def __init__(self):
        super().__init__()
        self.name = nn.Linear(6, 6)
        self.parent = nn.Linear(6, 6)
        self.scope = nn.Linear(6, 6)
        self.variables = nn.Linear(6, 6)
        self.init = nn.Linear(6, 6)
        self.param = nn.Parameter(torch.rand(6))
        self.add_module("lambda", nn.Linear(6, 6))
        self.add_module("1x1", nn.Linear(6, 6))

    def forward(self, x):
        x = self.scope(self.parent(self.name(x))) * self.param
        x = torch.tanh(self.init(self.variables(x)))
        return getattr(self, "1x1")(getattr(self, "lambda")(x))


class Constants(nn.Module):
    """Buffers in the state_dict and beside it, and a tensor that is only an attribute."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1))
        self.register_buffer("std", torch.tensor([0.2, 0.3, 0.4])[:, None, None], persistent=False)
        self.gain = torch.tensor(2.0)
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return self.conv((x - self.mean) / self.std) * self.gain


class Frozen(nn.Module):
    """Parameters that are not to be trained, half of a layer's among them."""

    def __init__(self):
        super().__init__()
        self.features = nn.Linear(6, 6).requires_grad_(False)
        self.head = nn.Linear(6, 3)
        self.head.weight.requires_grad = False

    def forward(self, x):
        return self.head(torch.relu(self.features(x)))


class HiddenInAList(nn.Module):
    """A plain list hides a layer from the state_dict; its weights are used all the same."""

    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(6, 6)]
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x.to(layer.weight.dtype)))
        return self.head(x.to(self.head.weight.dtype))


EXAMPLES = {
    OneClassSeveralForms: (4, 3, 6, 8),
    Replaced: (4, 6),
    Overridden: (4, 6),
    Backwards: (4, 6),
    EveryOther: (4, 6),
    NamesThatLinenOwns: (4, 6),
    Constants: (4, 3, 6, 8),
    Frozen: (4, 6),
    HiddenInAList: (4, 6),
}
REFUSABLE = {HiddenInAList}

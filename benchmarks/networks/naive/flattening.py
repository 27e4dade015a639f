"""Maps that are flattened: channels come first in torch's order, and last in the other."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class _Maps(nn.Module):
    """(N, 3, 4, 5) becomes (N, 2, 4, 5), which is 40 values; the subclasses read them."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3, padding=1)


class ReadByTwo(_Maps):
    """Both readers have weights in torch's order, or neither has."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(40, 3)
        self.fc2 = nn.Linear(40, 2)

    def forward(self, x):
        x = torch.flatten(self.conv(x), 1)
        return self.fc1(x), self.fc2(x)


class ReadAndReturned(_Maps):
    """A Linear may have its weights permuted; what is returned may not be."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(40, 3)

    def forward(self, x):
        features = self.conv(x).flatten(1)
        return self.fc(features), features


class BesideAVector(_Maps):
    """Flattened maps and a vector side by side: only a part of the columns is permuted."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(43, 3)

    def forward(self, x):
        flat = self.conv(x).flatten(1)
        return self.fc(torch.cat([flat, x.mean((2, 3))], dim=1))


class TwoSizesSideBySide(_Maps):
    """Each part of the cat is of another height and width."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(44, 3)

    def forward(self, x):
        x = self.conv(x)
        pooled = F.avg_pool2d(x, (4, 2))
        return self.fc(torch.cat([torch.flatten(t, 1) for t in (x, pooled)], 1))


class TwoOrdersAdded(_Maps):
    """A sum of two flattenings in different orders, which both have 40 values."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(40, 3)

    def forward(self, x):
        x = self.conv(x)
        return self.fc(x.flatten(1) + x.permute(0, 3, 1, 2).flatten(1))


class AddedToALinear(_Maps):
    """A sum with a vector that was never a map: a residual around the flattening."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(40, 40)

    def forward(self, x):
        x = self.conv(x).flatten(1)
        return x + torch.tanh(self.fc(x))


class PermutedFirst(_Maps):
    """Flattened as (H, W, C): here torch's order is the other one."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(40, 3)

    def forward(self, x):
        x = self.conv(x).permute(0, 2, 3, 1)
        return self.fc(x.reshape(x.shape[0], -1))


class Normalized(_Maps):
    """BatchNorm1d behind the flattening: scales, biases and statistics are 40 as well."""

    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm1d(40)
        self.fc = nn.Linear(40, 3)
        with torch.no_grad():
            self.bn.weight.uniform_(0.5, 2)
            self.bn.running_mean.uniform_(-1, 1)

    def forward(self, x):
        x = self.bn(self.conv(x).flatten(1))
        return self.fc(torch.relu(x))


class NormalizedAndReturned(_Maps):
    """LayerNorm with weights of its own, and then no Linear to hide the order."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(40)
        nn.init.uniform_(self.norm.weight)

    def forward(self, x):
        return self.norm(self.conv(x).flatten(1))


class LayerNormOverMaps(_Maps):
    """LayerNorm((C, H, W)): its weights are maps too."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm([2, 4, 5])
        nn.init.uniform_(self.norm.weight)

    def forward(self, x):
        return self.norm(self.conv(x))


class InGroups(_Maps):
    """GroupNorm of the flattened: its groups are runs in torch's order."""

    def __init__(self):
        super().__init__()
        self.norm = nn.GroupNorm(4, 40)
        self.fc = nn.Linear(40, 3)

    def forward(self, x):
        return self.fc(self.norm(self.conv(x).flatten(1)))


class ScaledByParameters(_Maps):
    """Parameters of one's own, one for each of the 40, and PReLU's."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(40))
        self.act = nn.PReLU(40)
        self.fc = nn.Linear(40, 3)
        nn.init.uniform_(self.act.weight)

    def forward(self, x):
        return self.fc(self.act(self.conv(x).flatten(1) * self.scale))


EXAMPLES = {
    ReadByTwo: (4, 3, 4, 5),
    ReadAndReturned: (4, 3, 4, 5),
    BesideAVector: (4, 3, 4, 5),
    TwoSizesSideBySide: (4, 3, 4, 5),
    TwoOrdersAdded: (4, 3, 4, 5),
    AddedToALinear: (4, 3, 4, 5),
    PermutedFirst: (4, 3, 4, 5),
    Normalized: (4, 3, 4, 5),
    NormalizedAndReturned: (4, 3, 4, 5),
    LayerNormOverMaps: (4, 3, 4, 5),
    InGroups: (4, 3, 4, 5),
    ScaledByParameters: (4, 3, 4, 5),
}
REFUSABLE = set()

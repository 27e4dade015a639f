"""Views of maps, flattened or not, whose axes are not what they seem once channels are last."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class _Maps(nn.Module):
    """(N, 3, 4, 5) becomes (N, 2, 4, 5), which is 40 values; the subclasses read them."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3, padding=1)


class InChunks(_Maps):
    """Halves of the flattened: the channels of torch's order, interleaved in the other."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(20, 3)
        self.fc2 = nn.Linear(20, 3)

    def forward(self, x):
        first, second = self.conv(x).flatten(1).chunk(2, dim=1)
        return self.fc1(first) - self.fc2(second)


class CutOff(_Maps):
    """The first thirteen of the flattened, which are no whole channel."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(13, 3)

    def forward(self, x):
        return self.fc(self.conv(x).view(x.size(0), -1)[:, :13])


class Position(_Maps):
    """Where the largest is, as a number: of torch's order."""

    def forward(self, x):
        x = self.conv(x).flatten(1)
        return x.argmax(dim=1), x.cumsum(dim=1)


class ToAnotherShape(_Maps):
    """Flattened and unflattened to other axes: (5, 8), of which a Conv1d reads."""

    def __init__(self):
        super().__init__()
        self.unflatten = nn.Unflatten(1, (5, 8))
        self.conv1d = nn.Conv1d(5, 2, 3)

    def forward(self, x):
        return self.conv1d(self.unflatten(torch.flatten(self.conv(x), start_dim=1)))


class BackToMaps(_Maps):
    """Through two Linears and back to maps: 40 columns and 40 rows are permuted."""

    def __init__(self):
        super().__init__()
        self.down = nn.Linear(40, 3)
        self.up = nn.Linear(3, 40)
        self.back = nn.ConvTranspose2d(2, 3, 3, padding=1)

    def forward(self, x):
        code = self.down(self.conv(x).view(-1, 2 * 4 * 5))
        return self.back(torch.relu(self.up(code)).view(-1, 2, 4, 5))


class TokensOfMaps(_Maps):
    """flatten(2) has an axis of 20 and keeps the channels: a Linear over the 20."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(20, 3)

    def forward(self, x):
        return self.fc(self.conv(x).flatten(2))


class WithoutItsPermute(_Maps):
    """reshape to (N, H * W, C) without a permute: no tokens, but what its author has trained."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 3)

    def forward(self, x):
        x = self.conv(x)
        n, c, h, w = x.shape
        return self.fc(x.reshape(n, h * w, c))


class Interleaved(_Maps):
    """A view that puts channels and rows on one axis."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(5, 3)

    def forward(self, x):
        x = self.conv(x)
        return self.fc(x.view(x.size(0), x.size(1) * x.size(2), x.size(3)))


class SoftmaxOfFlattened(_Maps):
    """A spatial softmax: over flattened maps, and back to their shape."""

    def forward(self, x):
        x = self.conv(x)
        weights = F.softmax(x.view(*x.shape[:2], -1), dim=-1).view_as(x)
        return (x * weights).sum((-2, -1))


class FramesOfAVideo(nn.Module):
    """Batch and time on one axis, and apart again before a GRU."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3, padding=1)
        self.gru = nn.GRU(40, 4, batch_first=True)

    def forward(self, x):
        b, t = x.shape[:2]
        frames = self.conv(x.flatten(0, 1))
        out, _ = self.gru(frames.view(b, t, -1))
        return out


class OneDimension(nn.Module):
    """Conv1d's (N, C, L) is flattened too."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(3, 4, 3)
        self.fc = nn.Linear(4 * 5, 3)

    def forward(self, x):
        return self.fc(nn.Flatten()(self.conv(x)))


class OneByOne(nn.Module):
    """Maps of 1 x 1 are flattened: the order is the same, and nothing needs a permutation."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3)
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        x = F.adaptive_max_pool2d(self.conv(x), 1).squeeze(-1).squeeze(-1)
        left, right = x.chunk(2, -1)
        return self.fc(torch.cat([right, left], -1)), x


EXAMPLES = {
    InChunks: (4, 3, 4, 5),
    CutOff: (4, 3, 4, 5),
    Position: (4, 3, 4, 5),
    ToAnotherShape: (4, 3, 4, 5),
    BackToMaps: (4, 3, 4, 5),
    TokensOfMaps: (4, 3, 4, 5),
    WithoutItsPermute: (4, 3, 4, 5),
    Interleaved: (4, 3, 4, 5),
    SoftmaxOfFlattened: (4, 3, 4, 5),
    FramesOfAVideo: (3, 2, 3, 4, 5),
    OneDimension: (4, 3, 7),
    OneByOne: (4, 3, 5, 6),
}
REFUSABLE = set()

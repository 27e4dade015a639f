"""Maps that are put together, taken apart, padded, indexed and measured."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class SideBySide(nn.Module):
    """cat along height, along width and along the batch; stack in the middle."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1)

    def forward(self, x):
        x = self.conv(x)
        tall = torch.cat([x, x.flip(2)], dim=2)
        wide = torch.cat((tall, tall.roll(1, dims=3)), 3)
        return torch.stack([wide, -wide], dim=1)


class BatchDoubled(nn.Module):
    """cat along the batch, and apart again: both halves share one batch norm's statistics."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5))

    def forward(self, x):
        first, second = self.layers(torch.cat([x, 1 - x], dim=0)).chunk(2, dim=0)
        return first * second


class ChannelShuffle(nn.Module):
    """ShuffleNet's: a view in groups, a transposition, a view back."""

    def __init__(self, groups=3):
        super().__init__()
        self.groups = groups
        self.conv = nn.Conv2d(3, 6, 1, groups=3)
        self.depthwise = nn.Conv2d(6, 6, 3, groups=6)

    def shuffle(self, x):
        batchsize, num_channels, height, width = x.size()
        x = x.view(batchsize, self.groups, num_channels // self.groups, height, width)
        x = torch.transpose(x, 1, 2).contiguous()
        return x.view(batchsize, -1, height, width)

    def forward(self, x):
        return self.depthwise(self.shuffle(self.conv(x)))


class PixelsAndChannels(nn.Module):
    """Pixels to channels and back: torch's channel is c * r * r + i * r + j."""

    def __init__(self):
        super().__init__()
        self.down = nn.PixelUnshuffle(2)
        self.conv = nn.Conv2d(12, 8, 1)
        self.up = nn.PixelShuffle(2)

    def forward(self, x):
        return self.up(self.conv(self.down(x)))


class Padded(nn.Module):
    """F.pad begins at the last axis, and crops where negative; a layer's pads are uneven."""

    def __init__(self):
        super().__init__()
        self.pad = nn.ReflectionPad2d((2, 0, 1, 3))
        self.conv = nn.Conv2d(4, 2, (3, 2))

    def forward(self, x):
        x = F.pad(x, (1, 0, -1, 2, 0, 1))
        return self.conv(self.pad(x))


class Indexed(nn.Module):
    """Indices of channels, rows and columns; an ellipsis; a list."""

    def forward(self, x):
        bgr = x[:, [2, 1, 0]]
        return bgr[:, 0], x[..., 1:], x[:, -1:, ::2], x[:, :, 0, 1], bgr[:, 1, 2]


class SizesAsNumbers(nn.Module):
    """Divided by the width, by the channels, by all but the batch; and by the batch itself."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x):
        x = self.conv(x) / x.size(-1) ** 0.5 / x.shape[1]
        return x * x[0].numel(), x.sum(0) / x.size(0)


class NonLocal(nn.Module):
    """Attention among pixels, by bmm of flattened maps, and back."""

    def __init__(self):
        super().__init__()
        self.theta = nn.Conv2d(3, 2, 1)
        self.phi = nn.Conv2d(3, 2, 1)
        self.g = nn.Conv2d(3, 3, 1)
        self.gamma = nn.Parameter(torch.ones(1))

    def forward(self, x):
        n, c, h, w = x.shape
        q = self.theta(x).view(n, -1, h * w).permute(0, 2, 1)
        k = self.phi(x).view(n, -1, h * w)
        attention = torch.softmax(torch.bmm(q, k), dim=-1)
        out = torch.bmm(self.g(x).view(n, -1, h * w), attention.permute(0, 2, 1))
        return self.gamma * out.view(n, c, h, w) + x


class Coordinates(nn.Module):
    """Two more channels that say where a pixel is (CoordConv)."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(5, 4, 3)

    def forward(self, x):
        n, _, h, w = x.shape
        rows = torch.linspace(-1, 1, h, dtype=x.dtype).view(1, 1, h, 1).expand(n, 1, h, w)
        columns = torch.linspace(-1, 1, w, dtype=x.dtype).expand(n, 1, h, w)
        return self.conv(torch.cat([x, rows, columns], dim=1))


class Repeated(nn.Module):
    """repeat and repeat_interleave along channels differ; interpolation to a given size."""

    def forward(self, x):
        x = torch.cat([x.repeat(1, 2, 1, 1), x.repeat_interleave(2, dim=1)], 1)
        return F.interpolate(x, size=(9, 4), mode="bilinear", align_corners=False)


class Volumes(nn.Module):
    """Five axes: depth, height and width all differ."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(2, 3, (1, 2, 3), padding=(0, 1, 1))
        self.pool = nn.MaxPool3d((1, 2, 2))

    def forward(self, x):
        return self.pool(self.conv(x)).mean(dim=2)


EXAMPLES = {
    SideBySide: (4, 3, 6, 3),
    BatchDoubled: (4, 6),
    ChannelShuffle: (4, 3, 6, 3),
    PixelsAndChannels: (4, 3, 6, 4),
    Padded: (4, 3, 6, 3),
    Indexed: (4, 3, 6, 3),
    SizesAsNumbers: (4, 3, 6, 3),
    NonLocal: (4, 3, 6, 3),
    Coordinates: (4, 3, 6, 3),
    Repeated: (4, 3, 6, 3),
    Volumes: (3, 2, 3, 4, 5),
}
REFUSABLE = set()

"""Networks of Inception blocks: GoogLeNet's, and those of Inception v3 with factorized kernels."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class BasicConv2d(nn.Module):
    def __init__(self, in_channels, out_channels, **kwargs):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, bias=False, **kwargs)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x):
        x = self.conv(x)
        x = self.bn(x)
        return F.relu(x, inplace=True)


class Inception(nn.Module):
    """Four branches side by side, concatenated: 1x1, 3x3, two 3x3, pooling."""

    def __init__(self, in_channels, ch1x1, ch3x3red, ch3x3, ch5x5red, ch5x5, pool_proj):
        super().__init__()
        self.branch1 = BasicConv2d(in_channels, ch1x1, kernel_size=1)
        self.branch2 = nn.Sequential(
            BasicConv2d(in_channels, ch3x3red, kernel_size=1),
            BasicConv2d(ch3x3red, ch3x3, kernel_size=3, padding=1),
        )
        self.branch3 = nn.Sequential(
            BasicConv2d(in_channels, ch5x5red, kernel_size=1),
            BasicConv2d(ch5x5red, ch5x5, kernel_size=3, padding=1),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(kernel_size=3, stride=1, padding=1, ceil_mode=True),
            BasicConv2d(in_channels, pool_proj, kernel_size=1),
        )

    def _forward(self, x):
        branch1 = self.branch1(x)
        branch2 = self.branch2(x)
        branch3 = self.branch3(x)
        branch4 = self.branch4(x)

        outputs = [branch1, branch2, branch3, branch4]
        return outputs

    def forward(self, x):
        outputs = self._forward(x)
        return torch.cat(outputs, 1)


class GoogLeNet(nn.Module):
    """Without the auxiliary classifiers, which only training has."""

    def __init__(self, blocks, stem=(64, 192), num_classes=1000, dropout=0.2):
        super().__init__()
        self.conv1 = BasicConv2d(3, stem[0], kernel_size=7, stride=2, padding=3)
        self.maxpool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = BasicConv2d(stem[0], stem[0], kernel_size=1)
        self.conv3 = BasicConv2d(stem[0], stem[1], kernel_size=3, padding=1)
        self.maxpool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)

        channels = stem[1]
        stages = []
        for widths in blocks:
            stages.append(Inception(channels, *widths))
            channels = widths[0] + widths[2] + widths[4] + widths[5]
        self.inceptions = nn.ModuleList(stages)

        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(p=dropout)
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x):
        # N x 3 x H x W
        x = self.maxpool1(self.conv1(x))
        # N x 64 x H/4 x W/4
        x = self.maxpool2(self.conv3(self.conv2(x)))
        # N x 192 x H/8 x W/8
        for inception in self.inceptions:
            x = inception(x)
        x = self.dropout(self.avgpool(x).flatten(1))
        return self.fc(x)


class InceptionA(nn.Module):
    def __init__(self, in_channels, c, pool_features):
        super().__init__()
        self.branch1x1 = BasicConv2d(in_channels, c, kernel_size=1)

        self.branch5x5_1 = BasicConv2d(in_channels, c, kernel_size=1)
        self.branch5x5_2 = BasicConv2d(c, c, kernel_size=5, padding=2)

        self.branch_pool = BasicConv2d(in_channels, pool_features, kernel_size=1)

    def forward(self, x):
        branch1x1 = self.branch1x1(x)

        branch5x5 = self.branch5x5_1(x)
        branch5x5 = self.branch5x5_2(branch5x5)

        branch_pool = F.avg_pool2d(x, kernel_size=3, stride=1, padding=1)
        branch_pool = self.branch_pool(branch_pool)

        return torch.cat([branch1x1, branch5x5, branch_pool], 1)


class InceptionB(nn.Module):
    """Halves the maps, by a stride and by a pool."""

    def __init__(self, in_channels, c):
        super().__init__()
        self.branch3x3 = BasicConv2d(in_channels, c, kernel_size=3, stride=2)

    def forward(self, x):
        branch3x3 = self.branch3x3(x)
        branch_pool = F.max_pool2d(x, kernel_size=3, stride=2)
        return torch.cat([branch3x3, branch_pool], 1)


class InceptionE(nn.Module):
    """A branch splits in two, 1x3 and 3x1, whose results lie side by side."""

    def __init__(self, in_channels, c):
        super().__init__()
        self.branch1x1 = BasicConv2d(in_channels, c, kernel_size=1)
        self.branch3x3_1 = BasicConv2d(in_channels, c, kernel_size=1)
        self.branch3x3_2a = BasicConv2d(c, c, kernel_size=(1, 3), padding=(0, 1))
        self.branch3x3_2b = BasicConv2d(c, c, kernel_size=(3, 1), padding=(1, 0))

    def forward(self, x):
        branch1x1 = self.branch1x1(x)
        branch3x3 = self.branch3x3_1(x)
        branch3x3 = [self.branch3x3_2a(branch3x3), self.branch3x3_2b(branch3x3)]
        branch3x3 = torch.cat(branch3x3, 1)
        return torch.cat([branch1x1, branch3x3], 1)


class InceptionV3(nn.Module):
    """One block of each kind of the third version."""

    def __init__(self, width=32, num_classes=1000):
        super().__init__()
        self.stem = BasicConv2d(3, width, kernel_size=3, stride=2)
        self.mixed_a = InceptionA(width, c=width, pool_features=width)
        self.mixed_b = InceptionB(width * 3, c=width)
        self.mixed_e = InceptionE(width * 4, c=width)
        self.fc = nn.Linear(width * 3, num_classes)

    def forward(self, x):
        x = self.mixed_e(self.mixed_b(self.mixed_a(self.stem(x))))
        x = F.adaptive_avg_pool2d(x, (1, 1))
        return self.fc(torch.flatten(x, 1))


def small():
    blocks = [(2, 2, 3, 1, 2, 1), (2, 2, 3, 1, 2, 2)]
    return GoogLeNet(blocks, stem=(3, 4), num_classes=5)


def real():
    return GoogLeNet(
        [
            (64, 96, 128, 16, 32, 32),
            (128, 128, 192, 32, 96, 64),
            (192, 96, 208, 16, 48, 64),
            (160, 112, 224, 24, 64, 64),
        ]
    )


def example():
    return torch.randn(3, 3, 33, 41, generator=torch.Generator().manual_seed(0))


def real_example():
    return torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def small_v3():
    return InceptionV3(width=3, num_classes=5)


def real_v3():
    return InceptionV3()


def example_v3():
    return torch.randn(3, 3, 20, 24, generator=torch.Generator().manual_seed(0))


def real_example_v3():
    return torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))

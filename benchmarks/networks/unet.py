"""U-Nets for segmentation: skips are concatenated to what grows back, by transposed convolutions or
bilinearly; and a third one whose two halves are lists of layers."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class TwoConvs(nn.Module):
    """Two 3 x 3 convolutions that keep the size, each normalized and rectified."""

    def __init__(self, c_in, c_out, c_mid=None):
        super().__init__()
        if c_mid is None:
            c_mid = c_out
        self.body = nn.Sequential(
            nn.Conv2d(c_in, c_mid, 3, padding=1, bias=False),
            nn.BatchNorm2d(c_mid),
            nn.ReLU(inplace=True),
            nn.Conv2d(c_mid, c_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(c_out),
            nn.ReLU(inplace=True),
        )

    def forward(self, x):
        return self.body(x)


class Down(nn.Module):
    """Half the size, then two convolutions."""

    def __init__(self, c_in, c_out):
        super().__init__()
        self.pool_and_convs = nn.Sequential(nn.MaxPool2d(2), TwoConvs(c_in, c_out))

    def forward(self, x):
        return self.pool_and_convs(x)


class Up(nn.Module):
    """Twice the size, the skip beside it, then two convolutions."""

    def __init__(self, c_in, c_out, bilinear=False):
        super().__init__()
        if bilinear:
            # has no channels to learn: the convolutions bring their number down
            self.grow = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
            self.convs = TwoConvs(c_in, c_out, c_in // 2)
        else:
            self.grow = nn.ConvTranspose2d(c_in, c_in // 2, kernel_size=2, stride=2)
            self.convs = TwoConvs(c_in, c_out)

    def forward(self, x, skip):
        x = self.grow(x)

        # an odd size was rounded down on the way: pad what is missing
        dy = skip.size(2) - x.size(2)
        dx = skip.size(3) - x.size(3)
        x = F.pad(x, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])

        return self.convs(torch.cat([skip, x], dim=1))


class UNet(nn.Module):
    def __init__(self, in_channels, classes, bilinear=False, base=64):
        super(UNet, self).__init__()
        self.in_channels = in_channels
        self.classes = classes
        self.bilinear = bilinear
        shrink = 2 if bilinear else 1

        self.stem = TwoConvs(in_channels, base)
        self.down1 = Down(base, base * 2)
        self.down2 = Down(base * 2, base * 4)
        self.down3 = Down(base * 4, base * 8)
        self.down4 = Down(base * 8, base * 16 // shrink)
        self.up1 = Up(base * 16, base * 8 // shrink, bilinear)
        self.up2 = Up(base * 8, base * 4 // shrink, bilinear)
        self.up3 = Up(base * 4, base * 2 // shrink, bilinear)
        self.up4 = Up(base * 2, base, bilinear)
        self.head = nn.Conv2d(base, classes, kernel_size=1)

    def forward(self, x):
        s1 = self.stem(x)
        s2 = self.down1(s1)
        s3 = self.down2(s2)
        s4 = self.down3(s3)
        x = self.down4(s4)

        x = self.up1(x, s4)
        x = self.up2(x, s3)
        x = self.up3(x, s2)
        x = self.up4(x, s1)
        logits = self.head(x)
        return logits


class Block(nn.Module):
    def __init__(self, in_ch, out_ch):
        super().__init__()
        self.conv1 = nn.Conv2d(in_ch, out_ch, 3, padding=1)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(out_ch, out_ch, 3, padding=1)

    def forward(self, x):
        return self.relu(self.conv2(self.relu(self.conv1(x))))


class ListUNet(nn.Module):
    """Encoder and decoder are lists; skips are walked from the deepest to the shallowest."""

    def __init__(self, chs=(3, 64, 128, 256), num_class=1):
        super().__init__()
        self.encoder = nn.ModuleList([Block(a, b) for a, b in zip(chs[:-2], chs[1:-1])])
        self.pool = nn.MaxPool2d(2)
        self.bridge = Block(chs[-2], chs[-1])
        back = chs[:0:-1]
        self.grow = nn.ModuleList(
            [nn.ConvTranspose2d(back[i], back[i + 1], 2, 2) for i in range(len(back) - 1)]
        )
        self.decoder = nn.ModuleList([Block(2 * c, c) for c in back[1:]])
        self.head = nn.Conv2d(back[-1], num_class, 1)

    def forward(self, x):
        skips = []
        for block in self.encoder:
            x = block(x)
            skips.append(x)
            x = self.pool(x)
        x = self.bridge(x)
        for grow, block, skip in zip(self.grow, self.decoder, skips[::-1]):
            x = block(torch.cat([grow(x), skip], dim=1))
        return self.head(x)


def small():
    return UNet(in_channels=3, classes=2, base=2)


def real():
    return UNet(in_channels=3, classes=2)


def example():
    return torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))


real_example = example


def small_bilinear():
    return UNet(in_channels=1, classes=3, bilinear=True, base=2)


def real_bilinear():
    return UNet(in_channels=1, classes=3, bilinear=True)


def example_bilinear():
    # sizes that halving does not divide: what grows is padded
    return torch.rand(2, 1, 36, 40, generator=torch.Generator().manual_seed(0))


real_example_bilinear = example_bilinear


def small_lists():
    return ListUNet(chs=(3, 4, 6, 8))


def real_lists():
    return ListUNet()


def example_lists():
    return torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(0))


real_example_lists = example_lists

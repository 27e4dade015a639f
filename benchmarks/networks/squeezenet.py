"""SqueezeNet 1.1: fire modules squeeze to few channels, then expand two ways side by side."""

import torch
import torch.nn as nn
import torch.nn.init as init


class Fire(nn.Module):
    def __init__(self, inplanes, squeeze_planes, expand1x1_planes, expand3x3_planes):
        super(Fire, self).__init__()
        self.inplanes = inplanes
        self.squeeze = nn.Conv2d(inplanes, squeeze_planes, kernel_size=1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze_planes, expand1x1_planes, kernel_size=1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze_planes, expand3x3_planes, kernel_size=3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.squeeze_activation(self.squeeze(x))
        return torch.cat(
            [
                self.expand1x1_activation(self.expand1x1(x)),
                self.expand3x3_activation(self.expand3x3(x)),
            ],
            1,
        )


class SqueezeNet(nn.Module):
    def __init__(self, num_classes=1000, dropout=0.5, w=16):
        super(SqueezeNet, self).__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, w * 4, kernel_size=3, stride=2),
            nn.ReLU(inplace=True),
            # ceil_mode: the last window may hang over the edge
            nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True),
            Fire(w * 4, w, w * 4, w * 4),
            Fire(w * 8, w, w * 4, w * 4),
            nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True),
            Fire(w * 8, w * 2, w * 8, w * 8),
            Fire(w * 16, w * 2, w * 8, w * 8),
            nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True),
            Fire(w * 16, w * 3, w * 12, w * 12),
            Fire(w * 24, w * 3, w * 12, w * 12),
            Fire(w * 24, w * 4, w * 16, w * 16),
            Fire(w * 32, w * 4, w * 16, w * 16),
        )

        # The last convolution is the classifier, and starts smaller than the others
        final_conv = nn.Conv2d(w * 32, num_classes, kernel_size=1)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout), final_conv, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1))
        )

        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                if m is final_conv:
                    init.normal_(m.weight, mean=0.0, std=0.01)
                else:
                    init.kaiming_uniform_(m.weight)
                if m.bias is not None:
                    init.constant_(m.bias, 0)

    def forward(self, x):
        x = self.features(x)
        x = self.classifier(x)
        return torch.flatten(x, 1)


def small():
    return SqueezeNet(num_classes=6, w=2)


def real():
    return SqueezeNet()


def example():
    return torch.randn(2, 3, 42, 50, generator=torch.Generator().manual_seed(0))


def real_example():
    return torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))

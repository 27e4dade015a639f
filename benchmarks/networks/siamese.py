"""A siamese network as pytorch/examples has it: are two digits the same? One tower, called twice,
which is a residual network without its last layer."""

import torch
import torch.nn as nn


class Residual(nn.Module):
    def __init__(self, in_channels, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Conv2d(in_channels, channels, 1, stride=2)

    def forward(self, x):
        out = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class Backbone(nn.Module):
    def __init__(self, width, num_classes=1000):
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, (7, 7), stride=(2, 2), padding=(3, 3), bias=False)
        self.layer1 = Residual(width, width)
        self.layer2 = Residual(width, 2 * width)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(2 * width, num_classes)

    def forward(self, x):
        x = self.layer2(self.layer1(self.conv1(x)))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class SiameseNetwork(nn.Module):
    """
    Takes two pictures and says how alike they are, from 0 to 1.

    Each becomes a vector by the same backbone, whose classifier is removed; both vectors side by
    side go through two linear layers.
    """

    def __init__(self, width=64, hidden=256):
        super(SiameseNetwork, self).__init__()
        self.resnet = Backbone(width)
        self.fc_in_features = self.resnet.fc.in_features

        # everything but the last layer
        self.resnet = torch.nn.Sequential(*(list(self.resnet.children())[:-1]))

        self.fc = nn.Sequential(
            nn.Linear(self.fc_in_features * 2, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, 1),
        )
        self.sigmoid = nn.Sigmoid()

        self.resnet.apply(self.init_weights)
        self.fc.apply(self.init_weights)

    def init_weights(self, m):
        if isinstance(m, nn.Linear):
            torch.nn.init.xavier_uniform_(m.weight)
            m.bias.data.fill_(0.01)

    def forward_once(self, x):
        output = self.resnet(x)
        output = output.view(output.size()[0], -1)
        return output

    def forward(self, input1, input2):
        # one set of weights for both
        output1 = self.forward_once(input1)
        output2 = self.forward_once(input2)

        output = torch.cat((output1, output2), 1)
        output = self.fc(output)
        output = self.sigmoid(output)

        return output


def small():
    return SiameseNetwork(width=3, hidden=8)


def real():
    return SiameseNetwork()


def example():
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.rand(3, 1, 28, 28, generator=generator) for _ in range(2))


real_example = example

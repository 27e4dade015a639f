"""The CIFAR-10 network of torch's 60-minute blitz, and the LeNet of its chapter on networks."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self, widths=(6, 16), hidden=(120, 84), classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(widths[0], widths[1], 5)
        self.fc1 = nn.Linear(widths[1] * 5 * 5, hidden[0])
        self.fc2 = nn.Linear(hidden[0], hidden[1])
        self.fc3 = nn.Linear(hidden[1], classes)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = torch.flatten(x, 1)  # all but the batch
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        x = self.fc3(x)
        return x


class LeNet(nn.Module):
    """LeNet-5 on 32 x 32 pictures in shades of grey."""

    def __init__(self, first=6, second=16, hidden=120):
        super(LeNet, self).__init__()
        # one channel in, squares of 5 x 5
        self.second = second
        self.conv1 = nn.Conv2d(1, first, 5)
        self.conv2 = nn.Conv2d(first, second, 5)
        # affine: W x + b
        self.fc1 = nn.Linear(second * 5 * 5, hidden)  # 32 -> 28 -> 14 -> 10 -> 5
        self.fc2 = nn.Linear(hidden, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        # the largest of each 2 x 2 window
        x = F.max_pool2d(F.relu(self.conv1(x)), (2, 2))
        # one number will do for a square
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.view(-1, self.num_flat_features(x))
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)

    def num_flat_features(self, x):
        size = x.size()[1:]  # all but the batch
        num_features = 1
        for s in size:
            num_features *= s
        return num_features


def small():
    return Net(widths=(4, 6), hidden=(16, 12))


def real():
    return Net()


def example():
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


real_example = example


def small_chapter():
    return LeNet(first=3, second=4, hidden=20)


def real_chapter():
    return LeNet()


def example_chapter():
    return torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))


real_example_chapter = example_chapter

"""The two convolutional networks of the tutorial "What is torch.nn really?"."""

import torch
import torch.nn.functional as F
from torch import nn


class Mnist_CNN(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, kernel_size=3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, stride=2, padding=1)
        self.conv3 = nn.Conv2d(width, 10, kernel_size=3, stride=2, padding=1)

    def forward(self, xb):
        xb = xb.view(-1, 1, 28, 28)
        xb = F.relu(self.conv1(xb))
        xb = F.relu(self.conv2(xb))
        xb = F.relu(self.conv3(xb))
        xb = F.avg_pool2d(xb, 4)
        return xb.view(-1, xb.size(1))


class Lambda(nn.Module):
    def __init__(self, func):
        super().__init__()
        self.func = func

    def forward(self, x):
        return self.func(x)


def preprocess(x):
    return x.view(-1, 1, 28, 28)


def lambda_model(width=16):
    return nn.Sequential(
        Lambda(preprocess),
        nn.Conv2d(1, width, kernel_size=3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, width, kernel_size=3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, 10, kernel_size=3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        Lambda(lambda x: x.view(x.size(0), -1)),
    )


def small():
    return Mnist_CNN(width=4)


def real():
    return Mnist_CNN()


def example():
    return torch.rand(3, 784, generator=torch.Generator().manual_seed(0))


real_example = example


def small_lambda():
    return lambda_model(width=4)


def real_lambda():
    return lambda_model()


example_lambda = real_example_lambda = example

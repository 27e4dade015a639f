"""The variational autoencoder of pytorch/examples, its two halves as modules of their own: between
them it draws noise, which is the training's affair."""

import torch
from torch import nn
from torch.nn import functional as F


class Encoder(nn.Module):
    """Gives the mean and the logarithm of the variance of the code."""

    def __init__(self, hidden=400, code=20):
        super(Encoder, self).__init__()

        self.fc1 = nn.Linear(784, hidden)
        self.fc21 = nn.Linear(hidden, code)
        self.fc22 = nn.Linear(hidden, code)

    def forward(self, x):
        h1 = F.relu(self.fc1(x.view(-1, 784)))
        return self.fc21(h1), self.fc22(h1)


class Decoder(nn.Module):
    def __init__(self, hidden=400, code=20):
        super(Decoder, self).__init__()

        self.fc3 = nn.Linear(code, hidden)
        self.fc4 = nn.Linear(hidden, 784)

    def forward(self, z):
        h3 = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))


def small_encoder():
    return Encoder(12, 4)


def real_encoder():
    return Encoder()


def example_encoder():
    return torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))


real_example_encoder = example_encoder


def small_decoder():
    return Decoder(12, 4)


def real_decoder():
    return Decoder()


def example_decoder():
    return torch.randn(3, 4, generator=torch.Generator().manual_seed(0))


def real_example_decoder():
    return torch.randn(3, 20, generator=torch.Generator().manual_seed(0))

"""Randomness in a forward that is neither dropout's nor stochastic depth's."""

import random

import torch
import torch.nn as nn
import torch.nn.functional as F


class VAE(nn.Module):
    """The whole of pytorch/examples' vae, which draws its code."""

    def __init__(self, hidden=8, code=3):
        super().__init__()
        self.fc1 = nn.Linear(6, hidden)
        self.fc21 = nn.Linear(hidden, code)
        self.fc22 = nn.Linear(hidden, code)
        self.fc3 = nn.Linear(code, hidden)
        self.fc4 = nn.Linear(hidden, 6)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)  # refused: randomness
        return mu + eps * std

    def decode(self, z):
        h3 = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 6))
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


class Noise(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        noise = torch.rand(x.size(0), 6, dtype=x.dtype)  # refused: randomness
        return self.fc(x + noise)


class ConstantNoise(nn.Module):
    """Of a shape that depends on no input: a trace keeps what it has drawn as a constant."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        return self.fc(x + torch.randn(6, dtype=x.dtype))  # refused: randomness


class Bernoulli(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x):
        return torch.bernoulli(torch.sigmoid(self.fc(x)))  # refused: randomness


class DrawnInPlace(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        noise = x.new_empty(x.shape).normal_(0, 0.1)  # refused: randomness
        return self.fc(x) + self.fc(noise)


class Gumbel(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x):
        return F.gumbel_softmax(self.fc(x), tau=0.5)  # refused: randomness


class Shuffled(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        order = torch.randperm(6)  # refused: randomness
        return self.fc(x[:, order])


class LayerDrop(nn.Module):
    """Python draws here, and no tensor knows of it."""

    def __init__(self, p=0.5):
        super().__init__()
        self.p = p
        self.blocks = nn.ModuleList([nn.Linear(6, 6) for _ in range(3)])

    def forward(self, x):
        for block in self.blocks:
            if random.random() < self.p:  # refused: randomness
                continue
            x = x + torch.tanh(block(x))
        return x


class FractionalPool(nn.Module):
    """A pool whose windows are drawn, in evaluation too."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3)
        self.pool = nn.FractionalMaxPool2d(2, output_ratio=0.6)  # refused: randomness

    def forward(self, x):
        return self.pool(self.conv(x))  # refused: randomness


EXAMPLES = {
    VAE: (4, 6),
    Noise: (4, 6),
    ConstantNoise: (4, 6),
    Bernoulli: (4, 6),
    DrawnInPlace: (4, 6),
    Gumbel: (4, 6),
    Shuffled: (4, 6),
    LayerDrop: (4, 6),
    FractionalPool: (4, 3, 8, 10),
}

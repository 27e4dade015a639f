"""Convolutional autoencoders: one in Sequentials that returns picture and code; one with methods to
encode and decode, which goes back to maps by a view and grows them by interpolation."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class ConvAutoencoder(nn.Module):
    def __init__(self, width=16, code=32):
        super().__init__()

        ## encoder layers ##
        self.encoder = nn.Sequential(
            nn.Conv2d(1, width, 3, stride=2, padding=1),  # 28 -> 14
            nn.ReLU(True),
            nn.Conv2d(width, width * 2, 3, stride=2, padding=1),  # 14 -> 7
            nn.ReLU(True),
            nn.Flatten(),
            nn.Linear(width * 2 * 7 * 7, code),
        )

        ## decoder layers ##
        self.decoder = nn.Sequential(
            nn.Linear(code, width * 2 * 7 * 7),
            nn.ReLU(True),
            nn.Unflatten(1, (width * 2, 7, 7)),
            nn.ConvTranspose2d(width * 2, width, 3, stride=2, padding=1, output_padding=1),
            nn.ReLU(True),
            nn.ConvTranspose2d(width, 1, 3, stride=2, padding=1, output_padding=1),
            nn.Sigmoid(),
        )

    def forward(self, x):
        encoded = self.encoder(x)
        decoded = self.decoder(encoded)
        return decoded, encoded


class Autoencoder(nn.Module):
    channels = (16, 32)

    def __init__(self, input_size=32, latent_dim=10):
        super(Autoencoder, self).__init__()
        first, second = self.channels
        self.side = input_size // 4

        self.conv1 = nn.Conv2d(3, first, 3, padding="same")
        self.conv2 = nn.Conv2d(first, second, 3, padding="same", padding_mode="reflect")
        self.pool = nn.MaxPool2d(2)
        self.to_latent = nn.Linear(second * self.side**2, latent_dim)
        self.from_latent = nn.Linear(latent_dim, second * self.side**2)
        self.conv3 = nn.Conv2d(second, first, 3, padding="same")
        self.conv4 = nn.Conv2d(first, 3, 3, padding="same")

    def encode(self, x):
        x = self.pool(F.elu(self.conv1(x)))
        x = self.pool(F.elu(self.conv2(x)))
        return self.to_latent(x.view(x.size(0), -1))

    def decode(self, z):
        h = F.elu(self.from_latent(z)).view(-1, self.channels[1], self.side, self.side)
        h = F.interpolate(h, scale_factor=2)
        h = F.interpolate(F.elu(self.conv3(h)), scale_factor=2, mode="bilinear")
        return torch.tanh(self.conv4(h))

    def forward(self, x):
        return self.decode(self.encode(x))


class NarrowAutoencoder(Autoencoder):
    channels = (3, 4)


def small():
    return ConvAutoencoder(width=2, code=5)


def real():
    return ConvAutoencoder()


def example():
    return torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))


real_example = example


def small_views():
    return NarrowAutoencoder(input_size=16)


def real_views():
    return Autoencoder()


def example_views():
    return torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def real_example_views():
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1

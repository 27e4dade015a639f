"""The classifier of clothes of torch's training tutorial: 28 x 28 pictures, ten classes."""

import torch


class GarmentClassifier(torch.nn.Module):
    def __init__(self, conv1_out=6, conv2_out=16, fc1_out=120, fc2_out=84):
        super(GarmentClassifier, self).__init__()
        self.flat_size = conv2_out * 4 * 4
        self.conv1 = torch.nn.Conv2d(1, conv1_out, 5)
        self.pool = torch.nn.MaxPool2d(2, 2)
        self.conv2 = torch.nn.Conv2d(conv1_out, conv2_out, 5)
        self.fc1 = torch.nn.Linear(self.flat_size, fc1_out)
        self.fc2 = torch.nn.Linear(fc1_out, fc2_out)
        self.fc3 = torch.nn.Linear(fc2_out, 10)

    def forward(self, x):
        x = self.pool(torch.nn.functional.relu(self.conv1(x)))
        x = self.pool(torch.nn.functional.relu(self.conv2(x)))
        x = x.view(-1, self.flat_size)
        x = torch.nn.functional.relu(self.fc1(x))
        x = torch.nn.functional.relu(self.fc2(x))
        x = self.fc3(x)
        return x


def small():
    return GarmentClassifier(3, 5, 16, 12)


def real():
    return GarmentClassifier()


def example():
    # normalised to -1 .. 1, as the tutorial has it
    return torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1


real_example = example

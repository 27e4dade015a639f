"""The networks as the PyTorch tutorials write them, word for word but for names, comments, types.

- ``Net``: PyTorch's recipe "Defining a Neural Network in PyTorch".
- ``NeuralNetwork``: PyTorch's tutorial "Build the Neural Network".
- ``SoftmaxNeuralNetwork``: "Building a neural network using PyTorch", where it is called
  ``NeuralNetwork`` too.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    """The recipe's: (N, 1, 28, 28) -> (N, 10) log-probabilities, of float32 by default.

    https://docs.pytorch.org/tutorials/recipes/recipes/defining_a_neural_network.html

    Its twin is ``flaxnets.CNN``.

    Raises:
        RuntimeError: when called, for images of another shape or dtype.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, 1)
        self.conv2 = nn.Conv2d(32, 64, 3, 1)
        self.dropout1 = nn.Dropout2d(0.25)
        self.dropout2 = nn.Dropout2d(0.5)
        self.fc1 = nn.Linear(9216, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv1(x)
        x = F.relu(x)
        x = self.conv2(x)
        x = F.relu(x)
        x = F.max_pool2d(x, 2)
        x = self.dropout1(x)
        x = torch.flatten(x, 1)
        x = self.fc1(x)
        x = F.relu(x)
        x = self.dropout2(x)
        x = self.fc2(x)
        output = F.log_softmax(x, dim=1)
        return output


class NeuralNetwork(nn.Module):
    """The tutorial's: (N, 28, 28) -> (N, 10) logits, of float32 by default.

    https://docs.pytorch.org/tutorials/beginner/basics/buildmodel_tutorial.html

    Its twin is ``flaxnets.MLP``.

    Raises:
        RuntimeError: when called, for images of another shape or dtype.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.linear_relu_stack = nn.Sequential(
            nn.Linear(28 * 28, 512),
            nn.ReLU(),
            nn.Linear(512, 512),
            nn.ReLU(),
            nn.Linear(512, 10),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.flatten(x)
        logits = self.linear_relu_stack(x)
        return logits


class SoftmaxNeuralNetwork(nn.Module):
    """The tutorial's: (N, 784) -> (N, 10) probabilities, of float32 by default.

    It is from "Building a neural network using PyTorch". Its twin is ``flaxnets.SoftmaxMLP``.

    Raises:
        RuntimeError: when called, for images of another shape or dtype.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(784, 512)
        self.fc2 = nn.Linear(512, 256)
        self.fc3 = nn.Linear(256, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        x = torch.softmax(self.fc3(x), dim=1)
        return x

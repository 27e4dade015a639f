"""The PyTorch side of the benchmarks: the tutorials' networks in the tutorials' training loop."""

import time
import warnings
from collections.abc import Iterator

import numpy as np
import torch

from flaxnets.parity.reference import LOSSES, REFERENCES, SHAPES

# The tutorials use Dropout2d on a 2-D input before fc2, and torch warns of it.
warnings.filterwarnings("ignore", message="dropout2d")

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class Trainer:
    """A network, its optimizer and its data, all in memory as torch likes them best."""

    def __init__(self, model, split, batch_size, seed=0, channels_last=False):
        torch.manual_seed(seed)
        self.name, self.batch_size = model, batch_size
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.network = REFERENCES[model]().to(DEVICE, memory_format=self.memory_format)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3)
        self.images, self.labels = self.tensors(split)

    def tensors(self, split):
        """ToTensor for a whole split, once."""
        images = torch.tensor(split.images).float().div(255).reshape(SHAPES[self.name]).to(DEVICE)
        return images, torch.tensor(np.asarray(split.labels)).long().to(DEVICE)

    def batches(self) -> Iterator[torch.Tensor]:
        """The indices of an epoch's batches, the last one perhaps not full."""
        return iter(torch.randperm(len(self.images), device=DEVICE).split(self.batch_size))

    def steps(self, batches) -> float:
        """Train on some batches; the images per second."""
        self.network.train()
        began, total, count = time.perf_counter(), 0.0, 0
        for chosen in batches:
            images = self.images[chosen]
            if images.ndim == 4:
                images = images.contiguous(memory_format=self.memory_format)
            self.optimizer.zero_grad()
            loss = LOSSES[self.name](self.network(images), self.labels[chosen])
            loss.backward()
            self.optimizer.step()
            total = total + loss.detach()
            count += len(chosen)
        float(total)  # waits for the device
        return count / (time.perf_counter() - began)

    @torch.no_grad()
    def accuracy(self, split) -> float:
        """The fraction of a split that is classified as labelled."""
        self.network.eval()
        images, labels = self.tensors(split)
        right = [(self.network(x).argmax(1) == y).sum().item()
                 for x, y in zip(images.split(1000), labels.split(1000), strict=True)]  # fmt: skip
        return sum(right) / len(labels)

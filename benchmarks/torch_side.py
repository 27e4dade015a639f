"""The PyTorch side of the benchmarks: the tutorials' networks in the tutorials' training loop."""

import contextlib
import copy
import importlib.util
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

# The reference by its path: importing it from flaxnets would load JAX, and torch's processes would
# be charged its memory and time.
PLACE = Path(__file__).parents[1] / "flaxnets" / "parity" / "reference.py"
SPEC = importlib.util.spec_from_file_location("reference", PLACE)
REFERENCE = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(REFERENCE)
F = torch.nn.functional
REFERENCES = {
    "cnn": REFERENCE.Net,
    "mlp": REFERENCE.NeuralNetwork,
    "softmax_mlp": REFERENCE.SoftmaxNeuralNetwork,
}
LOSSES = {"cnn": F.nll_loss, "mlp": F.cross_entropy, "softmax_mlp": F.cross_entropy}
SHAPES = {"cnn": (-1, 1, 28, 28), "mlp": (-1, 28, 28), "softmax_mlp": (-1, 784)}

# The tutorials use Dropout2d on a 2-D input before fc2, and torch warns of it.
warnings.filterwarnings("ignore", message="dropout2d")

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def use_precision(precision: str) -> None:
    """float32 in full (``highest``), or on a GPU as JAX has it by default, TF32 (``default``)."""
    tf32 = DEVICE == "cuda" and precision == "default"
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32


use_precision("default")


class Trainer:
    """A network, its optimizer and its data, all in memory as torch likes them best.

    Args:
        variant: ``eager`` and ``channels_last``, with Adam as the tutorials have it; ``fused``, the
            latter with torch's fused Adam; ``compile``, fused too, on a GPU with CUDA graphs.
        half: layers in bfloat16, by autocast.
    """

    def __init__(self, model, split, batch_size, seed=0, variant="eager", half=False):
        torch.manual_seed(seed)
        self.name, self.batch_size, self.half = model, batch_size, half
        last = variant in ("channels_last", "fused") or (DEVICE == "cuda" and variant == "compile")
        self.memory_format = torch.channels_last if last else torch.contiguous_format
        self.network = REFERENCES[model]().to(DEVICE, memory_format=self.memory_format)
        fused = variant in ("fused", "compile")
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3, fused=fused)
        self.images, self.labels = self.tensors(split)
        self.call = self.network
        if variant == "compile":
            mode = "reduce-overhead" if DEVICE == "cuda" else "default"
            self.call = torch.compile(self.network, mode=mode)

    def tensors(self, split):
        """ToTensor for a whole split, once."""
        images = torch.tensor(split.images).float().div_(255).reshape(SHAPES[self.name]).to(DEVICE)
        return images, torch.tensor(np.asarray(split.labels)).long().to(DEVICE)

    def batches(self) -> Iterator[torch.Tensor]:
        """The indices of an epoch's batches, the last one perhaps not full."""
        return iter(torch.randperm(len(self.images), device=DEVICE).split(self.batch_size))

    def steps(self, batches, schedule=None) -> float:
        """Train on some batches; the images per second."""
        self.network.train()
        began, total, count = time.perf_counter(), 0.0, 0
        for chosen in batches:
            total = total + self.step(chosen)
            count += len(chosen)
            if schedule:
                schedule.step()
        float(total)  # waits for the device
        return count / (time.perf_counter() - began)

    def warm_up(self, steps=3):
        """Compile, load kernels, fill caches; then as if nothing had been."""
        before = copy.deepcopy(self.network.state_dict())
        for _, chosen in zip(range(steps), self.batches(), strict=False):
            self.step(chosen)
        self.network.load_state_dict(before)
        self.optimizer.state.clear()

    def step(self, chosen):
        """One step of Adam; its loss, on the device."""
        images = self.images[chosen]
        if images.ndim == 4:
            images = images.contiguous(memory_format=self.memory_format)
        self.optimizer.zero_grad()
        with self.precision():
            outputs = self.call(images)
        loss = LOSSES[self.name](outputs.float(), self.labels[chosen])
        loss.backward()
        self.optimizer.step()
        return loss.detach().clone()  # with CUDA graphs the next step overwrites it

    def precision(self):
        """Of the layers."""
        if self.half:
            return torch.autocast(DEVICE, torch.bfloat16)
        return contextlib.nullcontext()

    @torch.inference_mode()
    def predict(self, images) -> torch.Tensor:
        """The outputs, read back as NumPy has them. To be called in evaluation mode."""
        if images.ndim == 4:
            images = images.contiguous(memory_format=self.memory_format)
        with self.precision():
            return self.call(images).float().cpu().numpy()

    def accuracy(self, split) -> float:
        """The fraction of a split that is classified as labelled."""
        self.network.eval()
        images, labels = self.tensors(split)
        found = np.concatenate([self.predict(part).argmax(1) for part in images.split(1000)])
        return float((found == labels.cpu().numpy()).mean())

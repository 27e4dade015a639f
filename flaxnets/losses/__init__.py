"""The losses of ``torch.nn.functional`` that its tutorials use: of outputs and targets.

Names, arguments, defaults and reductions are torch's, and so are the gradients at kinks; torch's
deprecated ``size_average`` and ``reduce`` are left out, and what stood behind them is given by
name. What differs is what channels last asks for: classes lie on the last axis, (N, ..., C), where
torch has them second. ``training.fit`` asks for one value an example: ``reduction="none"``.
"""

from flaxnets.losses.classes import cross_entropy, nll_loss
from flaxnets.losses.probabilities import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    kl_div,
)
from flaxnets.losses.regression import huber_loss, l1_loss, mse_loss, smooth_l1_loss

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "nll_loss",
    "smooth_l1_loss",
]

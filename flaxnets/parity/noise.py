"""Masks that a network's own code draws: Bernoulli's, or uniform noise that is rounded down.

Stochastic depth is written so: by torchvision, by timm, and by hand.
"""

from typing import Any

import torch

BERNOULLI = {torch.bernoulli, torch.Tensor.bernoulli, torch.Tensor.bernoulli_}
UNIFORM = {torch.rand, torch.rand_like}
ADDING = {torch.add, torch.Tensor.add, torch.Tensor.add_}
ROUNDING = {torch.floor, torch.floor_, torch.Tensor.floor, torch.Tensor.floor_}


class Noise:
    """The uniform numbers that a network has drawn, and what it has added to each."""

    def __init__(self) -> None:
        self.drawn: list[tuple[torch.Tensor, float]] = []

    def chance(self, call: Any, args: Any, kwargs: Any, out: Any) -> float | None:
        """Of a 1 in the mask that a call gives; None if it gives none.

        Raises ValueError if that differs from place to place, or for another use of noise.
        """
        if call in BERNOULLI:
            return _chance(call, args, kwargs)
        if call in UNIFORM:
            self.drawn.append((out, 0.0))
        given = [*args, *kwargs.values()]
        used = [each for each in self.drawn if any(value is each[0] for value in given)]
        if not used or not isinstance(out, torch.Tensor):
            return None
        numbers, added = used[0]
        self.drawn = [each for each in self.drawn if each[0] is not out]
        if call in ROUNDING:
            return added
        others = [value for value in given if value is not numbers]
        if call not in ADDING or len(others) != 1 or not isinstance(others[0], int | float):
            raise ValueError(f"calls {call.__name__} of uniform noise")
        self.drawn.append((out, added + others[0]))
        return None


def _chance(call: Any, args: Any, kwargs: Any) -> float:
    default = 0.5 if call == torch.Tensor.bernoulli_ else args[0]
    given = torch.as_tensor(kwargs.get("p", args[1] if len(args) > 1 else default))
    if given.min() != given.max():
        raise ValueError(f"calls {call.__name__} with several probabilities")
    return float(given.flatten()[0])

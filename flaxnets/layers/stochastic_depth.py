"""Dropout of whole examples."""

import jax

from flaxnets.layers.masks import Dropping


class StochasticDepth(Dropping):
    """``torchvision.ops.StochasticDepth``, and timm's ``DropPath``: drops whole examples.

    What these modules, of no ``torch.nn``, are given, (N, ...) of a floating dtype, is one branch
    of a sum. A mask a call is drawn, recorded and replayed as in ``Dropout``, shaped (N, 1, ...),
    or (1, 1, ...).

    Attributes:
        p: the probability of an example, or of the batch, to be zeroed; timm's ``drop_prob``.
        mode: "row" if an example goes by itself, as timm has it, or "batch" if all go together.
        scale_by_keep: whether what is kept is scaled by 1/(1 - p); timm's. torchvision always does.

    Raises:
        ValueError: when made, if ``p`` is not in [0, 1], or for another ``mode``; when called, as
            ``Dropout`` does.
        flax.errors.InvalidRngError: if a mask is to be drawn and there is no ``dropout`` key.
    """

    p: float
    mode: str = "row"
    scale_by_keep: bool = True

    def __post_init__(self) -> None:
        if self.mode not in ("row", "batch"):
            raise ValueError(f'StochasticDepth: mode must be "row" or "batch", got {self.mode!r}')
        super().__post_init__()

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the mask for an input of this shape."""
        return (shape[0] if self.mode == "row" else 1, *(1 for _ in shape[1:]))

    def dropped(self, x: jax.Array, keep: jax.Array) -> jax.Array:
        """The input, where ``keep``, of its dtype, is 1 or 0."""
        return super().dropped(x, keep) if self.scale_by_keep else x * keep

    def extra_repr(self) -> str:
        return f"p={self.p}, mode={self.mode}" + ", scale_by_keep=False" * (not self.scale_by_keep)

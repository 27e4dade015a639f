"""Layers of a transformer in a row."""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax

from flaxnets.layers.base import Module


class TransformerEncoder(Module):
    """``torch.nn.TransformerEncoder``: layers in a row, which begin as copies of one.

    It is called with ``src``, ``mask``, ``src_key_padding_mask`` and ``is_causal``, of the shapes
    and dtypes that ``TransformerEncoderLayer`` takes, as (N, T, d_model), and returns the same.
    torch looks whether ``mask`` is causal if ``is_causal`` is None: it makes no difference here.

    It is torch's with gradients switched on. Without them, in evaluation, torch's fast path (see
    ``enable_nested_tensor``) has zeros before ``norm`` where ``src_key_padding_mask`` is True.

    Attributes:
        encoder_layer: a ``TransformerEncoderLayer``, or another linen module that is called with
            ``src_mask``, ``src_key_padding_mask`` and ``is_causal`` by name. All layers begin with
            the same parameters, as torch's copies do.
        num_layers: how many there are.
        norm: a layer behind the last one, or None.
        enable_nested_tensor, mask_check: of torch's fast path; they mean nothing here.

    Raises:
        ValueError: when made, for fewer than one layer; and what its layers raise, when called.
    """

    encoder_layer: nn.Module
    num_layers: int
    norm: nn.Module | None = None
    enable_nested_tensor: bool = True
    mask_check: bool = True

    def __post_init__(self) -> None:
        _check_number(self.num_layers)
        super().__post_init__()

    def attributes(self) -> dict[str, Any]:
        """The layers, without that of which they are copies."""
        return _layers_and_norm(self)

    def setup(self) -> None:
        self.layers = _copies(self.encoder_layer, self.num_layers)
        _begin_equal(self.layers)

    def __call__(
        self,
        src: jax.Array,
        mask: jax.Array | None = None,
        src_key_padding_mask: jax.Array | None = None,
        is_causal: bool | None = None,
        train: bool = False,
    ) -> jax.Array:
        masks = {"src_mask": mask, "src_key_padding_mask": src_key_padding_mask}
        for layer in self.layers:
            src = layer(src, is_causal=bool(is_causal), **masks)
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """``torch.nn.TransformerDecoder``: layers in a row, which begin as copies of one.

    It is called with ``tgt``, ``memory`` and further arguments, of the shapes and dtypes that
    ``TransformerDecoderLayer`` takes, as (T, N, d_model), and returns what ``tgt`` is shaped as.

    Attributes:
        decoder_layer: a ``TransformerDecoderLayer``, or another linen module that is called with
            the same arguments by name. All layers begin with the same parameters.
        num_layers: how many there are.
        norm: a layer behind the last one, or None.

    Raises:
        ValueError: when made, for fewer than one layer; and what its layers raise, when called.
    """

    decoder_layer: nn.Module
    num_layers: int
    norm: nn.Module | None = None

    def __post_init__(self) -> None:
        _check_number(self.num_layers)
        super().__post_init__()

    def attributes(self) -> dict[str, Any]:
        """The layers, without that of which they are copies."""
        return _layers_and_norm(self)

    def setup(self) -> None:
        self.layers = _copies(self.decoder_layer, self.num_layers)
        _begin_equal(self.layers)

    def __call__(
        self,
        tgt: jax.Array,
        memory: jax.Array,
        tgt_mask: jax.Array | None = None,
        memory_mask: jax.Array | None = None,
        tgt_key_padding_mask: jax.Array | None = None,
        memory_key_padding_mask: jax.Array | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
        train: bool = False,
    ) -> jax.Array:
        for layer in self.layers:
            tgt = layer(
                tgt,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=bool(tgt_is_causal),
                memory_is_causal=memory_is_causal,
            )
        return tgt if self.norm is None else self.norm(tgt)


def _copies(layer: nn.Module, n: int) -> list[nn.Module]:
    return [layer.copy(name=None) for _ in range(n)]


def _begin_equal(layers: Sequence[nn.Module]) -> None:
    """Their parameters are drawn with the same key, as torch copies one layer."""
    first, *others = [layer.scope for layer in layers if layer.scope is not None]
    for scope in others:
        if "params" in first.rngs:
            scope.rngs["params"] = first.rngs["params"]


def _layers_and_norm(module: Any) -> dict[str, Any]:
    norm = {} if module.norm is None else {"norm": module.norm}
    return {"layers": module.layers, **norm}


def _check_number(num_layers: int) -> None:
    if num_layers < 1:
        raise ValueError(f"num_layers must be 1 at least, got {num_layers}")

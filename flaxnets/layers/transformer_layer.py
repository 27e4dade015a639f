"""One layer of a transformer: attention and two linear layers, each beside a skip and a norm."""

from collections.abc import Callable
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from flaxnets.layers.activation import gelu
from flaxnets.layers.attention_inputs import check_heads
from flaxnets.layers.base import Module
from flaxnets.layers.dropout import Dropout
from flaxnets.layers.layer_norm import LayerNorm
from flaxnets.layers.linear import Linear
from flaxnets.layers.multihead_attention import MultiheadAttention

Function = Callable[[jax.Array], jax.Array]
ACTIVATIONS: dict[str, Function] = {"relu": nn.relu, "gelu": gelu}


class TransformerLayer(Module):
    """What encoder and decoder layers have in common."""

    order: ClassVar[tuple[str, ...]]  # torch's, of what setup makes
    d_model: int
    nhead: int
    dim_feedforward: int = 2048
    dropout: float = 0.1
    activation: str | Function = nn.relu
    layer_norm_eps: float = 1e-5
    batch_first: bool = False
    norm_first: bool = False
    use_bias: bool = True
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32

    def __post_init__(self) -> None:
        check_heads(self.d_model, self.nhead, "d_model and nhead")
        if not 0 <= self.dropout <= 1:
            raise ValueError(f"dropout probability must be between 0 and 1, got {self.dropout}")
        if isinstance(self.activation, str) and self.activation not in ACTIVATIONS:
            names = " or ".join(ACTIVATIONS)
            raise ValueError(f"activation must be {names}, or a function, got {self.activation}")
        super().__post_init__()

    def attributes(self) -> dict[str, Any]:
        """In torch's order. Its ``dropout`` has the name of a field here, and goes by another."""
        found = {name.removesuffix("_"): getattr(self, name) for name in self.order}
        is_module = isinstance(self.activation, nn.Module)
        return {**found, "activation": self.activation} if is_module else found

    def setup(self) -> None:
        kinds: dict[str, Any] = {"use_bias": self.use_bias, **self._dtypes()}
        self.self_attn = self._attention()
        self.linear1 = Linear(self.d_model, self.dim_feedforward, **kinds)
        self.dropout_ = Dropout(self.dropout)
        self.linear2 = Linear(self.dim_feedforward, self.d_model, **kinds)
        self.norm1, self.norm2 = self._norm(), self._norm()
        self.dropout1, self.dropout2 = Dropout(self.dropout), Dropout(self.dropout)

    def _dtypes(self) -> dict[str, Any]:
        return {"dtype": self.dtype, "param_dtype": self.param_dtype}

    def _norm(self) -> LayerNorm:
        kinds = self._dtypes()
        return LayerNorm(self.d_model, self.layer_norm_eps, use_bias=self.use_bias, **kinds)

    def _attention(self) -> MultiheadAttention:
        return MultiheadAttention(
            self.d_model,
            self.nhead,
            self.dropout,
            self.use_bias,
            batch_first=self.batch_first,
            **self._dtypes(),
        )

    def _feed_forward(self, x: jax.Array) -> jax.Array:
        given = self.activation
        function = ACTIVATIONS[given] if isinstance(given, str) else given
        return self.linear2(self.dropout_(function(self.linear1(x))))

    def _beside(self, x: jax.Array, norm: LayerNorm, function: Function) -> jax.Array:
        """The sum of what is given and what a function makes of it, normalised."""
        made = function(norm(x) if self.norm_first else x)
        total = x.astype(made.dtype) + made
        return total if self.norm_first else norm(total)


def read(
    attention: MultiheadAttention,
    x: jax.Array,
    memory: jax.Array,
    padding: jax.Array | None,
    mask: jax.Array | None,
    is_causal: bool,
) -> jax.Array:
    """What a sequence reads from another, or from itself."""
    return attention(x, memory, memory, padding, False, mask, is_causal=is_causal)[0]


class TransformerEncoderLayer(TransformerLayer):
    """``torch.nn.TransformerEncoderLayer``: a sequence reads itself.

    It is called with ``src`` (T, N, d_model), or (N, T, d_model) if ``batch_first``, or (T,
    d_model), and with ``src_mask`` (T, T) or (N nhead, T, T), ``src_key_padding_mask`` (N, T) and
    ``is_causal``, as ``MultiheadAttention`` takes them: of masks True is what is not read. It
    returns the shape of ``src``, in the dtype of the computation.

    It is torch's with gradients switched on. Without them, in evaluation, torch's fast path takes a
    floating ``src_mask`` for a bool one, and gives NaN where nothing may be read.

    Attributes:
        d_model: the size of the last axis.
        nhead: how many heads the attention has.
        dim_feedforward: the size between the two linear layers.
        dropout: the probability of an element to be zeroed, in each of four places.
        activation: between the linear layers: "relu", "gelu", a function or a linen module.
        layer_norm_eps: that of both norms.
        batch_first: whether the batch is the first axis, not the second.
        norm_first: whether norms stand before the attention and the linear layers, not behind the
            sums.
        use_bias: whether the linear layers, the norms and the attention have biases.
        dtype: the dtype of the computation and of the output. By default that of the input and
            the parameters together, float32 at least.
        param_dtype: the dtype that parameters are created in, a floating one.

    Raises:
        ValueError: when made, if ``nhead`` does not divide ``d_model``, for a ``dropout`` that is
            not in [0, 1], or for another name of an activation; when called, as
            ``MultiheadAttention`` does.
    """

    order = (
        *("self_attn", "linear1", "dropout_", "linear2"),
        *("norm1", "norm2", "dropout1", "dropout2"),
    )

    def __call__(
        self,
        src: jax.Array,
        src_mask: jax.Array | None = None,
        src_key_padding_mask: jax.Array | None = None,
        is_causal: bool = False,
        train: bool = False,
    ) -> jax.Array:
        def attended(x: jax.Array) -> jax.Array:
            masks = (src_key_padding_mask, src_mask, is_causal)
            return self.dropout1(read(self.self_attn, x, x, *masks))

        x = self._beside(src, self.norm1, attended)
        return self._beside(x, self.norm2, lambda x: self.dropout2(self._feed_forward(x)))


class TransformerDecoderLayer(TransformerLayer):
    """``torch.nn.TransformerDecoderLayer``: a sequence reads itself, then another.

    It is called with ``tgt`` (T, N, d_model) and ``memory`` (S, N, d_model), or the batch first if
    ``batch_first``, or without it, and with ``tgt_mask`` (T, T), ``memory_mask`` (T, S),
    ``tgt_key_padding_mask`` (N, T), ``memory_key_padding_mask`` (N, S), ``tgt_is_causal`` and
    ``memory_is_causal``, as ``MultiheadAttention`` takes them: of masks True is what is not read.
    It returns the shape of ``tgt``, in the dtype of the computation.

    Attributes:
        d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
        norm_first, use_bias, dtype, param_dtype: as in ``TransformerEncoderLayer``.

    Raises: as ``TransformerEncoderLayer`` does.
    """

    order = (
        *("self_attn", "multihead_attn", "linear1", "dropout_", "linear2"),
        *("norm1", "norm2", "norm3", "dropout1", "dropout2", "dropout3"),
    )

    def setup(self) -> None:
        super().setup()
        self.multihead_attn, self.norm3 = self._attention(), self._norm()
        self.dropout3 = Dropout(self.dropout)

    def __call__(
        self,
        tgt: jax.Array,
        memory: jax.Array,
        tgt_mask: jax.Array | None = None,
        memory_mask: jax.Array | None = None,
        tgt_key_padding_mask: jax.Array | None = None,
        memory_key_padding_mask: jax.Array | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
        train: bool = False,
    ) -> jax.Array:
        def of_itself(x: jax.Array) -> jax.Array:
            masks = (tgt_key_padding_mask, tgt_mask, tgt_is_causal)
            return self.dropout1(read(self.self_attn, x, x, *masks))

        def of_memory(x: jax.Array) -> jax.Array:
            masks = (memory_key_padding_mask, memory_mask, memory_is_causal)
            return self.dropout2(read(self.multihead_attn, x, memory, *masks))

        x = self._beside(tgt, self.norm1, of_itself)
        x = self._beside(x, self.norm2, of_memory)
        return self._beside(x, self.norm3, lambda x: self.dropout3(self._feed_forward(x)))

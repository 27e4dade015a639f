"""Attention and transformers, with masks of every kind."""

import jax.numpy as jnp
import numpy as np
import torch
from hypothesis import strategies as st

from draws.draw import Draw, Each, Layer, Wrong
from flaxnets import layers

sizes = st.integers(1, 4)
KINDS = st.sampled_from([None, "bool", "float"])


def sequence(n, length, size, batch_first, rng):
    """(N, L, E), or (L, N, E)."""
    return rng.normal(size=(n, length, size) if batch_first else (length, n, size))


def mask(kind, shape, rng):
    """True, or minus infinity, in a third of its places; a query may be left without a key."""
    if kind is None:
        return None
    if kind == "causal":
        return ~np.tri(*shape[-2:], dtype=bool)
    hidden = rng.random(shape) < 0.3
    return hidden if kind == "bool" else np.where(hidden, -np.inf, rng.normal(size=shape))


def attn_mask(kind, of_each, n, heads, shape, rng):
    """(T, S), or one each of an example and a head."""
    return mask(kind, (n * heads, *shape) if of_each and kind != "causal" else shape, rng)


@st.composite
def heads(draw):
    """The number of heads, and a size that it divides."""
    number = draw(st.integers(1, 3))
    return number, number * draw(st.integers(1, 3))


probabilities = st.sampled_from([0.0, 0.3, 1.0])


@st.composite
def multihead_attention(draw):
    """Every option, and every argument of a call."""
    number, size = draw(heads())
    arguments = {"embed_dim": size, "num_heads": number}
    for name in ("bias", "add_bias_kv", "add_zero_attn", "batch_first"):
        arguments[name] = draw(st.booleans())
    arguments["dropout"] = draw(probabilities)
    for name in ("kdim", "vdim"):
        arguments[name] = draw(st.sampled_from([None, 1, 3, size]))
    t, s = draw(sizes), draw(sizes)
    if draw(st.integers(0, 9)) == 0:
        return unbatched(arguments, t, s, draw(st.booleans()))
    call = {name: draw(st.booleans()) for name in ("need_weights", "of_each", "average")}
    call["masks"] = draw(KINDS), draw(st.sampled_from([None, "bool", "float", "causal"]))
    call["is_causal"] = call["masks"][1] == "causal" and draw(st.booleans())
    return _attention(arguments, t, s, **call)


def _attention(
    arguments,
    t,
    s,
    masks=(None, None),
    need_weights=True,
    of_each=False,
    average=True,
    is_causal=False,
):
    size, number = arguments["embed_dim"], arguments["num_heads"]
    first = arguments.get("batch_first", False)
    kdim, vdim = (arguments.get(name) or size for name in ("kdim", "vdim"))

    def inputs(n, rng):
        query = sequence(n, t, size, first, rng)
        key, value = (sequence(n, s, each, first, rng) for each in (kdim, vdim))
        padding = mask(masks[0], (n, s), rng)
        hidden = attn_mask(masks[1], of_each, n, number, (t, s), rng)
        return query, key, value, padding, need_weights, hidden, average, is_causal

    return Draw(arguments, inputs, maps=False)


def unbatched(arguments, t, s, need_weights):
    """(T, E), and masks without examples."""
    size, number = arguments["embed_dim"], arguments["num_heads"]
    of_each = [(t, size), (s, arguments["kdim"] or size), (s, arguments["vdim"] or size)]

    def inputs(n, rng):
        q, k, v = (rng.normal(size=shape) for shape in of_each)
        masks = mask("bool", (s,), rng), mask("float", (number, t, s), rng)
        return q, k, v, masks[0], need_weights, masks[1]

    return Draw(arguments, inputs, maps=False)


@st.composite
def options(draw):
    """Of an encoder's or decoder's layer."""
    number, size = draw(heads())
    arguments = {"d_model": size, "nhead": number}
    arguments["dim_feedforward"] = draw(st.integers(1, 6))
    arguments["dropout"] = draw(probabilities)
    arguments["activation"] = draw(st.sampled_from(["relu", "gelu", TANH, MODULE]))
    arguments["layer_norm_eps"] = draw(st.sampled_from([1e-5, 1e-2]))
    for name in ("batch_first", "norm_first", "bias"):
        arguments[name] = draw(st.booleans())
    return arguments


TANH = Each(lambda: jnp.tanh, lambda: torch.tanh)
MODULE = Each(lambda: layers.ReLU(), lambda: torch.nn.ReLU())


@st.composite
def encoder_layer(draw, hints=(False, True)):
    """Masks of a sequence that reads itself."""
    arguments, t, call = draw(options()), draw(sizes), {}
    call["masks"] = draw(KINDS), draw(st.sampled_from([None, "bool", "float", "causal"]))
    call["of_each"] = draw(st.booleans())
    is_causal = call["masks"][1] == "causal"
    call["is_causal"] = draw(st.sampled_from(hints)) if is_causal else hints[0]
    return _encoder(arguments, t, **call)


def _encoder(arguments, t, masks=(None, None), of_each=False, is_causal=False):
    size, number = arguments["d_model"], arguments["nhead"]

    def inputs(n, rng):
        source = sequence(n, t, size, arguments.get("batch_first", False), rng)
        hidden = attn_mask(masks[1], of_each, n, number, (t, t), rng)
        return source, hidden, mask(masks[0], (n, t), rng), is_causal

    return Draw(arguments, inputs, maps=False)


@st.composite
def decoder_layer(draw, hints=(False, True)):
    """Masks of a sequence that reads itself, and another."""
    arguments, t, s = draw(options()), draw(sizes), draw(sizes)
    kinds = [draw(KINDS) for _ in range(3)]
    causal = [draw(st.sampled_from(hints)), draw(st.booleans())] if draw(st.booleans()) else None
    return _decoder(arguments, t, s, kinds, draw(KINDS), draw(st.booleans()), causal)


def _decoder(arguments, t, s, kinds=(None, None, None), tgt="causal", of_each=False, causal=None):
    size, number = arguments["d_model"], arguments["nhead"]
    first = arguments.get("batch_first", False)

    def inputs(n, rng):
        target, memory = (sequence(n, length, size, first, rng) for length in (t, s))
        one, two = ("causal", "causal") if causal else (tgt, kinds[0])
        hidden = [
            attn_mask(kind, of_each, n, number, (t, length), rng)
            for kind, length in ((one, t), (two, s))
        ]
        padding = [mask(kind, (n, m), rng) for kind, m in zip(kinds[1:], (t, s), strict=True)]
        return target, memory, *hidden, *padding, *(causal or ())

    return Draw(arguments, inputs, maps=False)


@st.composite
def stack(draw, layer, name):
    """Layers in a row, with a norm behind them or without."""
    inner = draw(layer)
    return _stack(name, inner, draw(st.integers(1, 2)), draw(st.booleans()), draw)


def _stack(name, inner, number, has_norm, draw=None):
    kind = "TransformerEncoderLayer" if name == "encoder_layer" else "TransformerDecoderLayer"
    size = inner.arguments["d_model"]
    arguments = {
        name: Each(
            lambda: LAYERS[kind].ours(kind, inner.arguments),
            lambda: LAYERS[kind].made_in_torch(kind, inner.arguments),
        ),
        "num_layers": number,
    }
    if has_norm:
        arguments["norm"] = Each(lambda: layers.LayerNorm(size), lambda: torch.nn.LayerNorm(size))
    if name == "encoder_layer" and draw:
        for option in ("enable_nested_tensor", "mask_check"):
            arguments[option] = draw(st.booleans())
    return inner._replace(arguments=arguments)


HEADS = {"embed_dim": 4, "num_heads": 2}
LAYER = {"d_model": 4, "nhead": 2, "dim_feedforward": 6}
HIDING_ALL = {"masks": ("bool", "bool"), "of_each": True}  # some queries read nothing
ENCODER = _encoder({**LAYER, "batch_first": True}, 3, ("bool", "float"))
DECODER = _decoder({**LAYER, "norm_first": True, "activation": "gelu"}, 3, 2)


def wrong_call(change):
    """Inputs that fit ``HEADS``, but for a change."""

    def inputs(n, rng):
        given = dict(zip("qkv", _attention(HEADS, 3, 2).inputs(n, rng)[:3], strict=True))
        given |= {"padding": None, "need_weights": False, "mask": None} | change(n, rng)
        return tuple(given.values())

    return inputs


LAYERS = {
    "MultiheadAttention": Layer(
        multihead_attention(),
        [
            _attention({**HEADS, "add_bias_kv": True, "dropout": 0.3}, 3, 3, **HIDING_ALL),
            _attention({**HEADS, "dropout": 0.3}, 3, 2, need_weights=False, **HIDING_ALL),
        ],
        wrong=[
            Wrong({"embed_dim": 5, "num_heads": 2}),
            Wrong({"embed_dim": 4, "num_heads": 0}),
            Wrong(HEADS, wrong_call(lambda n, rng: {"q": rng.normal(size=(3, n, 5))}), "query"),
            Wrong(HEADS, wrong_call(lambda n, rng: {"v": rng.normal(size=(3, n, 4))}), "value"),
            Wrong(HEADS, wrong_call(lambda n, rng: {"mask": np.zeros((2, 3))}), "attn_mask"),
            Wrong(HEADS, wrong_call(lambda n, rng: {"mask": np.zeros((3, 2), int)}), "attn_mask"),
            Wrong(HEADS, wrong_call(lambda n, rng: {"padding": np.zeros((n, 3))}), "padding"),
            Wrong(HEADS, wrong_call(lambda n, rng: {"average": True, "causal": True}), "causal"),
        ],
    ),
    "TransformerEncoderLayer": Layer(
        encoder_layer(),
        [_encoder({**LAYER, "dropout": 0.3}, 3, is_causal=True, masks=(None, "causal"))],
        wrong=[
            Wrong({"d_model": 4, "nhead": 3}),
            Wrong({**LAYER, "activation": "tanh"}),
            Wrong({**LAYER, "dropout": 1.5}),
        ],
    ),
    "TransformerEncoder": Layer(
        stack(encoder_layer((None, False, True)), "encoder_layer"),
        [_stack("encoder_layer", ENCODER, 1, True)],
    ),
    "TransformerDecoderLayer": Layer(
        decoder_layer(), [_decoder({**LAYER, "dropout": 0.3}, 3, 2, ("bool", None, "bool"))]
    ),
    "TransformerDecoder": Layer(
        stack(decoder_layer((None, False, True)), "decoder_layer"),
        [_stack("decoder_layer", DECODER, 1, True)],
    ),
}

"""Networks of attention beside torch's: a ViT, and attention that is written by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from flaxnets import interop, layers
from flaxnets.parity.masks import mask_places, replayed
from flaxnets.parity.recording import record_masks

SIZE, HEADS, P = 8, 2, 0.3
CLOSE = {"rtol": 1e-12, "atol": 1e-12}  # float64 sums of a few hundred terms of order one
VECTORS = np.random.default_rng(0).normal(size=(3, 5, SIZE))


class TorchViT(torch.nn.Module):
    """Patches of four rows of images 8 x 8, a class token, places, an encoder, a head."""

    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Conv2d(3, SIZE, 4, stride=4)
        self.token = torch.nn.Parameter(torch.randn(1, 1, SIZE))
        self.places = torch.nn.Parameter(torch.randn(1, 5, SIZE))
        layer = torch.nn.TransformerEncoderLayer(
            SIZE, HEADS, 12, P, "gelu", batch_first=True, norm_first=True
        )
        self.encoder = torch.nn.TransformerEncoder(layer, 1, torch.nn.LayerNorm(SIZE))
        self.head = torch.nn.Linear(SIZE, 4)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.places
        return self.head(self.encoder(x)[:, 0])


class ViT(layers.Module):
    """The same."""

    def setup(self):
        self.embed = layers.Conv2d(3, SIZE, 4, stride=4)
        self.token = self.param("token", jax.random.normal, (1, 1, SIZE))
        self.places = self.param("places", jax.random.normal, (1, 5, SIZE))
        layer = layers.TransformerEncoderLayer(
            SIZE, HEADS, 12, P, "gelu", batch_first=True, norm_first=True
        )
        self.encoder = layers.TransformerEncoder(layer, 1, layers.LayerNorm(SIZE))
        self.head = layers.Linear(SIZE, 4)

    def __call__(self, x, train=False):
        x = self.embed(x)
        x = x.reshape(x.shape[0], -1, SIZE)
        token = jnp.broadcast_to(self.token.astype(x.dtype), (x.shape[0], 1, SIZE))
        x = jnp.concatenate([token, x], axis=1) + self.places
        return self.head(self.encoder(x)[:, 0])


class TorchBlock(torch.nn.Module):
    """Causal attention as many write it: by a softmax, or by torch's function."""

    def __init__(self, fused):
        super().__init__()
        self.fused = fused
        self.qkv = torch.nn.Linear(SIZE, 3 * SIZE)
        self.attn_drop = torch.nn.Dropout(P)
        self.proj = torch.nn.Linear(SIZE, SIZE)

    def forward(self, x):
        n, t, _ = x.shape
        q, k, v = self.qkv(x).view(n, t, 3, HEADS, SIZE // HEADS).permute(2, 0, 3, 1, 4)
        if self.fused:
            p = self.attn_drop.p if self.training else 0.0
            x = F.scaled_dot_product_attention(q, k, v, dropout_p=p, is_causal=True)
        else:
            scores = q @ k.transpose(-2, -1) / (SIZE // HEADS) ** 0.5
            hidden = torch.ones(t, t, dtype=torch.bool).triu(1)
            weights = scores.masked_fill(hidden, float("-inf")).softmax(-1)
            x = self.attn_drop(weights) @ v
        return self.proj(x.transpose(1, 2).reshape(n, t, SIZE))


class Block(layers.Module):
    """The same."""

    fused: bool

    def setup(self):
        self.qkv = layers.Linear(SIZE, 3 * SIZE)
        self.attn_drop = layers.Dropout(P)
        self.proj = layers.Linear(SIZE, SIZE)

    def __call__(self, x, train=False):
        n, t, _ = x.shape
        parts = self.qkv(x).reshape(n, t, 3, HEADS, SIZE // HEADS).transpose(2, 0, 3, 1, 4)
        q, k, v = parts
        if self.fused:
            x = layers.scaled_dot_product_attention(q, k, v, is_causal=True, dropout=self.attn_drop)
        else:
            scores = q @ k.swapaxes(-2, -1) / (SIZE // HEADS) ** 0.5
            scores = jnp.where(jnp.tri(t, dtype=bool), scores, -jnp.inf)
            x = self.attn_drop(jax.nn.softmax(scores)) @ v
        return self.proj(x.swapaxes(1, 2).reshape(n, t, SIZE))


PAIRS = {
    "vit": (ViT(), TorchViT, np.random.default_rng(0).normal(size=(3, 3, 8, 8))),
    "softmax": (Block(False), lambda: TorchBlock(False), VECTORS),
    "fused": (Block(True), lambda: TorchBlock(True), VECTORS),
}


@pytest.mark.parametrize(
    ("name", "train"), [("vit", False), ("vit", True), ("softmax", True), ("fused", True)]
)
def test_a_network_of_attention_is_torchs_with_its_masks_replayed(name, train):
    ours, make, inputs = PAIRS[name]
    torch.manual_seed(0)
    theirs = make().double().train(train)
    outputs, drawn = record_masks(theirs, lambda: theirs(torch.tensor(inputs)))
    (outputs**2).sum().backward()
    given = np.moveaxis(inputs, 1, -1) if inputs.ndim == 4 else inputs
    with jax.enable_x64(True):
        state = theirs.state_dict()
        variables = interop.from_torch(ours, state)
        masks = {"masks": replayed(drawn, mask_places(ours, variables, given))} if train else {}

        @jax.jit
        def objective(params):
            out = ours.apply({"params": params, **masks}, given, train=train)
            return jnp.sum(out**2), out

        slopes, found = jax.grad(objective, has_aux=True)(variables["params"])
        back, slopes = interop.to_torch(ours, variables), interop.to_torch(ours, {"params": slopes})
    assert bool(drawn) == train
    assert list(back) == list(state)
    assert all(np.array_equal(back[key], state[key].numpy()) for key in state)
    np.testing.assert_allclose(found, outputs.detach(), **CLOSE)
    for key, parameter in theirs.named_parameters():
        scale = max(1, np.abs(parameter.grad.numpy()).max())
        np.testing.assert_allclose(slopes[key] / scale, parameter.grad / scale, **CLOSE)


def test_layers_of_an_encoder_begin_equal_and_those_of_another_key_differ():
    net = layers.TransformerEncoder(layers.TransformerEncoderLayer(4, 2, 6), 2)
    init = jax.jit(lambda key: net.init(key, jnp.ones((3, 1, 4)))["params"])
    one, other = init(jax.random.key(0)), init(jax.random.key(1))
    assert jax.tree.all(jax.tree.map(jnp.array_equal, one["layers_0"], one["layers_1"]))
    kernels = (params["layers_1"]["linear1"]["kernel"] for params in (one, other))
    assert not jnp.array_equal(*kernels)


@pytest.mark.parametrize("dtype", ["bool", "float32"])
@pytest.mark.parametrize("shape", [(5, 4), (2, 1, 5, 4)])
def test_scaled_dot_product_attention_is_torchs_and_zero_where_nothing_is_read(shape, dtype):
    rng = np.random.default_rng(0)
    q, k, v = (rng.normal(size=(2, 3, n, 6)) for n in (5, 4, 4))
    mask = rng.random(shape) < 0.7
    mask[..., 1, :] = False
    mask = mask if dtype == "bool" else np.where(mask, 0.5, -np.inf).astype(dtype)
    tensors = [torch.tensor(x, requires_grad=True) for x in (q, k, v)]
    theirs = F.scaled_dot_product_attention(*tensors, torch.tensor(mask), scale=0.7)
    (theirs**2).sum().backward()
    with jax.enable_x64(True), jax.debug_nans(True):

        def objective(q, k, v):
            out = layers.scaled_dot_product_attention(q, k, v, mask, scale=0.7)
            return jnp.sum(out**2), out

        slopes, ours = jax.grad(objective, (0, 1, 2), has_aux=True)(q, k, v)
    assert not ours[:, :, 1].any()
    np.testing.assert_allclose(ours, theirs.detach(), **CLOSE)
    for slope, tensor in zip(slopes, tensors, strict=True):
        np.testing.assert_allclose(slope, tensor.grad, **CLOSE)


def test_a_mask_that_is_learnt_has_torchs_gradient():
    """As a bias of relative places. It is the sum over what it is broadcast to."""
    bias, x = np.random.default_rng(1).normal(size=(5, 5)), VECTORS[:, None]
    theirs = torch.tensor(bias, requires_grad=True)
    given = torch.tensor(x)
    (F.scaled_dot_product_attention(given, given, given, theirs) ** 2).sum().backward()
    with jax.enable_x64(True):
        attention = layers.scaled_dot_product_attention
        ours = jax.grad(lambda bias: jnp.sum(attention(x, x, x, bias) ** 2))(bias)
    np.testing.assert_allclose(ours, theirs.grad, **CLOSE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dropout_p": 0.1}, "dropout=self.dropout"),
        ({"enable_gqa": True}, "enable_gqa"),
        ({"attn_mask": jnp.ones((5, 5)), "is_causal": True}, "attn_mask"),
        ({"attn_mask": jnp.ones((5, 5), int)}, "int"),
        ({"attn_mask": jnp.ones((5, 4))}, r"broadcast to \(3, 5, 5\)"),
        ({"key": jnp.ones((3, 5, 7))}, "key"),
        ({"key": jnp.ones((3, 5, 8), jnp.bfloat16)}, "bfloat16"),
    ],
)
def test_what_scaled_dot_product_attention_refuses(options, message):
    x = jnp.ones((3, 5, 8))
    with pytest.raises(ValueError, match=message):
        layers.scaled_dot_product_attention(**{"query": x, "key": x, "value": x, **options})


def test_other_orders_of_flattened_features_are_not_baked_into_attention():
    with pytest.raises(ValueError, match="flattened_from"):
        layers.MultiheadAttention(8, 2, flattened_from=(2, 2, 2))


def test_attention_takes_a_symbolic_batch_size_and_no_promotion_of_ranks_or_dtypes():
    layer = layers.TransformerEncoderLayer(SIZE, HEADS, 12, batch_first=True)
    variables = layer.init(jax.random.key(0), jnp.ones((2, 5, SIZE)))
    (n,) = jax.export.symbolic_shape("n")
    x = jax.ShapeDtypeStruct((n, 5, SIZE), jnp.float32)
    padding = jax.ShapeDtypeStruct((n, 5), bool)
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        call = jax.jit(lambda x, p: layer.apply(variables, x, jnp.eye(5, dtype=bool), p))
        program = jax.export.export(call)(x, padding)
    x, padding = np.float32(VECTORS), np.zeros((3, 5), bool)
    np.testing.assert_allclose(program.call(x, padding), call(x, padding), atol=1e-5)


def test_attention_of_half_precision_is_computed_in_single():
    x = jnp.float16(VECTORS)
    out = layers.scaled_dot_product_attention(x, x, x)
    wide = layers.scaled_dot_product_attention(*(x.astype(jnp.float32),) * 3)
    assert out.dtype == jnp.float16
    np.testing.assert_array_equal(out, wide.astype(jnp.float16))

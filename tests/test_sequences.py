"""Networks of words and of steps through time, written by hand against torch's."""

import flax.linen as nn
import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from flaxnets import interop, layers, training
from flaxnets.parity.masks import mask_places, replayed
from flaxnets.parity.recording import record_masks

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
TOKENS = RNG.integers(0, 9, (6, 5))


class TextCNN(layers.Module):
    """Kim's: convolutions over words, the largest of each over time."""

    def setup(self):
        self.embedding = layers.Embedding(9, 4, padding_idx=0)
        self.convs = [layers.Conv2d(1, 3, (k, 4)) for k in (2, 3)]
        self.fc = layers.Linear(6, 2)

    def __call__(self, tokens):
        x = self.embedding(tokens)[..., None]
        x = [jnp.max(nn.relu(conv(x)), axis=(1, 2)) for conv in self.convs]
        return self.fc(jnp.concatenate(x, axis=1))


class TorchTextCNN(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(9, 4, padding_idx=0)
        self.convs = torch.nn.ModuleList([torch.nn.Conv2d(1, 3, (k, 4)) for k in (2, 3)])
        self.fc = torch.nn.Linear(6, 2)

    def forward(self, tokens):
        x = self.embedding(tokens)[:, None]
        x = [torch.amax(torch.relu(conv(x)), (2, 3)) for conv in self.convs]
        return self.fc(torch.cat(x, 1))


class Classifier(layers.Module):
    """A sentence by the last states of an LSTM in both directions."""

    def setup(self):
        self.embedding = layers.Embedding(9, 4)
        self.lstm = layers.LSTM(4, 3, 2, batch_first=True, dropout=0.5, bidirectional=True)
        self.fc = layers.Linear(6, 2)

    def __call__(self, tokens, train=False):
        _, (hidden, _) = self.lstm(self.embedding(tokens))
        return self.fc(jnp.concatenate([hidden[-2], hidden[-1]], axis=1))


class TorchClassifier(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(9, 4)
        self.lstm = torch.nn.LSTM(4, 3, 2, batch_first=True, dropout=0.5, bidirectional=True)
        self.fc = torch.nn.Linear(6, 2)

    def forward(self, tokens):
        _, (hidden, _) = self.lstm(self.embedding(tokens))
        return self.fc(torch.cat([hidden[-2], hidden[-1]], 1))


@pytest.mark.parametrize(
    ("ours", "theirs"), [(TextCNN(), TorchTextCNN), (Classifier(), TorchClassifier)]
)
def test_a_network_of_words_trains_as_torchs(ours, theirs):
    torch.manual_seed(0)
    net = theirs().double()
    outputs, drawn = record_masks(net, lambda: net(torch.tensor(TOKENS)))
    (outputs**2).sum().backward()
    with jax.enable_x64(True):
        variables = interop.from_torch(ours, net.state_dict())
        masks = replayed(drawn, mask_places(ours, variables, TOKENS))
        switch = {"train": True} if masks else {}

        @jax.jit
        def objective(params):
            given = {"params": params, **({"masks": masks} if masks else {})}
            return jnp.sum(ours.apply(given, TOKENS, **switch) ** 2)

        found = interop.to_torch(ours, {"params": jax.grad(objective)(variables["params"])})
    for name, parameter in net.named_parameters():  # sums of some dozens of terms
        np.testing.assert_allclose(found[name], parameter.grad, rtol=1e-12, atol=1e-12)


class Bag(layers.Module):
    """A sentence by the mean of its words."""

    def setup(self):
        self.embedding = layers.EmbeddingBag(9, 4)
        self.fc = layers.Linear(4, 2)

    def __call__(self, tokens):
        return self.fc(self.embedding(tokens))


def test_tokens_go_through_fit_as_they_are_and_bytes_are_refused():
    tokens = np.tile(TOKENS, (4, 1)).astype(np.int32)
    labels = (tokens == 3).any(axis=1).astype(np.int32)
    splits = ((tokens, labels), (tokens, labels))
    loss = optax.softmax_cross_entropy_with_integer_labels
    config = training.Config(epochs=20, batch_size=8)
    *_, last = training.fit(Bag(), splits, config, loss=loss, optimizer=optax.adam(0.1))
    assert last.metrics.test_accuracy == 1
    splits = ((tokens.astype(np.uint8), labels),) * 2
    with pytest.raises(TypeError, match=r"8-bit ones, which training\.fit and predict take for im"):
        next(training.fit(Bag(), splits, config, loss=loss))


@pytest.mark.parametrize("index", [-1, 9])
def test_an_index_that_is_no_row_is_refused_or_where_nobody_can_know_it_nan(index):
    table = layers.Embedding(9, 4)
    variables = table.init(KEY, TOKENS)
    tokens = jnp.asarray([index, 8])
    with pytest.raises(ValueError, match="has rows 0 to 8, got indices from"):
        table.apply(variables, tokens)
    rows = jax.jit(table.apply)(variables, tokens)
    assert np.isnan(rows[0]).all()
    np.testing.assert_array_equal(rows[1], variables["params"]["embedding"][8])
    for mode in ("sum", "mean", "max"):
        bag = layers.EmbeddingBag(9, 4, mode=mode)
        for inputs in ((tokens[:, None],), (tokens, jnp.asarray([0, 1]))):
            out = jax.jit(bag.apply)(variables, *inputs)
            np.testing.assert_array_equal(np.isnan(out), [[True] * 4, [False] * 4])


@pytest.mark.parametrize("offsets", [[1, 2], [0, 4], [0, 2, 1]])
def test_offsets_that_are_none_make_every_bag_nan_where_nobody_can_know_it(offsets):
    bag = layers.EmbeddingBag(9, 4)
    variables = bag.init(KEY, TOKENS)
    inputs = (jnp.asarray([1, 2, 3]), jnp.asarray(offsets))
    with pytest.raises(ValueError, match="offsets must ascend from 0 to at most 3"):
        bag.apply(variables, *inputs)
    assert np.isnan(jax.jit(bag.apply)(variables, *inputs)).all()


def test_the_padding_row_of_a_tensor_of_weights_is_read_but_not_trained():
    """torch leaves its values to whoever sets them, and stops its gradient."""
    weight = RNG.normal(size=(9, 4)).astype(np.float32)
    theirs = torch.tensor(weight, requires_grad=True)
    found = torch.nn.functional.embedding(torch.tensor(TOKENS), theirs, -9)
    (found**2).sum().backward()
    ours = layers.embedding(jnp.asarray(TOKENS), jnp.asarray(weight), -9)
    np.testing.assert_array_equal(ours, found.detach())
    slope = jax.grad(lambda w: jnp.sum(layers.embedding(TOKENS, w, -9) ** 2))(weight)
    np.testing.assert_allclose(slope, theirs.grad, rtol=1e-6)  # sums of a few terms in float32


WORDS = layers.Embedding(9, 4, padding_idx=0)
LAYERS = {
    "Embedding": (WORDS, (TOKENS,)),
    "EmbeddingBag": (layers.EmbeddingBag(9, 4, padding_idx=0), (TOKENS,)),
    "offsets": (layers.EmbeddingBag(9, 4, mode="max"), (TOKENS[0], np.array([0, 2]))),
    "LSTM": (layers.LSTM(4, 4, proj_size=3, batch_first=True), (np.ones((6, 5, 4), np.float32),)),
    "GRUCell": (layers.GRUCell(4, 3), (np.ones((6, 4), np.float32),)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_the_layers_take_the_strict_modes_of_jax(name):
    layer, inputs = LAYERS[name]
    inputs = jax.tree.map(jnp.asarray, inputs)
    strict = jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict")
    with strict[0], strict[1], jax.debug_nans(True):
        variables = layer.init(KEY, *inputs)

        def objective(variables):
            return sum(jnp.sum(out**2) for out in jax.tree.leaves(layer.apply(variables, *inputs)))

        hessian = jax.jvp(jax.grad(objective), (variables,), (variables,))[1]
        assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(hessian))
        half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), variables)
        out = jax.tree.leaves(layer.apply(half, *inputs))[0]
        assert out.dtype == jnp.float32  # what is only stored in half precision


@pytest.mark.parametrize("name", ["Embedding", "EmbeddingBag", "LSTM", "GRUCell"])
def test_the_size_of_a_batch_may_be_unknown_when_it_is_exported(name):
    layer, (x,) = LAYERS[name]
    variables = layer.init(KEY, x)
    (n,) = jax.export.symbolic_shape("n")
    shape = jax.ShapeDtypeStruct((n, *x.shape[1:]), jnp.asarray(x).dtype)
    exported = jax.export.export(jax.jit(lambda x: layer.apply(variables, x)))(shape)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6),
        exported.call(jnp.asarray(x[:4])),
        layer.apply(variables, x[:4]),
    )

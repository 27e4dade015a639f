"""Tied weights: one array, with one gradient, under both of torch's names."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from flaxnets import interop, layers
from flaxnets.parity.masks import mask_places, replayed
from flaxnets.parity.recording import record_masks

WORDS, SIZE = 7, 4
TOKENS = np.random.default_rng(0).integers(0, WORDS, (5, 3))


class RNNModel(layers.Module):
    """pytorch/examples' word_language_model, its decoder tied to its encoder."""

    def setup(self):
        self.drop = layers.Dropout(0.5)
        self.encoder = layers.Embedding(WORDS, SIZE, padding_idx=1)
        self.rnn = layers.LSTM(SIZE, SIZE, 2, dropout=0.5)
        self.decoder = layers.Linear(SIZE, WORDS, tied_to=self.encoder)

    def __call__(self, tokens, train=False):
        output, _ = self.rnn(self.drop(self.encoder(tokens)))
        return self.decoder(self.drop(output))


class TorchRNNModel(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.drop = torch.nn.Dropout(0.5)
        self.encoder = torch.nn.Embedding(WORDS, SIZE, padding_idx=1)
        self.rnn = torch.nn.LSTM(SIZE, SIZE, 2, dropout=0.5)
        self.decoder = torch.nn.Linear(SIZE, WORDS)
        self.decoder.weight = self.encoder.weight

    def forward(self, tokens):
        output, _ = self.rnn(self.drop(self.encoder(tokens)))
        return self.decoder(self.drop(output))


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return TorchRNNModel().double()


def test_one_array_has_both_names_and_is_a_parameter_once(net):
    with jax.enable_x64(True):
        variables = interop.from_torch(RNNModel(), net.state_dict())
        made = RNNModel().init(jax.random.key(0), TOKENS)
    assert list(variables["params"]["decoder"]) == ["bias"]
    assert jax.tree.map(np.shape, variables) == jax.tree.map(np.shape, made)
    back = interop.to_torch(RNNModel(), variables)
    assert list(back) == list(net.state_dict())
    np.testing.assert_array_equal(back["decoder.weight"], net.encoder.weight.detach())
    ours = [name for name, _ in interop.named_parameters(RNNModel(), variables)]
    assert ours == [name for name, _ in net.named_parameters()]
    assert repr(RNNModel()) == repr(net).removeprefix("Torch")
    apart = {**net.state_dict(), "decoder.weight": net.decoder.weight.detach() + 1}
    with pytest.raises(ValueError, match=r"decoder\.weight is not equal to encoder\.weight"):
        interop.from_torch(RNNModel(), apart)


def test_it_trains_as_torchs_does_and_goes_on_from_torchs_adam(net):
    """Three steps of Adam with torch's masks, the last two from the state of torch's Adam."""
    theirs = torch.optim.Adam(net.parameters(), lr=0.01)
    with jax.enable_x64(True):
        model, optimizer = RNNModel(), optax.adam(0.01)
        variables = interop.from_torch(model, net.state_dict())
        state = optimizer.init(variables["params"])

        @jax.jit
        def gradient(params, masks):
            def loss(params):
                return jnp.mean(model.apply({"params": params, **masks}, TOKENS, train=True) ** 2)

            return jax.grad(loss)(params)

        for step in range(3):
            theirs.zero_grad()
            outputs, drawn = record_masks(net, lambda: net(torch.tensor(TOKENS)))
            (outputs**2).mean().backward()
            masks = {"masks": replayed(drawn, mask_places(model, variables, TOKENS))}
            found = gradient(variables["params"], masks)
            slopes = interop.to_torch(model, {"params": found})
            for name, parameter in net.named_parameters():  # sums of some dozens of terms
                np.testing.assert_allclose(slopes[name], parameter.grad, rtol=1e-12, atol=1e-14)
            theirs.step()
            updates, state = optimizer.update(found, state)
            variables = {"params": optax.apply_updates(variables["params"], updates)}
            if step == 0:
                state = interop.adam_from_torch(model, theirs.state_dict())
                assert len(interop.adam_to_torch(model, state)["state"]) == 10
        back = interop.to_torch(model, variables)
    for name, tensor in net.state_dict().items():  # three steps of 0.01
        np.testing.assert_allclose(back[name], tensor, rtol=1e-9, atol=1e-11)


class Tied(layers.Module):
    """Two linear layers, of which the second has the kernel of the first."""

    first: int | None = None
    outputs: int = 6
    is_mine: bool = True
    declared: tuple[int, ...] | None = None

    def setup(self):
        self.a = layers.Linear(6, 6, flattened_from=self.declared)
        of = self.a if self.is_mine else layers.Linear(6, 6, parent=None)
        self.b = layers.Linear(6, self.outputs, use_bias=False, tied_to=of)
        self.c = layers.Linear(6, self.outputs, tied_to=self.b)

    def __call__(self, x):
        if self.first == 1:  # before there is a kernel
            x = self.b(x)
        return self.c(self.a(x))


@pytest.mark.parametrize("first", [0, 1])
def test_linear_layers_may_share_a_kernel_whichever_is_called_first(first):
    variables = Tied(first).init(jax.random.key(0), jnp.ones((2, 6)))
    assert jax.tree.map(np.shape, variables["params"]) == {
        "a": {"kernel": (6, 6), "bias": (6,)},
        "c": {"bias": (6,)},
    }
    held = {leaf.name: leaf.path for leaf in interop.leaves(Tied(first))}
    assert list(held) == ["a.weight", "a.bias", "b.weight", "c.weight", "c.bias"]
    assert {held["b.weight"], held["c.weight"]} == {("params", "a", "kernel")}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"outputs": 5}, r"is tied to .*, whose weight is \(6, 6\), not \(5, 6\)"),
        ({"is_mine": False}, "no layer of the same network: make that in setup"),
        ({"declared": (1, 2, 3)}, "only one of them says flattened_from"),
    ],
)
def test_what_would_be_another_array_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        interop.leaves(Tied(**fields))
    with pytest.raises(ValueError, match=message):
        Tied(**fields).init(jax.random.key(0), jnp.ones((2, 6)))


def test_a_tie_within_a_sequential_which_would_be_a_copy_is_refused():
    encoder = layers.Embedding(WORDS, SIZE)
    model = layers.Sequential([encoder, layers.Linear(SIZE, WORDS, tied_to=encoder)])
    with pytest.raises(ValueError, match="no layer of the same network"):
        model.init(jax.random.key(0), TOKENS)

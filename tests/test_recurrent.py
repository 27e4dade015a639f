"""Recurrent networks: torch's masks between their layers, and what they are given."""

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence

from flaxnets import interop, layers
from flaxnets.parity.masks import mask_places, replayed
from flaxnets.parity.recording import record_masks

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("batch_first", "dtype", "p"), [(True, torch.float32, 0.5), (False, torch.float64, 1)]
)
def test_the_masks_that_torch_draws_between_layers_are_those_it_uses(batch_first, dtype, p):
    options = {"dropout": p, "bidirectional": True, "batch_first": batch_first}
    torch.manual_seed(0)
    net = torch.nn.GRU(3, 4, 2, **options).to(dtype)
    ours, x = layers.GRU(3, 4, 2, **options), torch.randn(2, 5, 3, dtype=dtype)
    outputs, drawn = record_masks(net, lambda: net(x))
    shape = (5, 2, 8) if batch_first else (2, 5, 8)
    assert [each.keep.shape for each in drawn] == [shape]
    with jax.enable_x64(True):
        variables = interop.from_torch(ours, net.state_dict())
        masks = replayed(drawn, mask_places(ours, variables, x.numpy()))
        found = jax.jit(lambda v: ours.apply(v, x.numpy(), train=True))(
            {**variables, "masks": masks}
        )
    bound = 1e-12 if dtype is torch.float64 else 1e-5  # sums of a dozen terms
    np.testing.assert_allclose(found[0], outputs[0].detach(), rtol=0, atol=bound)


def test_a_packed_sequence_is_refused_with_what_to_do():
    packed = pack_padded_sequence(torch.ones(3, 2, 4), torch.tensor([3, 1]))
    for kind in (layers.RNN, layers.LSTM, layers.GRU):
        with pytest.raises(TypeError, match="takes no PackedSequence: give the sequences filled"):
            kind(4, 3).init(KEY, packed)


def test_a_sequence_of_flattened_columns_of_maps_is_read_in_torchs_order():
    """A recogniser of text in images: its steps are the columns of maps (N, H, W, C)."""
    net = torch.nn.GRU(12, 5, batch_first=True).double()
    maps = RNG.normal(size=(2, 3, 6, 4))
    theirs, _ = net(torch.tensor(maps).permute(0, 2, 3, 1).reshape(2, 6, 12))

    class Columns(layers.Module):
        declared: tuple[int, ...] | None = (3, 4)

        def setup(self):
            self.gru = layers.GRU(12, 5, batch_first=True, flattened_from=self.declared)

        def __call__(self, maps):
            return self.gru(maps.transpose(0, 2, 1, 3).reshape(2, 6, 12))[0]

    state = {f"gru.{name}": tensor for name, tensor in net.state_dict().items()}
    with jax.enable_x64(True):
        variables = interop.from_torch(Columns(), state)
        np.testing.assert_allclose(Columns().apply(variables, maps), theirs.detach(), atol=1e-12)
        with pytest.raises(ValueError, match=r"gru reads .*flattened"):
            Columns(None).apply(variables, maps)


def test_the_masks_of_a_packed_sequence_lie_as_it_does_and_fit_no_other():
    torch.manual_seed(0)
    net = torch.nn.RNN(4, 3, 2, dropout=0.5)
    packed = pack_padded_sequence(torch.ones(3, 2, 4), torch.tensor([3, 1]))
    _, (drawn,) = record_masks(net, lambda: net(packed))
    assert drawn.keep.shape == (4, 3)
    ours, x = layers.RNN(4, 3, 2, dropout=0.5), jnp.ones((3, 2, 4))
    places = mask_places(ours, interop.from_torch(ours, net.state_dict()), x)
    with pytest.raises(ValueError, match=r"a mask \(3, 2, 3\) is not .*\(4, 3, 1\)"):
        replayed([drawn], places)

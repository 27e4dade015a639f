"""Norms behind and before flattenings: refused where torch's weights would be wrong, else right."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from flaxnets import interop, layers

KEY = jax.random.key(0)
IMAGES = jax.ShapeDtypeStruct((3, 4, 5, 2), jnp.float32)
# float64 sums of a few dozen terms of order one
CLOSE = {"rtol": 1e-11, "atol": 1e-12}
MAPS = (3, 4, 3)  # that the convolution makes


class AsItLies(layers.Module):
    """A reshape."""

    def __call__(self, x):
        return x.reshape(x.shape[0], -1)


def network(*stack):
    return layers.Sequential([layers.Conv2d(2, 3, 2), *stack])


def refused(*stack):
    with pytest.raises(ValueError) as caught:
        jax.eval_shape(network(*stack).init, KEY, IMAGES)
    assert "\n" not in str(caught.value)
    return str(caught.value)


REMEDY = (
    "2 reads maps (3, 4, 3) flattened as they lie, H, W, C; torch flattens C, H, W: "
    "say flattened_from=(3, 4, 3) in that {}, or flatten by flaxnets.layers.Flatten(), or say "
    "flattened_from=() if torch's twin reads them in this order too"
)


@pytest.mark.parametrize("norm", [layers.BatchNorm1d(36), layers.LayerNorm(36), layers.RMSNorm(36)])
def test_a_norm_of_a_flattening_as_it_lies_is_refused_by_its_name(norm):
    message = refused(AsItLies(), norm, layers.Linear(36, 4))
    assert message == REMEDY.format(type(norm).__name__)


def test_the_reader_behind_a_norm_that_says_so_must_say_so_too():
    norm = layers.BatchNorm1d(36, flattened_from=MAPS)
    assert refused(layers.Flatten(), norm, layers.Linear(36, 4)).startswith(
        "3 reads maps (3, 4, 3)"
    )
    assert refused(AsItLies(), layers.BatchNorm1d(36, flattened_from=(4, 3, 3))).startswith(
        "2 says flattened_from=(4, 3, 3), but reads H 3, W 4, C 3"
    )


def test_groups_of_a_flattening_can_be_taken_in_torchs_order_only():
    message = refused(AsItLies(), layers.GroupNorm(3, 36))
    assert message.startswith("2 splits H 3, W 4, C 3; torch flattens C, H, W: transpose the maps")


class Rows(layers.Module):
    """Maps (N, L, C) of one axis, as of a convolution."""

    makes_maps = True

    def __call__(self, x):
        return x[:, :, 0]


def test_a_layer_norm_over_maps_of_one_axis_must_say_that_it_is():
    for norm in (layers.LayerNorm((3, 3)), layers.RMSNorm((3, 3))):  # whose sizes cannot tell it
        message = refused(Rows(), norm)
        assert message.startswith(
            "2 normalises over L 3, C 3 as they lie; torch's maps are channels"
        )
        assert "of_maps=True" in message and "of_maps=False" in message
        for said in (True, False):
            jax.eval_shape(network(Rows(), norm.clone(of_maps=said)).init, KEY, IMAGES)


@pytest.mark.parametrize("kind", [layers.Softmax, layers.LogSoftmax, layers.Softmin, layers.GLU])
@pytest.mark.parametrize("dim", [1, 2, -1])
def test_what_counts_axes_of_maps_must_say_which(kind, dim):
    rows = [layers.Conv1d(3, 4, 2), layers.ReLU(), kind(dim)]
    x = jax.ShapeDtypeStruct((2, 5, 3), jnp.float32)
    with pytest.raises(ValueError, match=r"^2 counts axes of what comes from maps"):
        jax.eval_shape(layers.Sequential(rows).init, KEY, x)
    for said in (True, False):
        jax.eval_shape(layers.Sequential([*rows[:2], kind(dim, said)]).init, KEY, x)


def test_what_counts_axes_of_no_maps_need_not_say_it():
    """Tokens of an image, whose features a Linear has made: torch has them last as well."""
    layer = layers.Sequential([layers.Conv1d(3, 4, 2), layers.Linear(4, 6), layers.Softmax(-1)])
    jax.eval_shape(layer.init, KEY, jax.ShapeDtypeStruct((2, 5, 3), jnp.float32))
    jax.eval_shape(network(layers.Flatten(), layers.Softmax(1)).init, KEY, IMAGES)
    jax.eval_shape(network(layers.Softmax(0)).init, KEY, IMAGES)


def test_rows_that_a_norm_has_called_maps_have_an_order():
    model = layers.Sequential([layers.BatchNorm1d(3), AsItLies(), layers.Linear(15, 4)])
    with pytest.raises(ValueError, match=r"reads maps \(5, 3\) flattened as they lie, L, C"):
        jax.eval_shape(model.init, KEY, jax.ShapeDtypeStruct((2, 5, 3), jnp.float32))


def beside_torch(ours, theirs):
    """In training, with statistics and weights of torch's that are no constants."""
    model, rng = network(*ours), np.random.default_rng(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 2), *theirs).double()
    for tensor in net.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.tensor(rng.uniform(0.5, 1.5, tuple(tensor.shape))))
    x = rng.normal(size=IMAGES.shape)
    image = torch.tensor(np.moveaxis(x, -1, 1).copy())
    with jax.enable_x64(True):
        variables = interop.from_torch(model, net.state_dict())
        evaluated = jax.jit(model.apply)(variables, x)
        np.testing.assert_allclose(evaluated, net.eval()(image).detach(), **CLOSE)
        call = jax.jit(lambda v, x: model.apply(v, x, train=True, mutable=["batch_stats"]))
        found, changed = call(variables, x)
        np.testing.assert_allclose(found, net.train()(image).detach(), **CLOSE)
        back = interop.to_torch(model, {**variables, **changed})
    for name, tensor in net.state_dict().items():
        np.testing.assert_allclose(back[name], tensor, **CLOSE)


def declared(norm):
    """Ours, and torch's, of 36 features of maps."""
    ours = getattr(layers, norm)(36, flattened_from=MAPS)
    linear = layers.Linear(36, 4, flattened_from=MAPS)
    return [AsItLies(), ours, linear], [
        torch.nn.Flatten(),
        getattr(torch.nn, norm)(36),
        torch.nn.Linear(36, 4),
    ]


def over_maps(ours, theirs):
    """A norm between a convolution and a pool, a Flatten and a Linear."""
    return (
        [ours, layers.ReLU(), layers.MaxPool2d(2), layers.Flatten(), layers.Linear(6, 4)],
        [theirs, torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Linear(6, 4)],
    )


RIGHT = {
    "BatchNorm1d declared": declared("BatchNorm1d"),
    "LayerNorm declared": declared("LayerNorm"),
    "BatchNorm2d": over_maps(layers.BatchNorm2d(3), torch.nn.BatchNorm2d(3)),
    "LayerNorm of maps": over_maps(layers.LayerNorm((3, 3, 4)), torch.nn.LayerNorm((3, 3, 4))),
    "others": over_maps(
        layers.Sequential(
            [
                layers.GroupNorm(3, 3),
                layers.InstanceNorm2d(3, affine=True),
                layers.LocalResponseNorm(2),
            ]
        ),
        torch.nn.Sequential(
            torch.nn.GroupNorm(3, 3),
            torch.nn.InstanceNorm2d(3, affine=True),
            torch.nn.LocalResponseNorm(2),
        ),
    ),
    "behind a Flatten": (
        [layers.Flatten(), layers.BatchNorm1d(36), layers.GroupNorm(3, 36), layers.Linear(36, 4)],
        [
            torch.nn.Flatten(),
            torch.nn.BatchNorm1d(36),
            torch.nn.GroupNorm(3, 36),
            torch.nn.Linear(36, 4),
        ],
    ),
}


@pytest.mark.parametrize(("ours", "theirs"), RIGHT.values(), ids=RIGHT)
def test_what_is_right_is_let_through_and_is_torchs(ours, theirs):
    beside_torch(ours, theirs)

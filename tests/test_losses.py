"""Each loss against torch's: values, gradients, reductions; what is refused, what is NaN."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from draws.draw import drawn
from draws.losses import LOSSES, Loss
from jax import export
from loss_check import check_loss

from flaxnets import interop, layers, losses, training

RNG = np.random.default_rng(0)
LOGITS, CLASSES = RNG.normal(size=(4, 3)), np.array([0, 2, 1, 2])
WEIGHT = np.array([0.2, 1.0, 2.0])
HALVES = np.array([-1.5, -1, -0.5, 0, 0.5, 1, 1.5])
EXAMPLES = [  # of what has a trap
    ("cross_entropy", {"weight": WEIGHT, "label_smoothing": 0.1, "ignore_index": 2}, CLASSES),
    ("nll_loss", {"ignore_index": 2}, np.full(4, 2)),  # the mean of no places
]
ENDS = np.array([0, 0, 1, 1, 1e-13, 0.3])


@pytest.mark.parametrize(("name", "options", "target"), EXAMPLES)
def test_a_loss_of_classes_is_torchs(name, options, target):
    check_loss(name, Loss(options, LOGITS, target, True))


@pytest.mark.parametrize("name", ["l1_loss", "smooth_l1_loss", "huber_loss"])
def test_a_loss_has_torchs_slope_where_it_has_a_kink(name):
    check_loss(name, Loss({}, HALVES, np.zeros(7)))


@pytest.mark.parametrize("name", ["smooth_l1_loss", "huber_loss"])
@pytest.mark.parametrize("bend", [1e6, 1e10])
def test_a_loss_that_bends_far_off_keeps_the_digits_of_small_differences(name, bend):
    option = {"smooth_l1_loss": "beta", "huber_loss": "delta"}[name]
    x, y = np.float32([0.3, -1, 0, 1e7]), np.zeros(4, np.float32)
    given = torch.tensor(x, requires_grad=True)
    getattr(torch.nn.functional, name)(given, torch.tensor(y), **{option: bend}).backward()
    loss = functools.partial(getattr(losses, name), **{option: bend})
    slope = jax.jit(jax.grad(loss))(x, y)
    np.testing.assert_allclose(slope, given.grad, rtol=3e-7)  # a few roundings


def test_binary_cross_entropy_has_torchs_slope_at_0_and_1():
    draw = Loss({"reduction": "sum"}, ENDS, np.array([0, 1, 1, 0, 1, 0.3]))
    check_loss("binary_cross_entropy", draw)


def test_kl_div_has_a_slope_at_a_target_of_0_where_torch_has_none():
    x, y = torch.log(torch.tensor([0.5, 0.5])), torch.tensor([0.0, 1.0], requires_grad=True)
    torch.nn.functional.kl_div(x, y, reduction="sum").backward()
    assert y.grad.isnan().tolist() == [True, False]
    slope = jax.grad(losses.kl_div, 1)(jnp.asarray(x), jnp.float32([0, 1]), reduction="sum")
    np.testing.assert_allclose(slope, [-float(x[0]), y.grad[1]], rtol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_torchs_in_options_that_are_drawn(name):
    check_loss(name, drawn(LOSSES[name], 20)[-1])


def test_every_loss_is_drawn():
    assert set(LOSSES) == set(losses.__all__)


# Where optax has the same, and where it has not.
P, Q = (RNG.dirichlet(np.ones(3), 4) for _ in range(2))
BY_OPTAX = {
    "cross_entropy": (optax.softmax_cross_entropy_with_integer_labels, LOGITS, CLASSES),
    "cross_entropy of probabilities": (optax.softmax_cross_entropy, LOGITS, P),
    "mse_loss": (optax.squared_error, P, Q),
    "huber_loss": (optax.huber_loss, P, 3 * Q),
    "binary_cross_entropy_with_logits": (optax.sigmoid_binary_cross_entropy, LOGITS, P),
}


@pytest.mark.parametrize("case", BY_OPTAX)
def test_optax_has_the_same(case):
    theirs, x, y = BY_OPTAX[case]
    ours = functools.partial(getattr(losses, case.split()[0]), reduction="none")
    with jax.enable_x64(True):
        x, y = jnp.asarray(x), jnp.asarray(y)
        # sums of three in float64
        np.testing.assert_allclose(ours(x, y), theirs(x, y), rtol=1e-14, atol=1e-15)


def test_where_optax_differs():
    x = jnp.asarray(np.float32(LOGITS))
    last = optax.softmax_cross_entropy_with_integer_labels(x, jnp.full(4, -1))
    np.testing.assert_array_equal(
        last, optax.softmax_cross_entropy_with_integer_labels(x, jnp.full(4, 2))
    )
    p, q = jnp.log(jnp.float32(P)), jnp.float32(Q)
    each = losses.kl_div(p, q, reduction="none")
    np.testing.assert_allclose(optax.kl_divergence(p, q), each.sum(-1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(2 * optax.l2_loss(p, q), (p - q) ** 2, rtol=1e-6)


REFUSED = [  # torch refuses these too
    ("cross_entropy", LOGITS, CLASSES - 1, {}, "target -1 is out of bounds: classes are 0 to 2"),
    ("cross_entropy", LOGITS[:, :0], CLASSES, {}, r"must have one class at least, got \(4, 0\)"),
    ("nll_loss", LOGITS[:, :0], CLASSES, {}, "must have one class at least"),
    ("nll_loss", LOGITS, CLASSES + 1, {}, "target 3 is out of bounds"),
    ("cross_entropy", LOGITS, CLASSES[:3], {}, r"target \(3,\) must be shaped as input \(4, 3\)"),
    ("cross_entropy", LOGITS, LOGITS[:, :2], {}, "without its last axis"),
    ("cross_entropy", LOGITS, CLASSES > 0, {}, "target must be classes, integers, got bool"),
    ("cross_entropy", LOGITS, np.stack([CLASSES] * 3, 1), {}, "target must be floating"),
    ("cross_entropy", LOGITS, CLASSES, {"weight": WEIGHT[:2]}, r"weight must be shaped \(3,\)"),
    ("cross_entropy", LOGITS, CLASSES, {"label_smoothing": 1.5}, "label_smoothing must be in 0"),
    ("cross_entropy", LOGITS, CLASSES, {"reduction": "batchmean"}, "'batchmean' is not one of"),
    ("cross_entropy", LOGITS, P, {"ignore_index": 1}, "ignore_index 1 is of targets that are cl"),
    ("mse_loss", LOGITS, LOGITS, {"weight": WEIGHT}, "weight must be shaped as input"),
    ("smooth_l1_loss", LOGITS, LOGITS, {"beta": -1.0}, "beta must be 0 or more, got -1.0"),
    ("huber_loss", LOGITS, LOGITS, {"delta": 0.0}, "delta must be above 0, got 0.0"),
    ("binary_cross_entropy", LOGITS, P, {}, "input must be in 0 to 1, got"),
    ("binary_cross_entropy", P, 3 * P, {}, "target must be in 0 to 1, got"),
    ("binary_cross_entropy", P, P, {"weight": np.ones(4)}, r"weight \(4,\) must have a number"),
    ("binary_cross_entropy_with_logits", LOGITS, CLASSES, {}, "target must be floating, got int"),
    ("kl_div", LOGITS, CLASSES, {"reduction": "sum"}, "target must be floating"),
]


@pytest.mark.parametrize(("name", "x", "y", "options", "message"), REFUSED)
def test_what_torch_refuses_is_refused(name, x, y, options, message):
    theirs = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    with pytest.raises((RuntimeError, ValueError, IndexError)):
        getattr(torch.nn.functional, name)(torch.tensor(x), torch.tensor(y), **theirs)
    with pytest.raises((TypeError, ValueError), match=f"^{name}: .*{message}"):
        getattr(losses, name)(x, y, **options)


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div"])
def test_what_torch_broadcasts_with_a_warning_is_refused(name):
    with pytest.raises(ValueError, match=r"input \(4, 1\) and target \(4,\) must have the same"):
        getattr(losses, name)(np.ones((4, 1)), np.ones(4))


def test_a_weight_that_lies_as_torchs_channels_is_refused():
    """It would be broadcast along the height, if that is of their number."""
    maps = np.zeros((2, 3, 3, 3))
    with pytest.raises(ValueError, match=r"pos_weight \(3, 1, 1\) must have a number"):
        losses.binary_cross_entropy_with_logits(maps, maps, pos_weight=np.ones((3, 1, 1)))


def test_what_cannot_be_raised_under_jit_is_nan_and_nothing_else():
    found = jax.jit(functools.partial(losses.nll_loss, reduction="none"))(LOGITS, CLASSES - 1)
    np.testing.assert_array_equal(np.isnan(found), CLASSES == 0)
    slopes = jax.jit(jax.grad(losses.cross_entropy))(LOGITS, CLASSES - 1)
    assert np.isnan(slopes).all()  # the mean is divided by a NaN
    each = jax.jit(functools.partial(losses.binary_cross_entropy, reduction="none"))
    np.testing.assert_array_equal(np.isnan(each(LOGITS, P)), (LOGITS < 0) | (LOGITS > 1))


ARGUMENTS = {
    "cross_entropy": (LOGITS, np.array([0, 2, -100, 1]), {"label_smoothing": 0.1}),
    "nll_loss": (LOGITS, CLASSES, {"weight": np.float32(WEIGHT)}),
    "binary_cross_entropy": (np.array([[0, 1, 0.5]] * 4), P, {"weight": np.float32(WEIGHT)}),
    "binary_cross_entropy_with_logits": (LOGITS, P, {"pos_weight": np.float32(WEIGHT)}),
    "kl_div": (np.log(P), np.array([[0, 0.5, 0.5]] * 4), {"reduction": "batchmean"}),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_works_in_every_mode_of_jax(name):
    x, y, options = ARGUMENTS.get(name, (np.zeros((4, 3)), np.zeros((4, 3)), {}))
    loss = functools.partial(getattr(losses, name), **options)
    given = np.float32(x), np.float32(y) if y.dtype.kind == "f" else y
    expected = loss(*given)
    strict = jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict")
    with strict[0], strict[1], jax.debug_nans(True):
        assert np.isfinite(jax.jit(jax.grad(loss))(*given)).all()
    assert np.isfinite(jax.jit(jax.hessian(loss))(*given)).all()
    half = loss(jnp.asarray(x, jnp.bfloat16), jnp.asarray(given[1]).astype(_half(given[1])))
    assert half.dtype == jnp.bfloat16
    # its inputs have 8 bits: log p near 0 has no more than two digits
    np.testing.assert_allclose(np.float32(half), expected, rtol=0.05, atol=0.02)
    sizes = export.symbolic_shape("n, 3")
    shapes = [jax.ShapeDtypeStruct(sizes[: a.ndim], jnp.asarray(a).dtype) for a in given]
    # another program, whose sums of twelve in float32 may be taken in another order
    found = export.export(jax.jit(loss))(*shapes).call(*map(jnp.asarray, given))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def _half(array):
    return jnp.bfloat16 if array.dtype.kind == "f" else jnp.int32


def test_what_counts_by_its_number_trains_as_in_torch():
    """One step of fit and of torch: label smoothing, and each example's mean by vmap."""
    x, net = np.float32(RNG.normal(size=(6, 3))), torch.nn.Linear(3, 3)
    model = layers.Linear(3, 3)
    for ours, theirs, y in [
        (
            functools.partial(losses.cross_entropy, reduction="none", label_smoothing=0.1),
            functools.partial(torch.nn.functional.cross_entropy, label_smoothing=0.1),
            np.array([0, 1, 2, 2, 1, 0]),
        ),
        (jax.vmap(losses.mse_loss), torch.nn.functional.mse_loss, np.float32(x**2)),
    ]:
        variables = interop.from_torch(model, net.state_dict())
        config = training.Config(epochs=1, batch_size=6)
        splits = ((x, y), (x, y))
        (epoch,) = training.fit(
            model, splits, config, loss=ours, variables=variables, optimizer=optax.sgd(1.0)
        )
        net.zero_grad()
        loss = theirs(net(torch.tensor(x)), torch.tensor(y))
        loss.backward()
        assert epoch.metrics.train_loss == pytest.approx(loss.item(), rel=1e-5)
        step = interop.to_torch(model, variables)["weight"] - net.weight.grad.numpy()
        found = interop.to_torch(model, epoch.state.variables)["weight"]
        np.testing.assert_allclose(found, step, rtol=1e-4, atol=1e-6)  # a step in float32

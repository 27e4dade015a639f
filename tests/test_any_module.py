"""``fit`` takes any linen module and any optimizer: statistics, states, outputs."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from helpers import run, with_our_modules

from flaxnets import interop, layers, training
from flaxnets.runs import checkpoints
from flaxnets.training import Config
from flaxnets.training.batches import Batch
from flaxnets.training.state import initial_state

RNG = np.random.default_rng(0)
X = RNG.normal(size=(22, 3)).astype(np.float32)
Y = (X @ np.float32([1, -2, 3])).astype(np.float32)
SPLITS = ((X, Y), (X, Y))


def squared(outputs, targets):
    return (outputs[:, 0] - targets) ** 2


def fit(model, splits=SPLITS, **options):
    config = Config(**{"epochs": 1, "batch_size": 4, **options.pop("config", {})})
    return list(training.fit(model, splits, config, loss=squared, **options))


class Normed(nn.Module):
    """With running statistics, by linen's own layer."""

    @nn.compact
    def __call__(self, x, train=False):
        x = nn.BatchNorm(use_running_average=not train, momentum=0.9, use_bias=False)(x)
        return nn.Dense(1)(x)


def by_hand(model, variables, optimizer, batches):
    """The variables after a step a batch, each at its own size."""
    state = optimizer.init(variables["params"])

    @jax.jit
    def step(variables, state, x, y):
        def objective(params):
            out, changed = model.apply(
                {**variables, "params": params}, x, train=True, mutable=["batch_stats"]
            )
            return squared(out, y).mean(), changed

        gradients, changed = jax.grad(objective, has_aux=True)(variables["params"])
        updates, state = optimizer.update(gradients, state, variables["params"])
        return {"params": optax.apply_updates(variables["params"], updates), **changed}, state

    for x, y in batches:
        variables, state = step(variables, state, x, y)
    return variables


def test_statistics_are_of_the_batches_alone_the_last_one_at_its_own_size(monkeypatch):
    """22 examples in fours: the last batch has two, and nothing that fills it up."""
    monkeypatch.setattr(training.task.Task, "order", lambda *_: np.arange(22, dtype=np.int32))
    variables = Normed().init(jax.random.key(0), X)
    (epoch,) = fit(Normed(), variables=variables)
    parts = [(X[i : i + 4], Y[i : i + 4]) for i in range(0, 22, 4)]
    expected = by_hand(Normed(), variables, optax.adam(1e-3), parts)
    # six steps in float32, compiled in a loop and one by one
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
        epoch.state.variables,
        expected,
    )
    loss = squared(Normed().apply(epoch.state.variables, X), Y).mean()  # running statistics
    assert epoch.metrics.test_loss == pytest.approx(float(loss), rel=1e-5)


def test_a_training_with_statistics_goes_on_from_a_snapshot_to_the_bit():
    config = Config(epochs=3, batch_size=4, log_interval=4)
    whole = list(training.chunks(Normed(), SPLITS, config, loss=squared))
    middle = whole[2].snapshot
    *_, last = training.chunks(Normed(), SPLITS, config, loss=squared, resume=middle)
    jax.tree.map(np.testing.assert_array_equal, last.state, whole[-1].state)


def test_a_batch_of_one_value_a_channel_is_refused_as_torch_refuses_it():
    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        torch.nn.BatchNorm1d(3)(torch.ones(1, 3))
    splits = ((X[:21], Y[:21]), (X, Y))  # fives and one
    with pytest.raises(ValueError, match=r"BatchNorm_0 .* no variance of one value a channel"):
        fit(Normed(), splits, config={"batch_size": 5})

    class Maps(nn.Module):
        @nn.compact
        def __call__(self, x, train=False):
            return Normed()(x.reshape(-1, 1, 3, 1), train)[:, 0, 0]

    fit(Maps(), splits, config={"batch_size": 5})  # of maps it has three values


def own(**options):
    """A network with a norm of ``flaxnets.layers``."""
    return layers.Sequential([layers.BatchNorm1d(3, **options), layers.Linear(3, 1)])


@pytest.mark.parametrize("options", [{}, {"momentum": None}, {"track_running_stats": False}])
def test_a_norm_of_our_own_trains_as_torchs_does(options, monkeypatch):
    monkeypatch.setattr(training.task.Task, "order", lambda *_: np.arange(22, dtype=np.int32))
    net = torch.nn.Sequential(torch.nn.BatchNorm1d(3, **options), torch.nn.Linear(3, 1))
    variables = interop.from_torch(own(**options), net.state_dict())
    (epoch,) = fit(own(**options), variables=variables, config={"test_batch_size": 22})
    optimizer = torch.optim.Adam(net.parameters())
    for i in range(0, 22, 4):
        optimizer.zero_grad()
        squared(net(torch.tensor(X[i : i + 4])), torch.tensor(Y[i : i + 4])).mean().backward()
        optimizer.step()
    back = interop.to_torch(own(**options), epoch.state.variables)
    for name, tensor in net.state_dict().items():
        # six steps in float32
        np.testing.assert_allclose(back[name], tensor.numpy(), rtol=1e-4, atol=1e-5, err_msg=name)
    outputs = net.eval()(torch.tensor(X)).detach()
    expected = squared(outputs, torch.tensor(Y)).mean()
    assert epoch.metrics.test_loss == pytest.approx(float(expected), rel=1e-4)


def test_one_value_a_channel_is_refused_by_the_place_of_the_norm():
    splits = ((X[:21], Y[:21]), (X, Y))  # fives and one
    message = (
        r"^0 \(BatchNorm1d\): Expected more than 1 value per channel .* \(1, 3\): give it more"
    )
    with pytest.raises(ValueError, match=message):
        fit(own(), splits, config={"batch_size": 5})


def test_what_would_enter_the_statistics_of_an_evaluation_is_refused():
    model = own(track_running_stats=False)
    with pytest.raises(
        ValueError, match=r"^0 takes statistics .* a test_batch_size that divides 22"
    ):
        fit(model, config={"test_batch_size": 10})
    variables = model.init(jax.random.key(0), X)
    with pytest.raises(ValueError, match=r"choose a batch_size that divides 22$"):
        training.predict(model, variables, X, batch_size=10)
    with pytest.raises(ValueError, match=r"choose a batch_size that divides 22$"):
        training.evaluate(model, variables, (X, Y), squared, batch_size=10)
    halves = jnp.concatenate([model.apply(variables, part) for part in (X[:11], X[11:])])
    found = training.predict(model, variables, X, batch_size=11)
    np.testing.assert_allclose(found, halves, rtol=1e-5, atol=1e-6)  # float32


def test_what_would_fill_up_the_devices_shares_is_refused():
    code = (
        "import test_any_module as t\n"
        "t.fit(t.Normed(), ((t.X[:20], t.Y[:20]), (t.X, t.Y)))\n"
        "try:\n    t.fit(t.Normed())\nexcept ValueError as error:\n    print(error)\n"
    )
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
    status, out, err = run("-c", code, env=with_our_modules(**flags))
    assert status == 0, err
    assert "4 devices cannot share a batch of 2 evenly" in out
    assert "would enter batch_stats: choose another batch_size, or one device" in out


def test_buffers_stay_as_they_are_and_need_no_batches_of_their_own_size():
    class Shifted(layers.Module):
        def setup(self):
            self.shift = self.variable("buffers", "shift", lambda: jnp.ones(3))
            self.head = layers.Linear(3, 1)

        def __call__(self, x):
            return self.head(x + self.shift.value)

    (epoch,) = fit(Shifted(), splits=((X[:21], Y[:21]), (X, Y)))
    assert list(epoch.state.collections) == ["buffers"]
    np.testing.assert_array_equal(epoch.state.variables["buffers"]["shift"], np.ones(3))


def test_variables_without_the_statistics_that_a_model_needs_are_refused_by_name():
    params = {"params": Normed().init(jax.random.key(0), X)["params"]}
    with pytest.raises(ValueError, match="have params, but Normed also needs batch_stats"):
        fit(Normed(), variables=params)


@pytest.mark.parametrize(
    "optimizer",
    [
        optax.sgd(0.01),
        optax.sgd(optax.cosine_decay_schedule(0.01, 6), momentum=0.9),
        optax.adamw(0.01),
        optax.chain(optax.clip_by_global_norm(1.0), optax.rmsprop(0.01)),
    ],
)
def test_any_optimizer_of_optax_trains_as_by_hand(optimizer, monkeypatch):
    monkeypatch.setattr(training.task.Task, "order", lambda *_: np.arange(22, dtype=np.int32))
    variables = Normed().init(jax.random.key(0), X)
    (epoch,) = fit(Normed(), variables=variables, optimizer=optimizer)
    parts = [(X[i : i + 4], Y[i : i + 4]) for i in range(0, 22, 4)]
    expected = by_hand(Normed(), variables, optimizer, parts)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
        epoch.state.variables,
        expected,
    )
    assert jax.tree.structure(epoch.state.opt_state) == jax.tree.structure(
        optimizer.init(variables["params"])
    )


def test_optimizers_that_ask_for_the_loss_have_it():
    """L-BFGS looks along a line for a lower one: a line is fitted at once."""
    whole = {"epochs": 20, "batch_size": 22}
    *_, last = fit(nn.Dense(1), optimizer=optax.lbfgs(), config=whole)
    assert last.metrics.test_loss < 1e-8


def test_an_optimizer_beside_a_rate_or_schedule_of_the_config_is_refused_by_name():
    with pytest.raises(ValueError, match=r"leave out Config's learning_rate and schedule$"):
        fit(
            nn.Dense(1),
            optimizer=optax.sgd(0.1),
            config={"learning_rate": 0.1, "schedule": "one-cycle"},
        )
    with pytest.raises(TypeError, match="optimizer must be one of optax's, got float"):
        fit(nn.Dense(1), optimizer=0.1)


def test_an_infinite_gradient_spoils_its_own_parameter_alone():
    class Apart(nn.Module):
        @nn.compact
        def __call__(self, x):
            a = self.param("a", nn.initializers.zeros, (1,))  # the first of the alphabet
            return nn.Dense(1)(x) + jnp.sqrt(a)  # whose slope is infinite

    state = initial_state(Apart().init(jax.random.key(0), X), optax.adam(0.01))
    batch = Batch(X, Y, np.ones(22))
    optimizer, key = optax.adam(0.01), jax.random.key(0)
    state, _ = training.train_step(Apart(), squared, optimizer, state, batch, key)
    assert not np.isfinite(state.params["a"]).any()
    assert np.isfinite(state.params["Dense_0"]["kernel"]).all()


def test_checkpoints_carry_statistics_and_any_optimizers_state(tmp_path):
    config, optimizer = Config(epochs=3, batch_size=4), optax.adamw(0.01)
    given = {"loss": squared, "optimizer": optimizer}
    whole = list(training.chunks(Normed(), SPLITS, config, **given))
    with checkpoints.Checkpoints(tmp_path) as saved:
        saved.save(6, whole[0].snapshot, {}, None)
    like = jax.tree.map(np.zeros_like, whole[0].state)
    found = checkpoints.restore(tmp_path, like, lambda about: None)
    *_, last = training.chunks(Normed(), SPLITS, config, **given, resume=found)
    jax.tree.map(np.testing.assert_array_equal, last.state, whole[-1].state)


def test_what_is_frozen_takes_a_last_batch_of_one_and_stays_as_it_is():
    class Frozen(nn.Module):
        use_running_average: bool = True

        @nn.compact
        def __call__(self, x):
            x = nn.BatchNorm(use_running_average=self.use_running_average)(x)
            return nn.Dense(1)(x)

    (epoch,) = fit(Frozen(), ((X[:21], Y[:21]), (X, Y)), config={"batch_size": 5})
    np.testing.assert_array_equal(epoch.state.variables["batch_stats"]["BatchNorm_0"]["mean"], 0)


def test_outputs_may_be_several():
    class Two(nn.Module):
        @nn.compact
        def __call__(self, x):
            return {"a": nn.Dense(1)(x), "b": x}

    whole = ((X, np.arange(22)), (X, np.arange(22)))
    config = Config(epochs=1, batch_size=4)

    def loss(out, y):
        return squared(out["a"], y)

    (epoch,) = training.fit(Two(), whole, config, loss=loss)
    assert np.isnan(epoch.metrics.test_accuracy)
    for size in (5, 22):
        out = training.predict(Two(), epoch.state.variables, X, batch_size=size)
        np.testing.assert_array_equal(out["b"], X)

"""Maps flattened otherwise than torch flattens them: refused by name, and nothing else is."""

import threading
from collections.abc import Callable
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from flaxnets import interop, layers

KEY = jax.random.key(0)
KEYS = {"params": KEY, "dropout": KEY}
IMAGES = jax.ShapeDtypeStruct((2, 4, 5, 1), jnp.float32)
RAW = (
    "fc reads maps (3, 4, 2) flattened as they lie, H, W, C; torch flattens C, H, W: say "
    "flattened_from=(3, 4, 2) in that Linear, or flatten by flaxnets.layers.Flatten()"
)


class Net(layers.Module):
    """Maps (N, 3, 4, 2), what is between, and a Linear."""

    between: Callable
    features: int = 24
    declared: tuple | None = None
    implementation: str | None = None

    def setup(self):
        self.conv = layers.Conv2d(1, 2, 2, implementation=self.implementation)
        self.fc = layers.Linear(self.features, 3, flattened_from=self.declared)

    def __call__(self, x):
        return self.fc(self.between(self.conv(x)))

    def both(self, x):
        return self(x), self(2 * x)


def flat(x):
    return x.reshape(x.shape[0], -1)


def initialised(model, x=IMAGES, **kwargs):
    """The shapes of its variables."""
    return jax.eval_shape(lambda keys, x: model.init(keys, x, **kwargs), KEYS, x)


def refused(model, x=IMAGES, **kwargs):
    with pytest.raises(ValueError) as caught:
        initialised(model, x, **kwargs)
    message = str(caught.value)
    assert "\n" not in message and "flattened_from" in message
    return message


def scaled(x):
    """What a batch normalisation does."""
    x = (x - x.mean((0, 1, 2))) * jax.lax.rsqrt(x.var((0, 1, 2), keepdims=True) + 1e-5)
    return x * jnp.ones(x.shape[-1]) + jnp.zeros(x.shape[-1])


def scanned(x):
    """Maps that a loop has passed on, and rows that it has looked at one by one."""
    x = jax.lax.fori_loop(0, 3, lambda _, x: x + 1, x)
    return jax.lax.map(nn.relu, x)


RAW_FORMS = {
    "reshape": flat,
    "ravel by vmap": jax.vmap(jnp.ravel),
    "relu": lambda x: flat(nn.relu(x)),
    "gelu under jit": lambda x: flat(jax.jit(nn.gelu)(x)),
    "under remat": jax.checkpoint(flat),
    "scaling": lambda x: flat(scaled(x)),
    "swapped and back": lambda x: flat(x.transpose(0, 3, 2, 1).transpose(0, 3, 2, 1)),
    "rolled": lambda x: flat(jnp.roll(jnp.flip(x, 1), 1, 2)),
    "a where": lambda x: flat(jnp.where(x > 0, x, 0.1 * x)),
    "a loop": lambda x: flat(scanned(x)),
    "a branch": lambda x: flat(jax.lax.cond(x.sum() > 0, nn.relu, jnp.negative, x)),
    "in steps": lambda x: flat(x.reshape(x.shape[0], 12, 2).reshape(-1, 3, 4, 1, 2)),
    "an index": lambda x: flat(x[:, jnp.array([2, 0, 1])]),
    "channels from halves": lambda x: flat(jnp.concatenate([x[..., :1], x[..., 1:]], -1)),
    "a half and its negative": lambda x: flat(jnp.concatenate([x[..., :1], -x[..., :1]], -1)),
    "a sort of channels": lambda x: flat(jnp.sort(x)),
    "written into": lambda x: flat(jax.lax.dynamic_update_slice(x, x[:, :1], (0, 0, 0, 0))),
    "scattered into": lambda x: flat(x.at[:, jnp.array([0, 2])].set(x[:, 1:] * 2)),
    "a Fourier transform": lambda x: flat(jnp.fft.fft(x, axis=1).real),
    "attention over places": lambda x: flat(attended(x.reshape(x.shape[0], 12, 2))),
    "squeeze and excitation": lambda x: flat(x * nn.sigmoid(x.mean((1, 2), keepdims=True))),
}


def attended(x):
    return nn.softmax(x @ x.transpose(0, 2, 1)) @ x


@pytest.mark.parametrize("between", RAW_FORMS.values(), ids=RAW_FORMS)
def test_maps_flattened_as_they_lie_are_refused_with_the_remedy(between):
    assert refused(Net(between)).startswith(RAW)


POOLS = {
    "max_pool2d": (lambda x: layers.max_pool2d(x, 2), (1, 2, 2)),
    "nn.max_pool": (lambda x: nn.max_pool(x, (2, 2)), (2, 3, 2)),
    "nn.avg_pool": (lambda x: nn.avg_pool(x, (2, 2), (1, 2)), (2, 2, 2)),
    "steps": (lambda x: x[:, ::2, ::2], (2, 2, 2)),
    "a crop": (lambda x: jax.lax.dynamic_slice(x, (0, 0, 0, 0), (*x.shape[:2], 2, 2)), (3, 2, 2)),
    "a border": (lambda x: jnp.pad(x, ((0, 0), (1, 1), (0, 0), (0, 0))), (5, 4, 2)),
}


@pytest.mark.parametrize(("pool", "maps"), POOLS.values(), ids=POOLS)
def test_the_maps_that_are_named_are_those_that_a_pool_has_left(pool, maps):
    net = Net(lambda x: flat(pool(x)), int(np.prod(maps)))
    assert f"reads maps {maps} flattened as they lie" in refused(net)
    initialised(Net(net.between, net.features, declared=maps))


ENLARGED = {
    "nearest": lambda x: jax.image.resize(x, (x.shape[0], 6, 8, 2), "nearest"),
    "linear": lambda x: jax.image.resize(x, (x.shape[0], 6, 8, 2), "linear"),
    "repeat": lambda x: x.repeat(2, 1).repeat(2, 2),
}


@pytest.mark.parametrize("enlarge", ENLARGED.values(), ids=ENLARGED)
def test_maps_that_were_enlarged_are_maps(enlarge):
    assert "reads maps (6, 8, 2)" in refused(Net(lambda x: flat(enlarge(x)), 96))
    initialised(Net(lambda x: flat(enlarge(x).transpose(0, 3, 1, 2)), 96))


class Inner(layers.Module):
    maps: nn.Module

    def __call__(self, x, train=False):
        return flat(self.maps(x))


class Rows(layers.Module):
    """Maps of another shape, that a layer of one's own makes."""

    makes_maps: ClassVar[bool] = True

    def __call__(self, x):
        return x[:, :, :, 0]


class Flat(layers.Module):
    def __call__(self, x):
        return flat(x)


NESTED = {
    "dropout": [layers.Conv2d(1, 2, 2), layers.Dropout2d(0.5), Flat(), layers.Linear(24, 3)],
    "a module": [Inner(layers.Conv2d(1, 2, 2)), layers.Linear(24, 3)],
    "a pool": [layers.Conv2d(1, 2, 2), layers.MaxPool2d(1), Flat(), layers.Linear(24, 3)],
    "an input": [Flat(), layers.Sequential([layers.ReLU(), layers.Linear(24, 3)])],
}


@pytest.mark.parametrize("name", NESTED)
def test_a_flattening_is_seen_through_modules(name):
    x = jax.ShapeDtypeStruct((2, 3, 4, 2), jnp.float32) if name == "an input" else IMAGES
    message = refused(layers.Sequential(NESTED[name]), x, train=True)
    assert "reads maps (3, 4, 2) flattened as they lie, H, W, C" in message
    assert message.startswith("1.1 " if name == "an input" else f"{len(NESTED[name]) - 1} ")


def test_rows_of_maps_have_an_order_too():
    x = jax.ShapeDtypeStruct((2, 4, 5, 1), jnp.float32)
    message = refused(layers.Sequential([Rows(), Flat(), layers.Linear(20, 3)]), x)
    assert "0" not in message.split()[0]
    assert "maps (4, 5) flattened as they lie, L, C; torch flattens C, L" in message
    assert "Flatten()" not in message  # it leaves them as they are
    initialised(layers.Sequential([Rows(), Flat(), layers.Linear(20, 3, flattened_from=(4, 5))]), x)


OTHERS = {
    "two of them, one behind the other": (lambda x: jnp.concatenate([flat(x)] * 2, -1), 48),
    "one of them beside torch's": (lambda x: jnp.concatenate([flat(x), torchs(x)], -1), 48),
    "a sum with torch's": (lambda x: flat(x) + torchs(x), 24),
    "what Python has computed": (lambda x: flat(called_back(x)), 24),
}


def called_back(x):
    return jax.pure_callback(lambda x: x, jax.ShapeDtypeStruct(x.shape, x.dtype), x)


def torchs(x):
    return x.transpose(0, 3, 1, 2).reshape(x.shape[0], -1)


@pytest.mark.parametrize(("between", "features"), OTHERS.values(), ids=OTHERS)
def test_what_cannot_be_followed_is_refused_as_that(between, features):
    message = refused(Net(between, features))
    assert message.startswith("fc reads what was made of maps in a way in which their order cannot")


@pytest.mark.parametrize(
    ("between", "order"),
    [
        (lambda x: flat(x.transpose(0, 2, 1, 3)), "W 4, H 3, C 2"),
        (lambda x: flat(x.transpose(0, 3, 2, 1)), "C 2, W 4, H 3"),
        (lambda x: flat(x.transpose(0, 1, 3, 2)), "H 3, C 2, W 4"),
    ],
)
def test_orders_that_neither_side_has_are_named(between, order):
    assert f"fc reads maps flattened in the order {order}; torch" in refused(Net(between))


@pytest.mark.parametrize(
    ("between", "maps", "read"),
    [
        (flat, (4, 3, 2), "H 3, W 4, C 2"),
        (flat, (12, 2), "H 3, W 4, C 2"),
        (torchs, (3, 4, 2), "C 2, H 3, W 4"),
        (lambda x: flat(x.transpose(0, 2, 1, 3)), (3, 4, 2), "W 4, H 3, C 2"),
        (lambda x: flat(called_back(x)), (3, 4, 2), "24 features of an order that"),
    ],
)
def test_what_is_declared_must_be_what_is_read(between, maps, read):
    message = refused(Net(between, declared=maps))
    assert message.startswith(f"fc says flattened_from={maps}, but reads {read}")


class TwoReaders(layers.Module):
    def setup(self):
        self.flatten = layers.Flatten()
        self.first = layers.Linear(24, 3, flattened_from=(3, 4, 2))
        self.second = layers.Linear(24, 3)

    def __call__(self, x):
        x = self.flatten(x)
        return self.first(x) + self.second(x)


def test_of_two_that_read_the_same_both_must_say_so():
    message = refused(TwoReaders(), jax.ShapeDtypeStruct((2, 3, 4, 2), jnp.float32))
    assert message.startswith("second reads maps (3, 4, 2)")


X, SYMBOLIC = np.ones((2, 4, 5, 1), np.float32), export.symbolic_shape("n, 4, 5, 1")
RIGHT = Net(flat, declared=(3, 4, 2), implementation="lax")
VARIABLES = jax.tree.map(lambda leaf: np.ones(leaf.shape, leaf.dtype), initialised(RIGHT))
CALLS = {
    "eager": lambda net: net.apply(VARIABLES, X),
    "jit": lambda net: jax.jit(net.apply)(VARIABLES, X),
    "init under vmap": lambda net: jax.vmap(net.init, (0, None))(jax.random.split(KEY, 2), X),
    "apply under vmap": lambda net: jax.vmap(lambda x: net.apply(VARIABLES, x[None]))(X),
    "grad": lambda net: jax.grad(lambda x: net.apply(VARIABLES, x).sum())(X),
    "a method": lambda net: net.apply(VARIABLES, X, method="both"),
    "a function": lambda net: net.apply(VARIABLES, X, method=Net.both, mutable=["batch_stats"]),
    "intermediates": lambda net: net.apply(VARIABLES, X, capture_intermediates=True),
    "a symbolic size": lambda net: export.export(jax.jit(net.apply))(
        VARIABLES, jax.ShapeDtypeStruct(SYMBOLIC, jnp.float32)
    ),
    "lazy_init": lambda net: net.lazy_init(KEY, jax.ShapeDtypeStruct(X.shape, X.dtype)),
    "float64 and a keyword": lambda net: net.apply(VARIABLES, x=np.float64(X)),
    "tabulate": lambda net: net.tabulate(KEY, X),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_it_is_seen_under_every_transformation(call):
    call(RIGHT)
    with pytest.raises(ValueError, match=r"^fc reads maps \(3, 4, 2\) flattened as they lie"):
        call(Net(lambda x: flat(x), implementation="lax"))  # no other network: none is remembered


class Decoder(layers.Module):
    """Features of a Linear, made maps."""

    as_maps: Callable
    declared: tuple | None = None

    def setup(self):
        self.fc = layers.Linear(5, 24, flattened_from=self.declared)
        self.conv = layers.Conv2d(2, 3, 2)

    def __call__(self, x):
        return self.conv(nn.relu(self.as_maps(self.fc(x))))


FEATURES = jax.ShapeDtypeStruct((2, 5), jnp.float32)
WRONG_SPLITS = [
    lambda x: x.reshape(-1, 3, 4, 2),
    lambda x: x.reshape(-1, 3, 2, 4).transpose(0, 1, 3, 2),
    lambda x: x.reshape(-1, 2, 3, 4).transpose(0, 3, 2, 1),
    lambda x: jax.image.resize(x.reshape(-1, 3, 4, 2), (x.shape[0], 6, 8, 2), "linear"),
]


def test_a_linear_over_channels_leaves_it_open_how_torch_has_them():
    stack = [layers.Conv2d(1, 2, 2), layers.Linear(2, 2), Flat()]
    message = refused(layers.Sequential([*stack, layers.Linear(24, 3)]))
    assert message.startswith("3 reads features of the places of maps, (3, 4, 2), flattened as")
    for declared in [(), (3, 4, 2)]:
        initialised(layers.Sequential([*stack, layers.Linear(24, 3, flattened_from=declared)]))


@pytest.mark.parametrize("split", WRONG_SPLITS)
def test_features_that_are_made_maps_channels_last_are_refused(split):
    assert "torch's view is (N, C, H, W)" in refused(Decoder(split), FEATURES)
    initialised(Decoder(split, declared=()), FEATURES)


def test_an_empty_declaration_takes_what_comes_and_converts_it_so():
    net = Net(flat, declared=())
    initialised(net)
    (kernel,) = (
        leaf for leaf in interop.to_torch(net, VARIABLES).items() if leaf[0] == "fc.weight"
    )
    assert kernel[1].shape == (3, 24)
    rising = jax.tree.map(lambda leaf: np.arange(leaf.size).reshape(leaf.shape), VARIABLES)
    kept = rising["params"]["fc"]["kernel"]
    np.testing.assert_array_equal(interop.to_torch(net, rising)["fc.weight"], kept.T)


class Counting(layers.Module):
    """How often it is traced or run is written into a list."""

    layer: nn.Module
    declared: tuple | None = None
    linear: type = layers.Linear

    def setup(self):
        self.fc = self.linear(24, 3, flattened_from=self.declared)

    def __call__(self, x):
        TRACES.append(x.shape)
        return self.fc(flat(self.layer(x)))


TRACES: list = []


@pytest.mark.parametrize(
    ("layer", "declared", "shape", "traces"),
    [
        (layers.ReLU(), None, (4, 6), 3),  # no maps
        (layers.Conv2d(1, 2, 2), (), (4, 5, 1), 3),  # nothing that would be looked at
        (layers.Conv2d(1, 2, 2), (3, 4, 2), (4, 5, 1), 4),  # one look for all
    ],
)
def test_a_network_is_looked_at_once_a_shape_and_only_if_it_has_maps_and_a_linear(
    layer, declared, shape, traces
):
    TRACES.clear()
    model = Counting(layer, declared)
    variables = model.init(KEY, jnp.ones((2, *shape)))
    for n in (2, 3):
        model.apply(variables, jnp.ones((n, *shape)))
    assert len(TRACES) == traces


Jitted = nn.jit(layers.Linear)  # what jit has traced it keeps


def test_no_program_of_a_user_has_a_mark():
    net = Counting(layers.Conv2d(1, 2, 2), (3, 4, 2), Jitted)
    variables = net.init(KEY, X)
    program = str(jax.make_jaxpr(net.apply)(variables, X))
    assert "jit" in program and "flattening" not in program


def test_threads_do_not_disturb_each_other():
    found = []

    def call(i):
        with pytest.raises(ValueError, match="flattened as they lie"):
            initialised(Net(lambda x: flat(x) + i))
        found.append(i)

    threads = [threading.Thread(target=call, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4


def test_tabulate_lists_each_layer_once():
    net = Net(lambda x: flat(x), declared=(3, 4, 2))
    text = net.tabulate(KEY, X)
    assert text.count("Conv2d") == 1
    assert text == net.tabulate(KEY, X)


def test_an_error_of_the_call_is_the_calls_own():
    with pytest.raises(TypeError, match="of my own"):
        initialised(Net(of_my_own))
    with pytest.raises(ValueError, match="last axis of 24, got an input"):
        initialised(Net(lambda x: flat(x)[:, 1:]))


def of_my_own(x):
    raise TypeError("an error of my own")


def test_who_intercepts_calls_sees_each_once():
    seen = []

    def keep(call, args, kwargs, context):
        seen.append((context.module.path, context.method_name))
        return call(*args, **kwargs)

    with nn.intercept_methods(keep):
        initialised(Net(flat, declared=(3, 4, 2)))
    assert seen.count(((), "__call__")) == seen.count((("fc",), "__call__")) == 1


def test_sizes_may_be_numpys():
    initialised(Net(flat, declared=tuple(np.array([3, 4, 2]))))
    refused(Net(flat, declared=tuple(np.array([4, 3, 2]))))

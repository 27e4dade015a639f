"""The look at flattenings: in every kind of call, once a shape, and seen by nobody else."""

import threading

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import Reader, flat, initialised
from jax import export

from flaxnets import layers

KEY = jax.random.key(0)
X, SYMBOLIC = np.ones((2, 4, 5, 1), np.float32), export.symbolic_shape("n, 4, 5, 1")
RIGHT = Reader(flat, declared=(3, 4, 2), implementation="lax")
VARIABLES = jax.tree.map(lambda leaf: np.ones(leaf.shape, leaf.dtype), initialised(RIGHT))
CALLS = {
    "eager": lambda net: net.apply(VARIABLES, X),
    "jit": lambda net: jax.jit(net.apply)(VARIABLES, X),
    "init under vmap": lambda net: jax.vmap(net.init, (0, None))(jax.random.split(KEY, 2), X),
    "apply under vmap": lambda net: jax.vmap(lambda x: net.apply(VARIABLES, x[None]))(X),
    "grad": lambda net: jax.grad(lambda x: net.apply(VARIABLES, x).sum())(X),
    "a method": lambda net: net.apply(VARIABLES, X, method="both"),
    "a function": lambda net: net.apply(VARIABLES, X, method=Reader.both, mutable=["batch_stats"]),
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
        call(
            Reader(lambda x: flat(x), implementation="lax")
        )  # no other network: none is remembered


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
            initialised(Reader(lambda x: flat(x) + i))
        found.append(i)

    threads = [threading.Thread(target=call, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4


def test_tabulate_lists_each_layer_once():
    net = Reader(lambda x: flat(x), declared=(3, 4, 2))
    text = net.tabulate(KEY, X)
    assert text.count("Conv2d") == 1
    assert text == net.tabulate(KEY, X)


def test_an_error_of_the_call_is_the_calls_own():
    with pytest.raises(TypeError, match="of my own"):
        initialised(Reader(of_my_own))
    with pytest.raises(ValueError, match="last axis of 24, got an input"):
        initialised(Reader(lambda x: flat(x)[:, 1:]))


def of_my_own(x):
    raise TypeError("an error of my own")


def test_who_intercepts_calls_sees_each_once():
    seen = []

    def keep(call, args, kwargs, context):
        seen.append((context.module.path, context.method_name))
        return call(*args, **kwargs)

    with nn.intercept_methods(keep):
        initialised(Reader(flat, declared=(3, 4, 2)))
    assert seen.count(((), "__call__")) == seen.count((("fc",), "__call__")) == 1

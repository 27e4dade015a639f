"""``train`` reaches what needs it, through whatever lies between."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from flaxnets import layers

RNGS = {"dropout": jax.random.key(0)}
X = jnp.ones((2, 3))


def test_train_reaches_what_needs_it_through_every_container():
    class Block(layers.Module):
        def setup(self):
            self.drop = layers.Dropout(1.0)

        def __call__(self, x):  # its author has forgotten it
            return self.drop(x)

    class Net(layers.Module):
        def setup(self):
            self.blocks = [Block(), layers.Sequential([layers.ReLU(), layers.Dropout(1.0)])]
            self.ways = {"a": nn.Dropout(1.0), "frozen": layers.Dropout(1.0)}

        def __call__(self, x, train=False):
            return [
                self.blocks[0](x),
                self.blocks[1](x),
                self.ways["a"](x),
                self.ways["frozen"](x, train=False),
            ]

    x = jnp.ones((2, 3))
    outs = Net().apply({}, x, train=True, rngs={"dropout": jax.random.key(0)})
    assert [float(out.sum()) for out in outs] == [0, 0, 0, 6]
    outs = Net().apply({}, x, train=False)
    assert [float(out.sum()) for out in outs] == [6, 6, 6, 6]


def test_what_is_left_out_is_as_before_after_a_call_in_training():
    drop, x = layers.Dropout(1.0), jnp.ones(3)
    body = layers.Sequential([drop])
    assert body.apply({}, x, train=True, rngs={"dropout": jax.random.key(0)}).sum() == 0
    assert body.apply({}, x).sum() == 3
    assert drop.apply({}, x).sum() == 3


class Plain(layers.Module):
    """Drops everything in training, and is told by nobody in person."""

    def setup(self):
        self.drop = layers.Dropout(1.0)

    def __call__(self, x):
        return self.drop(x)

    def encode(self, x, train=False):
        return self.drop(x)


class Whole(layers.Module):
    body: nn.Module

    def __call__(self, x, train=False):
        return self.body(x)


def total(model, **options):
    return float(model.apply({}, X, rngs=RNGS, **options).sum())


def test_methods_of_another_name_pass_it_on_too():
    class Coder(layers.Module):
        def setup(self):
            self.plain = Plain()

        def __call__(self, x, train=False):
            return self.plain.encode(x)

    assert total(Coder(), train=True) == 0
    assert total(Plain(), train=True, method="encode") == 0
    assert total(Plain(), method="encode") == 6


def test_a_method_called_train_is_no_field():
    class Block(layers.Module):
        def train(self):
            return "as in torch"

        @nn.compact
        def __call__(self, x, train=False):
            return layers.Dropout(1.0)(x)

    assert total(Whole(Block()), train=True) == 0


def test_a_default_is_passed_on_like_what_is_given():
    class Always(layers.Module):
        def setup(self):
            self.plain = Plain()

        def __call__(self, x, train=True):
            return self.plain(x)

    assert total(Always()) == 0
    model = Whole(nn.BatchNorm())  # linen's own asks to be told
    assert model.apply(model.init(jax.random.key(0), X), X).shape == X.shape


def test_none_in_its_place_is_as_left_out():
    class Given(layers.Module):
        def setup(self):
            self.norm = nn.BatchNorm()

        def __call__(self, x, train=False):
            return self.norm(x, None)

    assert "batch_stats" in Given().init(jax.random.key(0), X)


def test_a_program_that_nn_jit_keeps_is_not_told_by_the_way():
    """Else the one that was compiled in evaluation would be run in training."""
    model = Whole(nn.jit(Plain)())
    with pytest.raises(ValueError, match=r"without it within JitPlain, which nn\.jit compiles"):
        total(model)


def test_blocks_under_remat_and_scan_are_told():
    class Step(layers.Module):
        def setup(self):
            self.drop = layers.Dropout(1.0)

        def __call__(self, x, _):
            return self.drop(x), None

    class Deep(layers.Module):
        @nn.compact
        def __call__(self, x, train=False):
            scan = nn.scan(Step, split_rngs={"dropout": True}, length=2)
            return scan()(x, None)[0]

    assert total(Whole(nn.remat(Plain)()), train=True) == 0
    assert total(Deep(), train=True) == 0
    assert total(Deep()) == 6

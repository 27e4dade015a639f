"""Level 6: the dropout masks that the Flax side draws for itself."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import torch
from scipy.stats import binomtest

from flaxnets.training.batches import Batch
from flaxnets.parity.records import Record, surprise
from flaxnets.parity.reference import REFERENCES
from flaxnets.parity.subject import Subject, examples
from flaxnets.training.step import initial_state, run_steps

SURE = -np.log10(1e-6)  # how unlikely a count must be to be called wrong


def dropout(subject: Subject, n: int = 256) -> Iterator[Record]:
    """Level 6. What a layer does is seen by giving it ones: it returns its mask, scaled."""
    images = jnp.asarray(examples(n)[0], jnp.float32)
    variables = jax.jit(subject.model.init)(jax.random.key(0), images[:1])
    yield _steps(subject, variables)
    drawing = _drawing(subject.model)
    masks = [drawing(variables, images, True, seed) for seed in (1, 2)]
    masks += [drawing(variables, images, False, 1)]
    modules = REFERENCES[subject.name]().named_modules()
    for name, layer in modules:
        if isinstance(layer, torch.nn.Dropout2d):
            of_layer = (None if name not in d else np.asarray(d[name]) for d in masks)
            for what, error, bound in _layer(layer.p, *of_layer):
                yield Record(subject.name, 6, f"{name}: {what}", "float32", error, bound)


def _steps(subject: Subject, variables: Any, n: int = 32) -> Record:
    """Two steps of ``fit`` from the same parameters on the same batch: only the masks may differ,
    and must if there is a dropout."""
    images, labels = examples(n)
    batch = Batch(jnp.asarray(images, jnp.float32)[None], labels[None], np.ones((1, n)))
    start = initial_state(variables["params"])
    totals = [
        run_steps(subject.model, subject.loss, batch, jax.random.key(0), jnp.full(1, 1e-3),
                  start._replace(step=jnp.asarray(step)), 0, 1)[1]
        for step in (0, 1)
    ]  # fmt: skip
    drops = any(isinstance(m, torch.nn.Dropout2d) for m in REFERENCES[subject.name]().modules())
    name = "a new mask each step" if drops else "no mask in any step"
    differ = bool(totals[0] != totals[1])
    return Record(subject.name, 6, name, "float32", float(differ != drops), 0.0)


def _layer(p: float, first: Any, second: Any, kept: Any) -> Iterator[tuple[str, float, float]]:
    if first is None or second is None or kept is None:
        yield "is called", 1.0, 0.0
        return
    yield "none in evaluation", float(np.any(kept != 1)), 0.0
    places = first.reshape(len(first), -1, first.shape[-1])
    yield "whole channels" if first.ndim == 4 else "single elements", float(_split(places)), 0.0
    values = np.unique(first)
    # 1 / (1 - p) as float32 has it
    scale = np.abs(values[values != 0] - 1 / (1 - p)).max(initial=0) * (1 - p)
    yield "scale 1 / (1 - p)", float(scale), 2.0**-23
    mask, other = (m.reshape(len(m), -1, m.shape[-1])[:, 0] != 0 for m in (first, second))
    yield "rate: -log10 p", _surprise(mask, 1 - p), SURE
    agree = p**2 + (1 - p) ** 2
    yield "independent over the batch: -log10 p", _surprise(mask[::2] == mask[1::2], agree), SURE
    yield "another key, another mask: -log10 p", _surprise(mask == other, agree), SURE


def _split(places: np.ndarray) -> bool:
    """Whether a channel is there in one place and gone in another."""
    return bool(np.any(places.max(1) != places.min(1)))


def _surprise(events: np.ndarray, probability: float) -> float:
    return surprise(binomtest(int(events.sum()), events.size, probability).pvalue)


def _drawing(model: nn.Module) -> Callable[..., dict[str, jax.Array]]:
    """A function that gives each dropout layer's mask, scaled, in a call of the network."""

    @functools.partial(jax.jit, static_argnames="train")
    def drawn(variables: Any, images: Any, train: bool, seed: int) -> dict[str, jax.Array]:
        found: dict[str, jax.Array] = {}

        def ones(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
            name = ".".join(context.module.path)
            out = call(*args, **kwargs)
            if context.method_name == "__call__" and name.startswith("dropout"):
                found[name] = call(jnp.ones_like(args[0]), *args[1:], **kwargs)
            return out

        with nn.intercept_methods(ones):
            model.apply(variables, images, train=train, rngs={"dropout": jax.random.key(seed)})
        return found

    return drawn

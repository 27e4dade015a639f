"""Level 7: gradients."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from flaxnets import interop
from flaxnets.parity.records import (
    FLOAT64,
    Record,
    lanes,
    relative_error,
    rounding_bound,
)
from flaxnets.parity.subject import Pair, Subject, examples, record_masks


def gradients(subject: Subject, n: int = 32) -> Iterator[Record]:
    """Level 7: of every parameter and of the images, with torch's masks replayed."""
    for lane in lanes():
        with lane():
            pair = Pair(subject, lane)
            images, labels = examples(n)
            theirs, x_theirs, masks = _torch_gradients(pair, images, labels)

            def objective(
                params: Any, x: Any, masks: Any, labels: Any, pair: Pair = pair
            ) -> jax.Array:
                outputs = pair.apply({**params, "masks": masks}, x, train=True)
                return pair.subject.loss(outputs, labels).mean()

            x = jnp.asarray(images, lane.dtype)
            gradient = jax.jit(jax.grad(objective, (0, 1)))
            ours, x_ours = gradient(pair.variables, x, masks, labels)
            bound = gradient_bound(pair, n)
            yield Record(
                subject.name, 7, "images", lane.name, relative_error(x_ours, x_theirs), bound
            )
            for leaf in interop.leaves(pair.model):
                a, b = _at(ours, leaf.path), _at(theirs, leaf.path)
                yield Record(subject.name, 7, leaf.name, lane.name, relative_error(a, b), bound)


def gradient_bound(pair: Pair, n: int) -> float:
    """1e-11 in float64. Else there are the sums of the way there and those of the way back, and
    one over the batch, for a convolution over the places of its output too."""
    if pair.lane == FLOAT64:
        return 1e-11
    weights = [tensor for tensor in pair.net.state_dict().values() if tensor.ndim > 1]
    places = 26 * 26 if any(weight.ndim == 4 for weight in weights) else 1
    sums = 2 * sum(np.sqrt(weight[0].numel()) for weight in weights) + np.sqrt(n * places)
    return rounding_bound(pair.lane, float(sums), 2 * len(weights))


def _torch_gradients(pair: Pair, images: Any, labels: Any) -> tuple[Any, np.ndarray, Any]:
    pair.net.train()
    x = pair.torch_images(images).requires_grad_()
    loss, masks = record_masks(pair.net, lambda: pair.torch_loss(pair.net(x), labels))
    loss.backward()
    named = {name: p.grad for name, p in pair.net.named_parameters()}
    assert x.grad is not None
    return pair.convert(named), x.grad.numpy().reshape(images.shape), masks


def _at(tree: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        tree = tree[key]
    return tree

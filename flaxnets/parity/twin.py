"""The twin as compiled functions, of arrays in torch's layouts."""

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from flaxnets.layers.tree import named, visited
from flaxnets.parity.layouts import Inputs, arguments
from flaxnets.parity.trees import named_leaves, numbered
from flaxnets.training.call import mode, statistics

Layers = dict[str, Any]
"""The arrays that each call of a named module gives, by torch's names; the network's as ``output``.
"""


class Trained(NamedTuple):
    """What a call in training gives, and leaves."""

    loss: Any
    layers: Layers  # of inner modules as they lie here, the network's in torch's layout
    changed: dict[str, Any]  # the collections of statistics
    of_params: Any  # the gradient of the loss
    of_inputs: Inputs  # likewise, in torch's layout; float0 where there is none


def called(model: nn.Module, variables: Any, inputs: Inputs, train: bool, **options: Any) -> Any:
    """``model.apply`` in training or evaluation, as the model is told so; inputs as it has them."""
    model, switch = mode(model, train)
    args, kwargs = arguments(inputs)
    return model.apply(variables, *args, **kwargs, **switch, **options)


def outermost(look: Callable[..., Any]) -> Callable[..., Any]:
    """An interceptor of the calls of modules: that of a base's ``__call__`` is none of its own."""
    inside: list[tuple[str, ...]] = []

    def looking(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        path = context.module.path
        if context.method_name != "__call__" or path in inside:
            return call(*args, **kwargs)
        inside.append(path)
        try:
            return look(call, args, kwargs, context)
        finally:
            inside.remove(path)

    return looking


def torch_names(model: nn.Module) -> tuple[dict[tuple[str, ...], str], set[tuple[int, ...]]]:
    """What torch calls the modules at these paths, the first name of each; and the (H, W, C) of
    the maps whose flattening as they lie is read somewhere."""

    def look(bound: nn.Module) -> Any:
        modules = [*named(bound)]
        maps = {getattr(module, "flattened_from", None) for _, module in modules} - {None, ()}
        return {module.path: name for name, module in reversed(modules)}, maps

    found: tuple[Any, Any] = visited(model, look)
    return found


class Twin:
    """Compiled as training and prediction are, once for each shape of its arguments.

    Args:
        model, to_flax, from_flax, loss: as a ``Pair`` has them.
    """

    def __init__(self, model: nn.Module, to_flax: Any, from_flax: Any, loss: Any) -> None:
        self.model, self.to_flax, self.from_flax, self.loss = model, to_flax, from_flax, loss
        self.names, self.flattened = torch_names(model)
        self.evaluated: Callable[..., Layers] = jax.jit(self._evaluated)
        self.trained: Callable[..., Trained] = jax.jit(self._trained)
        self.outputs_in_training: Callable[..., Any] = jax.jit(
            lambda variables, inputs: self._observed(variables, inputs, True)[0]
        )

    def name(self, path: tuple[str, ...]) -> str:
        """torch's, of the module at a path."""
        return self.names.get(path, ".".join(path))

    def _evaluated(self, variables: Any, inputs: Inputs) -> Layers:
        """The outputs in evaluation; (N, ...) each, as ``Trained`` has them."""
        return self._observed(variables, inputs, train=False)[1]

    def _trained(self, variables: Any, inputs: Inputs, targets: Any) -> Trained:
        """In training, with the masks that the variables hold."""

        def objective(params: Any, inputs: Inputs) -> tuple[jax.Array, Any]:
            outputs, layers, changed = self._observed({**variables, "params": params}, inputs, True)
            return jnp.mean(self.loss(outputs, targets)), (layers, changed)

        gradient = jax.value_and_grad(objective, (0, 1), has_aux=True, allow_int=True)
        params = variables.get("params", {})
        (loss, (layers, changed)), (of_params, of_inputs) = gradient(params, inputs)
        return Trained(loss, layers, changed, of_params, _without_float0(of_inputs))

    def _observed(self, variables: Any, inputs: Inputs, train: bool) -> tuple[Any, Layers, Any]:
        found: Layers = {}
        calls: Counter[str] = Counter()

        def keep(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
            out, path = call(*args, **kwargs), context.module.path
            if path:
                name = self.name(path)
                calls[name] += 1
                found.update(named_leaves(numbered(name, calls[name]), out))
            return out

        mutable = statistics(variables) if train else []
        with nn.intercept_methods(outermost(keep)):
            outputs, changed = called(
                self.model, variables, self.to_flax(inputs), train, mutable=mutable
            )
        outputs = self.from_flax(outputs)
        return outputs, {**found, **named_leaves("output", outputs)}, dict(changed)


def _without_float0(tree: Any) -> Any:
    """Whole numbers have no gradient: zeros of one byte, which can leave the program."""
    return jax.tree.map(
        lambda leaf: jnp.zeros(leaf.shape, bool) if leaf.dtype == jax.dtypes.float0 else leaf, tree
    )

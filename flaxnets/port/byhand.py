"""A class written from its modules, where it is not known how they were made.

What is the same in all of them is written out; what differs are fields, named as the author's
arguments where these are what the author wrote there.
"""

from __future__ import annotations

import ast
import inspect
import types
from collections.abc import Callable
from typing import Any

import torch

from flaxnets import layers
from flaxnets.port.author import CONTAINERS, DEPTHS, is_torchs
from flaxnets.port.modules import layer_of
from flaxnets.port.names import LAYERS
from flaxnets.port.operation import Refused
from flaxnets.port.plan import Plan
from flaxnets.port.rewrite import indented


class ByHand:
    """Writes the classes of a plan from what their modules are."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._known: dict[type, tuple[list[str], dict[str, dict[int, str]]]] = {}

    # one module

    def constructor(self, module: Any) -> str:
        """The text that makes a module, or a value."""
        is_own = isinstance(module, torch.nn.Module) and not is_torchs(module)
        if isinstance(module, torch.nn.ModuleList) and not is_own:
            return listed([self.constructor(each) for each in module])
        if isinstance(module, torch.nn.ModuleDict) and not is_own:
            items = (f'"{name}": {self.constructor(each)}' for name, each in module.items())
            return f"{{{', '.join(items)}}}"
        if isinstance(module, torch.nn.Sequential) and not is_own:
            return f"{LAYERS}.Sequential({self._row(module)})"
        if isinstance(module, torch.nn.Module) and not is_own:
            return _called(f"{LAYERS}.{layer_of(module)}", self.arguments(module))
        if is_own:
            return self._own(module)
        return self._plain(module)

    def _plain(self, value: Any) -> str:
        """A number, a text, a list of them, or a function."""
        if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType):
            return self.plan.function(value)
        if isinstance(value, list | tuple):
            texts = [self.constructor(each) for each in value]
            return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
        if isinstance(value, int | float | str | None):
            return repr(value)
        raise Refused(f"an attribute that is {type(value).__name__}", "say it in numbers")

    def _row(self, module: torch.nn.Sequential) -> str:
        names = [*module._modules]
        texts = [self.constructor(each) for each in module]
        if names == [*map(str, range(len(names)))]:
            return f"[{', '.join(texts)}]"
        return f"{{{', '.join(f'{n!r}: {t}' for n, t in zip(names, texts, strict=True))}}}"

    def _own(self, module: torch.nn.Module) -> str:
        """A module of the author's: its fields."""
        fields = self.fields(type(module))
        given = {name: values[id(module)] for name, values in fields.items()}
        return _called(type(module).__name__, given)

    def arguments(self, module: Any) -> dict[str, str]:
        """Of a layer of torch's: the arguments that are not the defaults."""
        if type(module) in DEPTHS:
            return {"p": repr(float(vars(module)[DEPTHS[type(module)]])), "mode": '"row"'}
        kind = getattr(layers, layer_of(module))
        found: dict[str, str] = {}
        for name, parameter in inspect.signature(kind).parameters.items():
            if name in self.plan.analysis.options.get(module, {}):
                found[name] = repr(self.plan.analysis.options[module][name])
                continue
            value = _value(module, name)
            is_default = value is MISSING or value == parameter.default
            if name in OURS or (is_default and parameter.default is not parameter.empty):
                continue
            if value is MISSING:
                continue
            found[name] = self.constructor(value)
        return found

    # a class

    def fields(self, kind: type) -> dict[str, dict[int, str]]:
        """The fields of a class, and their texts for each of its modules."""
        if kind not in self._known:
            self._known[kind] = self._written(kind)
        return self._known[kind][1]

    def lines(self, kind: type) -> list[str]:
        """The body of ``setup``."""
        self.fields(kind)
        return self._known[kind][0]

    def _written(self, kind: type) -> tuple[list[str], dict[str, dict[int, str]]]:
        modules = [each for each in self.plan.net.modules() if type(each) is kind]
        lines, fields = [], dict[str, dict[int, str]]()
        ordered = issubclass(kind, torch.nn.ModuleDict)  # and so all of them are fields
        for name in self._attributes(kind, modules):
            values = [_attribute(module, name) for module in modules]
            here = self.plan.attribute(kind, name)
            if any(isinstance(value, torch.Tensor) for value in values):
                lines.append(self._tensor(kind, name, here, modules, fields))
                continue
            texts = [self.constructor(value) for value in values]
            if len(set(texts)) == 1 and not ordered:
                lines.append(f"self.{here} = {texts[0]}")
            elif not ordered and (text := self._with_fields(name, modules, values, fields)):
                lines.append(f"self.{here} = {text}")
            else:
                fields[here] = {id(m): text for m, text in zip(modules, texts, strict=True)}
        return [indented(line, 2) for line in lines], fields

    def _attributes(self, kind: type, modules: list[torch.nn.Module]) -> list[str]:
        """What its modules hold, and what of the rest is read, in the author's order."""
        held = {n: None for m in modules for n in (*m._parameters, *m._buffers, *m._modules)}
        method = self.plan.method(kind, "__init__")
        order = [_assigned(node) for node in ast.walk(method[1])] if method else []
        read = self.plan.read_by(kind)
        plain = {
            n: None for m in modules for n in vars(m) if n in read and n not in (*held, "training")
        }
        first = [name for name in order if name in held or name in plain]
        return [*dict.fromkeys([*first, *held, *plain])]

    def _with_fields(
        self, name: str, modules: Any, values: Any, fields: dict[str, dict[int, str]]
    ) -> str | None:
        """A layer whose arguments differ."""
        kinds = {type(value) for value in values}
        is_layer = isinstance(values[0], torch.nn.Module) and is_torchs(values[0])
        if len(kinds) > 1 or not is_layer or isinstance(values[0], CONTAINERS):
            return None
        given = [self.arguments(value) for value in values]
        names = list(dict.fromkeys(key for each in given for key in each))
        if any(set(each) != set(names) for each in given):
            return None
        found = {}
        for key in names:
            texts = [each[key] for each in given]
            found[key] = texts[0] if len(set(texts)) == 1 else None
            if found[key] is None:
                column = {id(m): text for m, text in zip(modules, texts, strict=True)}
                known = next((f for f, other in fields.items() if other == column), None)
                field = known or f"{name}_{key}"
                fields[field] = column
                found[key] = f"self.{field}"
        return _called(f"{LAYERS}.{layer_of(values[0])}", found)  # type: ignore[arg-type]

    def _tensor(
        self, kind: type, name: str, here: str, modules: Any, fields: dict[str, dict[int, str]]
    ) -> str:
        """A parameter or buffer of its own."""
        tensors = [_attribute(module, name) for module in modules]
        shapes = [str(tuple(tensor.shape)) for tensor in tensors]
        shape = shapes[0]
        if len(set(shapes)) > 1:
            fields[f"{name}_shape"] = {id(m): s for m, s in zip(modules, shapes, strict=True)}
            shape = f"self.{name}_shape"
        if tensors[0].requires_grad:
            return f'self.{here} = self.param("{here}", nn.initializers.zeros, {shape})'
        dtype = self.plan.dtype(tensors[0])
        more = f", {dtype}" if dtype else ""
        return f'self.{here} = self.variable("buffers", "{here}", jnp.zeros, {shape}{more})'


MISSING: Any = object()
OURS = ("parent", "name", "dtype", "param_dtype", "implementation")
OTHERWISE: dict[str, Callable[[Any], Any]] = {  # what torch keeps under another name
    "use_bias": lambda m: getattr(m, "bias", getattr(m, "in_proj_bias", None)) is not None,
    "nonlinearity": lambda m: m.nonlinearity if hasattr(m, "nonlinearity") else m.mode[4:].lower(),
    "d_model": lambda m: m.self_attn.embed_dim,
    "nhead": lambda m: m.self_attn.num_heads,
    "dim_feedforward": lambda m: m.linear1.out_features,
    "layer_norm_eps": lambda m: m.norm1.eps,
    "encoder_layer": lambda m: m.layers[0],
    "decoder_layer": lambda m: m.layers[0],
    "add_bias_kv": lambda m: m.bias_k is not None,
}
OF_TRANSFORMERS: dict[str, Callable[[Any], Any]] = {
    "dropout": lambda m: m.dropout.p,
    "batch_first": lambda m: m.self_attn.batch_first,
    "use_bias": lambda m: m.linear1.bias is not None,
}


def _value(module: Any, name: str) -> Any:
    """An argument of torch's that a layer was made with."""
    if name == "use_bias" and isinstance(getattr(module, "bias", None), bool):
        return module.bias  # of recurrent networks
    ways = {**OTHERWISE, **(OF_TRANSFORMERS if hasattr(module, "self_attn") else {})}
    if name in ways and not isinstance(module, torch.nn.PReLU):
        try:
            return ways[name](module)
        except AttributeError:
            return MISSING
    value = getattr(module, name, MISSING)
    is_convolution = type(module).__name__.startswith("Conv")
    is_single = isinstance(value, tuple) and (len(value) == 1 or is_convolution)
    return value[0] if is_single and len({*value}) == 1 else value


def _attribute(module: torch.nn.Module, name: str) -> Any:
    return getattr(module, name, None)


def _assigned(node: ast.AST) -> str:
    """The attribute that a statement sets."""
    target = node.targets[0] if isinstance(node, ast.Assign) else None
    if isinstance(target, ast.Attribute):
        return target.attr
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
        first = node.args[0]
        if node.func.attr in ("register_buffer", "register_parameter", "add_module"):
            return str(first.value) if isinstance(first, ast.Constant) else ""
    return ""


def listed(texts: list[str]) -> str:
    """A list; of the same again and again, a comprehension."""
    if len(texts) > 2 and len(set(texts)) == 1:
        return f"[{texts[0]} for _ in range({len(texts)})]"
    return f"[{', '.join(texts)}]"


def _called(name: str, given: dict[str, str]) -> str:
    """A call: what has no name of its own to the reader comes by place."""
    texts = []
    is_placed = True
    for i, (key, text) in enumerate(given.items()):
        is_placed &= i < 2 or key == "kernel_size"
        texts.append(text if is_placed and key in PLACED else f"{key}={text}")
        is_placed &= key in PLACED
    return f"{name}({', '.join(texts)})"


PLACED = (
    "in_channels",
    "out_channels",
    "kernel_size",
    "in_features",
    "out_features",
    "num_features",
    "p",
    "normalized_shape",
    "num_embeddings",
    "embedding_dim",
    "input_size",
    "hidden_size",
    "output_size",
)

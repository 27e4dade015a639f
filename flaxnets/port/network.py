"""The whole source of a port: its classes and functions in their author's order."""

from __future__ import annotations

import ast
import re
import textwrap
from typing import Any

from flaxnets.port.author import File, class_of, is_torchs
from flaxnets.port.classes import Unit, class_unit, docstring, untyped, without_docstring
from flaxnets.port.formatting import formatted
from flaxnets.port.forward import Forward, signature
from flaxnets.port.names import LAYERS
from flaxnets.port.plan import Plan
from flaxnets.port.setup import Setup


def written(plan: Plan, root: str, header: str) -> str:
    """The source, formatted."""
    units = [class_unit(plan, kind, owner) for kind, owner in plan.classes.items()]
    units += [] if plan.by_hand else _sequentials(plan)
    done: set[Any] = set()
    while todo := [key for key in plan.functions if key not in done]:
        for key in todo:
            done.add(key)
            units.append(_function(plan, *key))
    order = {file.path: i for i, file in enumerate(_files(plan, units))}
    units.sort(key=lambda unit: (order[unit.file.path], unit.node.lineno))
    if is_torchs(plan.net):
        made = f"def network() -> {root.partition('(')[0]}:\n    return {root}"
        units_text, root = [*(unit.text for unit in units), made], "network()"
    else:
        units_text = [unit.text for unit in units]
    body = "\n\n\n".join([*units_text, _load(plan, root)])
    constants = "\n".join(_constant(plan, *key) for key in [*plan.constants])
    text = f"{header}\n{_imports(plan, constants + body)}\n{constants}\n\n{body}"
    return formatted(_with_alias(text))


def _files(plan: Plan, units: list[Unit]) -> list[File]:
    """Those that others use before them."""
    files = list(dict.fromkeys(unit.file for unit in reversed(units)))
    own = class_of(type(plan.net)).file if not is_torchs(plan.net) else None
    return sorted(files, key=lambda file: file is own)


def _function(plan: Plan, file: File, node: ast.FunctionDef) -> Unit:
    """A function of the author's."""
    if plan.functions[file, node] == "call":
        writer: Any = Forward(plan, file, None)
        body = writer.block(without_docstring(node), 1)
        head = f"def {node.name}({', '.join(signature(node, {}, False))}):"
    else:
        writer = Setup(plan, file, None, {})
        body = writer.block(without_docstring(node), 1)
        head = f"def {node.name}({untyped(plan, file, node)}):"
    return Unit(file, node, [head, *docstring(node, 1), *body])


def _sequentials(plan: Plan) -> list[Unit]:
    """Classes that are a ``Sequential`` with arguments: functions that make it."""
    units = []
    for kind, owner in plan.sequentials.items():
        found = class_of(kind)
        method = plan.method(kind, "__init__")
        if method is None:
            continue
        file, node = method
        writer = Setup(plan, file, owner, {})
        body = writer.block(without_docstring(node), 1)
        head = f"def {kind.__name__}({untyped(plan, file, node).replace('self, ', '', 1)}):"
        units.append(Unit(found.file, found.node, [head, *docstring(found.node, 1), *body]))
    return units


def _constant(plan: Plan, file: File, name: str) -> str:
    return Setup(plan, file, None, {}).kept(plan.constants[file, name])


def _load(plan: Plan, root: str) -> str:
    kind = "nn.Module" if is_torchs(plan.net) else root.partition("(")[0]
    text = f'''
    def load() -> tuple[{kind}, dict[str, Any]]:
        """The network, and its variables from ``weights.safetensors`` beside this file."""
        weights = load_file(Path(__file__).with_name("weights.safetensors"))
        return {root}, unflatten_dict(weights, sep="/")
    '''
    return textwrap.dedent(text).strip() + "\n"


def _imports(plan: Plan, text: str) -> str:
    names = {name for name in ("Callable", "Sequence") if re.search(rf"\b{name}\[", text)}
    standard = [f"from collections.abc import {', '.join(sorted(names))}"] if names else []
    standard += ["from pathlib import Path", "from typing import Any"]
    theirs = ["import flax.linen as nn"] if re.search(r"\bnn\.", text) else []
    theirs += ["import jax"] if re.search(r"\bjax\.", text) else []
    theirs += ["import jax.numpy as jnp"] if re.search(r"\bjnp\.", text) else []
    theirs += [
        "from flax.traverse_util import unflatten_dict",
        "from safetensors.numpy import load_file",
    ]
    ours = [f"from flaxnets import {LAYERS}"]
    blocks = ["\n".join(sorted([*standard, *plan.imports])), "\n".join(theirs), "\n".join(ours)]
    return "\n" + "\n\n".join(blocks) + "\n"


def _with_alias(text: str) -> str:
    """``layers``, unless the author has something of this name."""
    is_taken = re.search(r"(?<![\w.])layers\b(?!\.)", text.replace(LAYERS, ""))
    names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    names |= {node.arg for node in ast.walk(ast.parse(text)) if isinstance(node, ast.arg)}
    if not is_taken and "layers" not in names:
        return text.replace(LAYERS, "layers")
    return text.replace(f"import {LAYERS}", "import layers as fl").replace(LAYERS, "fl")

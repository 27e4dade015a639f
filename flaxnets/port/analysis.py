"""How everything lies, and what stands in the place of each operation of the source."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from flaxnets.port import modules
from flaxnets.port.author import File, class_of, is_torchs
from flaxnets.port.layouts import Layout, moved
from flaxnets.port.offences import Offences
from flaxnets.port.operation import Operation, Refused, Written, unheard
from flaxnets.port.record import Event, Run
from flaxnets.port.rules import RULES

CASTS = ("to", "type")  # the dtype of what they give is looked at
UNKNOWN = "write it with operations that the guide lists, or port the rest by itself"
MOST = 100  # rounds; each settles one more place at least


class OwnLayer(NamedTuple):
    """A layer that the author wrote as a function: dropout needs a key of its own."""

    owner: type
    name: str
    kind: str
    p: Any


class Analysis:
    """What is known of the runs of a network.

    Attributes:
        written: of nodes of the source, what stands there instead.
        shapes: of nodes that are the shape of maps, how many axes these have.
        options: of torch's own layers, the arguments that they need here beside torch's.
        own_layers: of nodes, the layers for what is no layer in torch.
        wishes: where a tensor comes from, how it is to lie.
    """

    def __init__(self, net: torch.nn.Module, runs: Sequence[Run], offences: Offences) -> None:
        self.net, self.runs, self.offences = net, runs, offences
        self.wishes: dict[Any, str] = {}
        self._of_layers = {
            id(p) for m in net.modules() if is_torchs(m) for p in m.parameters(recurse=False)
        }
        self._own = {id(module) for module in net.modules()}
        self.own_layers: dict[ast.AST, OwnLayer] = {}
        for _ in range(MOST):
            before = dict(self.wishes)
            self._look()
            if self.wishes == before:
                break
        else:
            what = "how it lies is not settled"
            self._refused.append(self._of_network(Refused(what, "port its parts by themselves")))
        for file, node, refused in self._refused:
            offences.at(file, node, refused.what, refused.remedy)
        self._look_at(runs[0].outputs)

    def _look_at(self, outputs: Any) -> None:
        """Outputs are a tree of tensors."""
        for leaf in torch.utils._pytree.tree_leaves(outputs):
            if leaf is not None and not isinstance(leaf, torch.Tensor | int | float):
                found = class_of(type(next(m for m in self.net.modules() if not is_torchs(m))))
                what = f"an output that is {type(leaf).__name__}"
                self.offences.at(found.file, found.node, what, "return tensors, tuples and dicts")

    def _look(self) -> None:
        self.settled = dict(self.wishes)  # all of a round see the same
        self.written: dict[ast.AST, Written] = {}
        self.shapes: dict[ast.AST, int] = {}
        self.options: dict[torch.nn.Module, dict[str, Any]] = {}
        self.calls: dict[ast.AST, tuple[list[torch.nn.Module], Written]] = {}
        self.seen: set[ast.AST] = set()
        self.layouts: dict[int, Layout] = {}
        self.given: dict[int, list[Layout]] = {}  # by the calls of modules, before they are moved
        self.flattened: list[tuple[Event, Any, tuple[int, ...]]] = []  # by layers
        self._refused: list[tuple[File, ast.AST | int, Refused]] = []
        self._seen: dict[ast.AST, Event] = {}
        for run in self.runs:
            for name, value in run.inputs.items():
                self._lay_input(name, value)
            for event in run.events:
                self._take(event)
        self._look_at_flattenings()

    def _look_at_flattenings(self) -> None:
        """A ``Flatten`` keeps torch's order, but where a layer is told of these maps."""
        told = {options.get("flattened_from") for options in self.options.values()}
        for event, origin, maps in self.flattened:
            if maps not in told:
                self.wish(origin, "torch")
            elif self.wishes.get(origin) == "torch":
                what = "maps of one size that are flattened in two orders"
                self._refuse(event, Refused(what, "flatten this one by torch.flatten(x, 1)"))

    def _lay_input(self, name: str, value: Any) -> None:
        """Four axes are maps; three are as what reads them wants them."""
        for i, leaf in enumerate(torch.utils._pytree.tree_leaves(value)):
            if isinstance(leaf, torch.Tensor):
                origin = ("input", name, i)
                last = leaf.ndim == 4 and leaf.is_floating_point()
                last = last or self.settled.get(origin) == "last"
                self.layouts[id(leaf)] = Layout(last=last, origin=origin)

    def _take(self, event: Event) -> None:
        if event.node is not None:
            self.seen.add(event.node)
        try:
            written = self._written(event)
        except Refused as refused:
            self._refuse(event, refused)
            return
        if written is None or event.node is None:
            return
        written = self._as_wished(event, written)
        if self.written.setdefault(event.node, written) != written:
            self._alike(event)
        self._seen.setdefault(event.node, event)

    def _as_wished(self, event: Event, written: Written) -> Written:
        """The result, brought to the layout that is wished where it is made."""
        wish, out = self.settled.get(event.node or 0, ""), event.out
        if not isinstance(out, torch.Tensor) or out.ndim < 3:
            return written
        layout = self.lies(out)
        is_own = layout.origin is event.node and not layout.flat
        if not is_own or wish not in ("last", "torch") or (wish == "last") == layout.last:
            return written
        self.set(out, layout._replace(last=wish == "last"))
        return written._replace(outer=moved("{}", wish == "last", out.ndim))

    def _alike(self, event: Event) -> None:
        """One text for two uses: all that it reads lies as in torch, or it is refused."""
        before = dict(self.wishes)
        first = event if event.node is None else self._seen.get(event.node, event)
        for each in (event, first):
            for tensor in torch.utils._pytree.tree_leaves((each.args, each.kwargs)):
                if isinstance(tensor, torch.Tensor) and self.lies(tensor).kind != "torch":
                    self.wish(self.lies(tensor).origin, "torch")
        if self.wishes == before:
            what = "this is used in two ways, which are written differently here"
            self._refuse(event, Refused(what, "write it twice, once for each"))

    def _written(self, event: Event) -> Written | None:
        if event.module is not None:
            self._called(event, event.module)
            return None
        read = () if event.name.startswith("__get") else (event.args, event.kwargs)
        for leaf in torch.utils._pytree.tree_leaves(read):
            if isinstance(leaf, torch.nn.Parameter) and id(leaf) in self._of_layers:
                raise Refused(
                    "the weight of a layer is read", "call the layer, or hold a Parameter"
                )
        if event.name not in RULES:
            raise Refused(f"{event.name} is not known", UNKNOWN)
        signature, rule = RULES[event.name]
        written = rule(Operation(self, event, signature))
        if options := [] if event.name in CASTS else unheard(event, signature, written):
            raise Refused(f"{event.name} with {', '.join(options)}", UNKNOWN)
        return written

    def _called(self, event: Event, module: torch.nn.Module) -> None:
        """The call of a module: its operands may have to be brought to another layout."""
        op = Operation(self, event, "input")
        if id(module) not in self._own:
            raise Refused("a module that the network does not hold", "make it in __init__")
        if is_torchs(module) and not isinstance(module, torch.nn.Sequential):
            modules.call(op, module)
        leaves = torch.utils._pytree.tree_leaves(event.out)
        tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
        self.given[id(event)] = [self.lies(leaf) for leaf in tensors]
        if event.node is None:
            return
        own = self._as_wished(event, op.written("{}"))
        found, written = self.calls.setdefault(event.node, ([], own))
        if module not in found:
            found.append(module)
        if written != own:
            self._alike(event)
        self._seen.setdefault(event.node, event)

    def _refuse(self, event: Event, refused: Refused) -> None:
        if event.file is not None and event.node is not None:
            self._refused.append((event.file, event.node, refused))
        else:
            self._refused.append(self._of_network(refused, event.owner))

    def _of_network(
        self, refused: Refused, owner: torch.nn.Module | None = None
    ) -> tuple[File, ast.AST, Refused]:
        """What has no line of its own is told at a class of the author's."""
        known = [m for m in (owner, *self.net.modules()) if m is not None and not is_torchs(m)]
        if not known:
            raise refused
        found = class_of(type(known[0]))
        return found.file, found.node, refused

    def lies(self, value: torch.Tensor) -> Layout:
        """How a tensor lies; what the network holds, as in torch."""
        return self.layouts.get(id(value), Layout())

    def set(self, value: torch.Tensor, layout: Layout) -> None:
        """How a tensor lies."""
        self.layouts[id(value)] = layout

    def wish(self, origin: Any, kind: str) -> None:
        """That what comes from there lies otherwise; the first one has it."""
        if origin is not None:
            self.wishes.setdefault(origin, kind)

    def shape(self, node: ast.AST, rank: int) -> None:
        """A node is the whole shape of maps."""
        self.shapes[node] = rank

    def option(self, op: Operation, module: torch.nn.Module, name: str, value: Any) -> None:
        """An argument that a layer needs here. Two of one name are refused."""
        options = self.options.setdefault(module, {})
        if options.setdefault(name, value) != value:
            self.wishes.setdefault(op.lies(op.event.args[0]).origin, "torch")

    def own_layer(self, op: Operation, kind: str, p: Any) -> str:
        """The name of the layer that stands for a function."""
        node: Any = op.event.node
        owner, p = type(op.event.owner), 0.5 if p is None else p
        before = self.own_layers[node].p[0] if node in self.own_layers else p
        if before != p and not is_attribute(op.nodes.get("p")):
            raise Refused("a dropout of several probabilities", "make a layer for each")
        if node not in self.own_layers:
            taken = {each.name for each in self.own_layers.values() if each.owner is owner}
            taken |= {name for name in dir(op.event.owner) if not name.startswith("_")}
            base = "dropout"
            names = [base, *(f"{base}{i}" for i in range(2, 99))]
            name = next(name for name in names if name not in taken)
            p_node = op.nodes.get("p")
            self.own_layers[node] = OwnLayer(owner, name, kind, (p, p_node))
        return self.own_layers[node].name

    def follows_training(self, node: ast.AST | None) -> bool:
        """Whether an argument of a call is the module's own flag."""
        given = (
            [*node.args, *(k.value for k in node.keywords)] if isinstance(node, ast.Call) else []
        )
        return any(isinstance(each, ast.Attribute) and each.attr == "training" for each in given)

    def insist(self, op: Operation, value: torch.Tensor) -> None:
        """Operands that are not named cannot be wrapped."""
        if op.lies(value).origin is None or op.lies(value).last:
            what = f"{op.event.name} of maps"
            raise Refused(what, "permute them before, so that it is written in their own axes")


def is_attribute(node: ast.AST | None) -> bool:
    """Whether it is ``self.name``, which each module has its own of."""
    is_own = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    return is_own and node.value.id == "self"  # type: ignore[union-attr]

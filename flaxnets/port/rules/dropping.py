"""Dropout as a function: a layer of its own here, since it needs a key."""

from collections.abc import Callable

from flaxnets.port.operation import Operation, Refused, Written

Make = Callable[[Operation], Written | None]
LAYERS = {
    "dropout": "Dropout",
    "dropout1d": "Dropout1d",
    "dropout2d": "Dropout2d",
    "alpha_dropout": "AlphaDropout",
    "feature_alpha_dropout": "FeatureAlphaDropout",
}


def _dropped(op: Operation) -> Written:
    layout = op.lies(op.input)
    if op.event.name in ("dropout1d", "dropout2d", "feature_alpha_dropout") and op.rank > 2:
        op.want("input", last=True)
        layout = op.lies(op.input)._replace(last=True)
    op.gives(layout)
    train = _train(op)
    name = op.analysis.own_layer(op, LAYERS[op.event.name], op["p"])
    return op.written(f"self.{name}({{input}}{train})")


def _train(op: Operation) -> str:
    """The argument that says when it drops: always, where ``training`` is left out."""
    follows = op.analysis.follows_training(op.event.node)
    if "training" not in op.values and op.nodes is not None:
        return ", train=True"
    if follows:
        return ", train"
    if op["training"] is True:
        return ", train=True"
    if op["training"] is False:
        return ", train=False"
    raise Refused("a training flag that is no self.training", "say training=self.training")


RULES: dict[str, tuple[str, Make]] = dict.fromkeys(LAYERS, ("input p training inplace", _dropped))

"""Recurrent networks and their cells."""

import numpy as np
from hypothesis import strategies as st

from draws.draw import Draw, Layer, Wrong, normal

sizes = st.integers(1, 5)
SMALL = {"input_size": 3, "hidden_size": 4}


def sequences(arguments, steps, is_lstm=False, has_state=False, is_single=False):
    """A sequence (T, N, C), or (N, T, C) with ``batch_first``, and the first state."""

    def inputs(n, rng):
        batch = () if is_single else (n,)
        first = arguments.get("batch_first", False)
        before = (*batch, steps) if first else (steps, *batch)
        x = rng.normal(size=(*before, arguments["input_size"]))
        if not has_state:
            return (x,)
        directions = 2 if arguments.get("bidirectional") else 1
        count, hidden = arguments.get("num_layers", 1) * directions, arguments["hidden_size"]
        h = rng.normal(size=(count, *batch, arguments.get("proj_size", 0) or hidden))
        return x, (h, rng.normal(size=(count, *batch, hidden))) if is_lstm else h

    return inputs


@st.composite
def recurrent(draw, name):
    """All options, with a first state and without, of a batch or a single sequence."""
    layers = draw(st.integers(1, 3))
    arguments = {
        "input_size": draw(sizes),
        "hidden_size": draw(st.integers(2, 5)),
        "num_layers": layers,
        "bias": draw(st.booleans()),
        "batch_first": draw(st.booleans()),
        # torch warns of a dropout that is between no layers
        "dropout": draw(st.sampled_from([0, 0.3, 0.5, 1])) if layers > 1 else 0.0,
        "bidirectional": draw(st.booleans()),
    }
    if name == "RNN":
        arguments["nonlinearity"] = draw(st.sampled_from(["tanh", "relu"]))
    if name == "LSTM":
        arguments["proj_size"] = draw(st.integers(0, arguments["hidden_size"] - 1))
    given = {"has_state": draw(st.booleans()), "is_single": draw(st.booleans())}
    return Draw(arguments, sequences(arguments, draw(sizes), name == "LSTM", **given))


def cell_inputs(arguments, is_lstm=False, has_state=False, is_single=False):
    """An input (N, C), and a state."""

    def inputs(n, rng):
        batch = () if is_single else (n,)
        x = rng.normal(size=(*batch, arguments["input_size"]))
        h, c = rng.normal(size=(2, *batch, arguments["hidden_size"]))
        return (x, (h, c) if is_lstm else h) if has_state else (x,)

    return inputs


@st.composite
def cell(draw, name):
    """All options, with a state and without, of a batch or a single input."""
    arguments = {"input_size": draw(sizes), "hidden_size": draw(sizes), "bias": draw(st.booleans())}
    if name == "RNNCell":
        arguments["nonlinearity"] = draw(st.sampled_from(["tanh", "relu"]))
    given = {"has_state": draw(st.booleans()), "is_single": draw(st.booleans())}
    return Draw(arguments, cell_inputs(arguments, name == "LSTMCell", **given))


def layer(name, example, *wrong):
    """One of the three networks; what each of them refuses, and more."""
    return Layer(
        recurrent(name),
        [Draw(example, sequences(example, 3, name == "LSTM", has_state=True))],
        wrong=[
            *(Wrong({**SMALL, size: 0}, message=size) for size in (*SMALL, "num_layers")),
            *(Wrong({**SMALL, "dropout": p}) for p in (-0.1, 1.5, True)),
            Wrong({**SMALL, "batch_first": 1}),
            Wrong(SMALL, normal(5, 4), "last axis of 3"),
            Wrong(SMALL, normal(5, 4, 3), "features"),
            Wrong(SMALL, lambda n, _: (np.ones((0, n, 3)),), "one step"),
            Wrong(SMALL, lambda n, _: (np.ones((2, n, 3), int),), "takes floating numbers"),
            *wrong,
        ],
    )


def of_cell(name, example, *wrong):
    """One of the three cells; what each of them refuses, and more."""
    return Layer(
        cell(name),
        [Draw(example, cell_inputs(example, name == "LSTMCell", has_state=True))],
        wrong=[
            Wrong(SMALL, normal(4), "last axis of 3"),
            Wrong(SMALL, normal(2, 3), "features"),
            *wrong,
        ],
    )


# A program of two layers in two directions takes seconds to compile: those are left to draws.
TWO = {**SMALL, "num_layers": 2, "dropout": 0.5}
STATE = "first states of"


def with_state(*shapes):
    """A sequence of two steps, and a state of these shapes."""
    state = tuple(np.ones(shape) for shape in shapes)
    return lambda n, _: (np.ones((2, n, 3)), state if len(state) > 1 else state[0])


LAYERS = {
    "RNN": layer(
        "RNN",
        {**TWO, "nonlinearity": "relu"},
        Wrong({**SMALL, "nonlinearity": "sigmoid"}),
        Wrong(SMALL, with_state((1, 1, 4)), STATE),
        Wrong({**SMALL, "proj_size": 2}),
    ),
    "LSTM": layer(
        "LSTM",
        {**SMALL, "proj_size": 2, "batch_first": True, "bidirectional": True},
        Wrong({**SMALL, "proj_size": 4}),
        Wrong({**SMALL, "proj_size": -1}),
        Wrong(SMALL, with_state((1, 2, 4), (1, 2, 3)), STATE),
        Wrong(SMALL, with_state((1, 2, 4)), "a pair of states"),
    ),
    "GRU": layer("GRU", TWO, Wrong(SMALL, with_state((2, 2, 4)), STATE)),
    "RNNCell": of_cell(
        "RNNCell",
        {**SMALL, "nonlinearity": "relu"},
        Wrong({**SMALL, "nonlinearity": "sigmoid"}, normal(3)),
        Wrong(SMALL, lambda n, _: (np.ones((n, 3)), np.ones((1, 4))), "a state of"),
    ),
    "LSTMCell": of_cell(
        "LSTMCell", SMALL, Wrong(SMALL, lambda n, _: (np.ones((n, 3)), np.ones((n, 4))), "pair")
    ),
    "GRUCell": of_cell(
        "GRUCell", SMALL, Wrong(SMALL, lambda n, _: (np.ones((n, 3)), np.ones((n, 3))), "state of")
    ),
}

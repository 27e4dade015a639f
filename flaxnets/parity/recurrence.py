"""The masks that torch's recurrent networks draw, for each layer but the last."""

from collections.abc import Iterator

import torch

from flaxnets.parity.drawn import Call, Drawn
from flaxnets.parity.layouts import as_ours

RECURRENT = {torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu}
# What they take, in order:
TAKEN = ("input", "hx", "params", "has_biases", "num_layers", "dropout", "train")
ALL_TAKEN = (*TAKEN, "bidirectional", "batch_first")


def by_recurrence(call: Call) -> Iterator[Drawn]:
    """In C, where nobody sees them: drawn again from the same random state.

    Raises ValueError if that leaves another random state than the call has left.
    """
    args, after = call.args, torch.get_rng_state()
    is_packed = len(args) > 3 and not isinstance(args[3], bool)  # it has batch_sizes too
    in_order = (args[0], *args[2:]) if is_packed else args
    given = dict(zip(ALL_TAKEN, in_order, strict=False))
    given = {"batch_first": False, **given, **call.kwargs}
    p = given["dropout"]
    if not given["train"] or p == 0:
        return
    # In there the first axis is time, and the outputs of every layer are of one shape.
    outputs = call.out[0].transpose(0, 1) if given["batch_first"] else call.out[0]
    ones = torch.ones(outputs.shape, dtype=outputs.dtype)
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(call.before)
        for _ in range(given["num_layers"] - 1):
            keep = as_ours(torch.dropout(ones, p, True) != 0)
            yield Drawn("", p, keep, (0.0, 1 / (1 - p)) if p < 1 else None)
        if not torch.equal(torch.get_rng_state(), after):
            raise ValueError("draws masks that cannot be drawn again")

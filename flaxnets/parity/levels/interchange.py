"""Level 11 where there is no dataset: weights there and back, and another batch size."""

from collections.abc import Iterator

from flaxnets.interop.layout import as_numpy
from flaxnets.parity.bounds import lanes
from flaxnets.parity.levels.forward import evaluated
from flaxnets.parity.pair import Pair
from flaxnets.parity.records import Record
from flaxnets.parity.sides import Sides


def interchange(pair: Pair) -> Iterator[Record]:
    """Level 11: a ``state_dict`` to variables and back, to the bit, in its own dtypes; and the
    outputs of another number of examples than the other levels look at."""
    theirs = {name: as_numpy(tensor) for name, tensor in pair.network().state_dict().items()}
    back = pair.to_torch(pair.model, pair.from_torch(pair.model, theirs))
    wrong = [
        name
        for name, array in theirs.items()
        if name not in back
        or (back[name].dtype, back[name].tobytes()) != (array.dtype, array.tobytes())
    ]
    name = ": ".join(["there and back, to the bit", *wrong[:1]])
    yield Record(pair.name, 11, name, "exact", float(bool(wrong)), 0.0)
    if pair.other is None:
        return
    inputs, _ = pair.examples(pair.other)
    for lane in lanes():
        with lane():
            for record in evaluated(11, Sides(pair, lane), inputs, "output"):
                yield record._replace(name=f"{record.name} of {pair.other} examples")

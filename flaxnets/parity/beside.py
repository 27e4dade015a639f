"""What rounding does to torch itself."""

from collections.abc import Callable, Mapping, Sequence

from flaxnets.parity.bounds import FLOAT32, FLOAT64
from flaxnets.parity.records import Record
from flaxnets.parity.sides import Sides

FURTHER = 8  # than torch is from itself: its sums are of one order, ours of another
WIDEST = 1e-10  # of float64: beyond it nobody is right


def beside_itself(
    sides: Sides,
    records: Sequence[Record],
    own_errors: Callable[[Sides], Mapping[str, float]],
) -> list[Record]:
    """Records, with wider bounds where torch's own rounding goes further.

    The bounds are of the sums of torch's layers. What else a network computes, an output that
    cancels, or a norm over few values, rounds further: there torch in the other precision says how
    far float32 is off, and float64 is so much less as its numbers are closer.

    Args:
        own_errors: of torch in the precision of these sides, beside the sides in another one that
            it is given. It is called if a record has failed.
    """
    if all(record.passed for record in records):
        return list(records)
    is_wide = sides.lane == FLOAT64
    other = FLOAT32 if is_wide else FLOAT64
    with other():
        own = own_errors(Sides(sides.pair, other))
    share = FURTHER * (FLOAT64.epsilon / FLOAT32.epsilon if is_wide else 1)
    limit = WIDEST if is_wide else float("inf")
    return [
        record
        if record.passed
        else record._replace(bound=max(record.bound, min(limit, share * own.get(record.name, 0.0))))
        for record in records
    ]

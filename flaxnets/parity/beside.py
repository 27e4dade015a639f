"""What a narrow precision does to torch itself."""

from collections.abc import Callable, Mapping, Sequence

from flaxnets.parity.bounds import FLOAT64
from flaxnets.parity.records import Record
from flaxnets.parity.sides import Sides

FURTHER = 8  # than torch is from itself: its sums are of one order, ours of another


def beside_itself(
    sides: Sides,
    records: Sequence[Record],
    own_errors: Callable[[Sides], Mapping[str, float]],
) -> list[Record]:
    """Records in a narrow precision, with wider bounds where torch itself is as far off.

    The bounds are of the sums of torch's layers. What else a network computes, or an output that
    cancels, rounds further: there torch in float64 says how far torch itself is off.

    Args:
        own_errors: of torch in the precision of these sides, beside the sides in float64 that it is
            given. It is called if a record has failed.
    """
    if sides.lane == FLOAT64 or all(record.passed for record in records):
        return list(records)
    with FLOAT64():
        own = own_errors(Sides(sides.pair, FLOAT64))
    return [
        record if record.passed else _widened(record, own.get(record.name, 0.0))
        for record in records
    ]


def _widened(record: Record, own: float) -> Record:
    return record._replace(bound=max(record.bound, FURTHER * own))

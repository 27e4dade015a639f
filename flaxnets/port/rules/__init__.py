"""What each operation of torch's is here: by its name, its operands' names, and a function."""

from collections.abc import Callable

from flaxnets.port.operation import Operation, Written
from flaxnets.port.rules import (
    attention,
    dropping,
    elementwise,
    joining,
    maps,
    ordering,
    reductions,
    reshaping,
    selecting,
    values,
)

Rule = tuple[str, Callable[[Operation], Written | None]]

RULES: dict[str, Rule] = {
    **elementwise.RULES,
    **reshaping.RULES,
    **selecting.RULES,
    **joining.RULES,
    **reductions.RULES,
    **maps.RULES,
    **ordering.RULES,
    **attention.RULES,
    **dropping.RULES,
    **values.RULES,
}

"""The checks are checked: what the levels make of the mutants."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from flaxnets.data import Split, Splits
from flaxnets.parity import mutants
from flaxnets.parity.compare import compare
from flaxnets.parity.mutants import Mutant
from flaxnets.parity.tutorials import TUTORIALS, Setting

REFUSED = "refused"  # it did not even run, which is not how a mistake should be found
TRIED = range(2, 10)  # levels; 10 and 11 would train each mutant


class Trial(NamedTuple):
    """What came of a mutant."""

    mutant: Mutant
    seen: dict[int, str]  # the levels that fail, and the first record that does

    @property
    def passed(self) -> bool:
        """Whether the level that should see it does, or none if it changes nothing."""
        if self.mutant.level is None:
            return not self.seen
        return self.seen.get(self.mutant.level, REFUSED) != REFUSED


def attempt(mutant: Mutant, setting: Setting, levels: Iterable[int] = TRIED) -> Trial:
    """Run the levels on a mutant."""
    return Trial(mutant, dict(_failures(mutant, setting, levels)))


def _failures(mutant: Mutant, setting: Setting, levels: Iterable[int]) -> Iterator[tuple[int, str]]:
    for level in levels:
        try:
            (records,) = compare(mutant.pair, setting, [level])
        except ValueError:
            yield level, REFUSED
            continue
        failed = [record.name for record in records if not record.passed]
        if failed:
            yield level, failed[0]


def few_examples() -> Setting:
    """Digits enough for two steps and a last batch that is not full."""
    found = TUTORIALS["cnn"].setting()
    train, test = (Split(split.images[:150], split.labels[:150]) for split in found.splits)
    return found._replace(splits=Splits(train, test))


def trials() -> Iterator[Trial]:
    """All mutants, each through all levels that are tried."""
    small = few_examples()
    return (attempt(mutant, small) for mutant in mutants.mutants())

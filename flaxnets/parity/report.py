"""The records of a comparison as a table."""

import dataclasses
import datetime
import math
import platform
from collections.abc import Callable, Sequence

import flax
import jax
import optax
import torch

from flaxnets.parity.compare import LEVELS, findings
from flaxnets.parity.pair import Pair
from flaxnets.parity.records import Record
from flaxnets.parity.trees import along
from flaxnets.parity.tutorials import Setting


@dataclasses.dataclass(frozen=True)
class Report:
    """What was found, in the order of the levels. It prints as a table.

    Attributes:
        records: every comparison.
        settings: by the network's name, what it was trained on, or by which loss.
        left_out: by level, why it has no meaning for the network.
    """

    records: tuple[Record, ...]
    settings: dict[str, str]
    left_out: dict[int, str] = dataclasses.field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether there are records, and every one did."""
        return bool(self.records) and all(record.passed for record in self.records)

    @property
    def levels(self) -> tuple[int, ...]:
        """Those that hold."""
        numbers = dict.fromkeys(record.level for record in self.records)
        failed = {record.level for record in self.records if not record.passed}
        return tuple(number for number in numbers if number not in failed)

    def __str__(self) -> str:
        rows = [line(group) for group in grouped(self.records)]
        return "\n".join([HEADER, *rows, *map(left_out, self.left_out, self.left_out.values())])

    def markdown(self) -> str:
        """The same as a table of Markdown, with what was left out, and by what it was measured."""
        about = ", ".join(f"{key} {value}" for key, value in environment().items())
        verdict = "Every level holds." if self.passed else "**Not every level holds.**"
        named = [f"- {name}: {setting}" for name, setting in self.settings.items()]
        named += [f"- {left_out(*item).strip()}" for item in self.left_out.items()]
        parts = [f"{verdict} Measured with {about}.", table(self), "\n".join(named)]
        return "\n\n".join(parts) + "\n"


def left_out(level: int, reason: str) -> str:
    """A line for a level that has no records."""
    return f"{level:2} {LEVELS[level].title}: left out: {reason}"


def rows_of(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def table(report: Report) -> str:
    """A row a level and lane, the worst of each."""
    return rows_of(TITLES, [cells(group) for group in grouped(report.records)])


HEADER = f"{'model':11}  {'level':22}  {'lane':8}  {'compared':>8}  {'worst':>8}  {'bound':>7}"


def grouped(records: Sequence[Record]) -> list[list[Record]]:
    """By model, level and lane, in their order; what has no bound stands alone."""
    groups: dict[tuple[str, int, str, str], list[Record]] = {}
    for record in records:
        alone = record.name if record.bound == math.inf else ""
        groups.setdefault((record.model, record.level, record.lane, alone), []).append(record)
    return list(groups.values())


def worst(group: Sequence[Record]) -> Record:
    """The first that failed, or else the one nearest to its bound."""

    def share(record: Record) -> float:
        return record.error / record.bound if record.bound else record.error

    failed = [record for record in group if not record.passed]
    return failed[0] if failed else max(group, key=share)


def line(group: Sequence[Record]) -> str:
    """A row of the table, the worst of the group; of a failure what it was, below."""
    model, level, name, lane, error, _ = record = worst(group)
    title = f"{level:2} {LEVELS[level].title}"
    row = f"{model[:11]:11}  {title:22}  {lane:8}  {len(group):8}  {error:8.1e}  {limit(record):>7}"
    return f"{row}  pass" if record.passed else f"{row}  FAIL\n  {name}"


def limit(record: Record) -> str:
    """A bound, as it is printed."""
    return "-" if record.bound == math.inf else f"{record.bound:.1e}"


def environment() -> dict[str, str]:
    """Versions, device and date, for what is kept."""
    return {
        "date": datetime.date.today().isoformat(),
        "device": jax.devices()[0].device_kind,
        "machine": platform.machine(),
        "python": platform.python_version(),
        "jax": jax.__version__,
        "flax": flax.__version__,
        "optax": optax.__version__,
        "torch": torch.__version__,
    }


def describe(setting: Setting) -> str:
    """What levels 9 to 11 ran on."""
    return f"{setting.dataset}; level 10: {setting.seeds} seeds a side, {setting.epochs} epochs"


TITLES = ("model", "level", "lane", "compared", "worst", "bound", "verdict", "where")


def cells(group: Sequence[Record]) -> tuple[str, ...]:
    """A row of the page."""
    record = worst(group)
    level = f"{record.level} {LEVELS[record.level].title}"
    verdict = "pass" if record.passed else "**fail**"
    figures = str(len(group)), f"{record.error:.1e}", limit(record)
    return record.model, level, record.lane, *figures, verdict, record.name


def reported(
    pair: Pair, levels: Sequence[int], progress: Callable[[str], None] | None = None
) -> Report:
    """The levels of a pair that no dataset belongs to; each line is told as soon as it is known."""
    tell = progress or (lambda _: None)
    records: list[Record] = []
    reasons: dict[int, str] = {}
    tell(HEADER)
    for level, found, reason in findings(pair, levels):
        records += found
        for group in grouped(found):
            tell(line(group))
        if reason:
            reasons[level] = reason
            tell(left_out(level, reason))
    name = getattr(pair.torch_loss, "__name__", type(pair.torch_loss).__name__)
    loss = "the outputs, weighted by fixed normals" if pair.torch_loss is along else name
    whose = "" if pair.loss else ", torch's on both sides"
    sizes = f"{pair.batch} examples" + (f", and {pair.other}" if pair.other else "")
    return Report(tuple(records), {pair.name: f"{sizes}; loss: {loss}{whose}"}, reasons)

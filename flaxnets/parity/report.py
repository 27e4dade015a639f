"""The records of a comparison as a table."""

import dataclasses
import datetime
import math
import platform
from collections.abc import Sequence

import flax
import jax
import optax
import torch

from flaxnets.parity.compare import LEVELS
from flaxnets.parity.records import Record
from flaxnets.parity.tutorials import Setting


@dataclasses.dataclass(frozen=True)
class Report:
    """What was found, in the order of the levels. It prints as a table.

    Attributes:
        records: every comparison.
        settings: by the network's name, what it was trained on.
    """

    records: tuple[Record, ...]
    settings: dict[str, str]

    @property
    def passed(self) -> bool:
        """Whether every record did."""
        return all(record.passed for record in self.records)

    def __str__(self) -> str:
        return "\n".join([HEADER, *(line(group) for group in grouped(self.records))])


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
    row = f"{model:11}  {title:22}  {lane:8}  {len(group):8}  {error:8.1e}  {limit(record):>7}"
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

"""The records of a comparison as a table, as Markdown, and as pictures."""

import dataclasses
import datetime
import math
import platform
from collections.abc import Sequence
from pathlib import Path

import flax
import jax
import optax
import torch

from flaxnets.parity.compare import LEVELS
from flaxnets.parity.records import Record
from flaxnets.parity.trials import Trial
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


def markdown(report: Report, trials: Sequence[Trial], pictures: Sequence[str]) -> str:
    """The report as a page.

    Args:
        trials: of the mutants.
        pictures: the names of files beside it.
    """
    about = ", ".join(f"{key} {value}" for key, value in environment().items())
    verdict = "Every level holds." if report.passed else "**Not every level holds.**"
    parts = [INTRODUCTION, f"{verdict} Measured with {about}.", _table(report)]
    parts += [f"- {name}: {setting}" for name, setting in report.settings.items()]
    parts += [MUTANTS, _mutants(trials)]
    parts += [f"![{Path(name).stem.replace('_', ' ')}]({name})" for name in pictures]
    return "\n\n".join(parts) + "\n"


INTRODUCTION = """# Parity

What PyTorch's tutorial networks and their twins here have in common, level by level, as
`flaxnets parity --output FOLDER` measures it. An error is max|a - b| / max|b| over a tensor, b
from torch, unless it is a -log10 p, a p value (level 10), a count or an absolute gap between
losses (level 9). Each row is the one nearest to its bound; those of float64 are set, those of
narrower precisions derived where they stand in the code. What has no bound is reported only: over
an epoch in float32, and for the SoftmaxMLP in float64 too, rounding alone grows without limit, in
torch beside itself as in us beside torch."""

MUTANTS = """## The checks are checked

Porting mistakes, made on purpose, each through levels 2 to 9 on few examples: the level that
should see it must, whatever others do. Changes that change nothing must pass them all."""


TITLES = ("model", "level", "lane", "compared", "worst", "bound", "verdict", "where")


def _table(report: Report) -> str:
    return _rows(TITLES, [cells(group) for group in grouped(report.records)])


def cells(group: Sequence[Record]) -> tuple[str, ...]:
    """A row of the page."""
    record = worst(group)
    level = f"{record.level} {LEVELS[record.level].title}"
    verdict = "pass" if record.passed else "**fail**"
    figures = str(len(group)), f"{record.error:.1e}", limit(record)
    return record.model, level, record.lane, *figures, verdict, record.name


def _mutants(trials: Sequence[Trial]) -> str:
    rows = []
    for mutant, seen in trials:
        expected = f"{mutant.level} {LEVELS[mutant.level].title}" if mutant.level else "none"
        first = seen.get(mutant.level, "") if mutant.level else ""
        verdict = "pass" if Trial(mutant, seen).passed else "**fail**"
        rows.append((mutant.name, expected, ", ".join(map(str, seen)) or "none", first, verdict))
    return _rows(("change", "must be seen by", "seen by", "there, first, in", "verdict"), rows)


def _rows(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def save(report: Report, folder: Path, trials: Sequence[Trial]) -> None:
    """Write PARITY.md and its pictures into a folder."""
    from flaxnets.parity import pictures

    names = pictures.draw(report, folder)
    (folder / "PARITY.md").write_text(markdown(report, trials, names))

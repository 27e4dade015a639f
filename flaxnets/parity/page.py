"""The report as a page, with pictures, and what became of the mutants."""

from collections.abc import Sequence
from pathlib import Path

from flaxnets.parity import pictures
from flaxnets.parity.compare import LEVELS
from flaxnets.parity.report import Report, environment, rows_of, table
from flaxnets.parity.trials import Trial


def markdown(report: Report, trials: Sequence[Trial], pictures: Sequence[str]) -> str:
    """The report as a page.

    Args:
        trials: of the mutants.
        pictures: the names of files beside it.
    """
    about = ", ".join(f"{key} {value}" for key, value in environment().items())
    verdict = "Every level holds." if report.passed else "**Not every level holds.**"
    parts = [INTRODUCTION, f"{verdict} Measured with {about}.", table(report)]
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


def _mutants(trials: Sequence[Trial]) -> str:
    rows = []
    for mutant, seen in trials:
        expected = f"{mutant.level} {LEVELS[mutant.level].title}" if mutant.level else "none"
        first = seen.get(mutant.level, "") if mutant.level else ""
        verdict = "pass" if Trial(mutant, seen).passed else "**fail**"
        rows.append((mutant.name, expected, ", ".join(map(str, seen)) or "none", first, verdict))
    return rows_of(("change", "must be seen by", "seen by", "there, first, in", "verdict"), rows)


def save(report: Report, folder: Path, trials: Sequence[Trial]) -> None:
    """Write PARITY.md and its pictures into a folder."""
    names = pictures.draw(report, folder)
    (folder / "PARITY.md").write_text(markdown(report, trials, names))

"""Does flaxnets keep what it promises on speed? From the results of the other scripts.

    python benchmarks/check.py [FOLDER]

A line a promise: what was measured, what was promised, and whether it is kept; exit status 1 if
one is not. FOLDER is that of the JSON files, benchmarks/results by default.
"""

import json
import statistics
import sys
from pathlib import Path

import environment

# model, batch size, least ratio to the best of torch
TRAINING = {
    "cpu": [("mlp", 64, 1.7), ("mlp", 512, 1.1), ("softmax_mlp", 64, 1.7),
            ("softmax_mlp", 512, 1.1), ("cnn", 64, 0.9), ("cnn", 512, 1.0)],
    "gpu": [("cnn", 64, 1.5), ("mlp", 64, 1.5), ("cnn", 4096, 1.3), ("mlp", 4096, 1.3)],
}  # fmt: skip
INFERENCE = [(model, batch, 1.0) for model in ("cnn", "mlp") for batch in (1, 1000)]
COMPILE = {"flaxnets, cold": 5.0, "flaxnets, cached": 1.0}  # the CNN's, seconds at most


def main() -> int:
    """Print the promises. Returns the exit status."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else environment.RESULTS
    kept = [
        *ratios("training", rows(folder, "training"), TRAINING[platform(folder)]),
        *ratios("inference", rows(folder, "inference"), INFERENCE),
        *compilation(rows(folder, "startup")),
        *accuracy(rows(folder, "time_to_99")),
    ]
    return 0 if all(kept) else 1


def rows(folder: Path, name: str) -> list[dict]:
    """Of a file of results."""
    return json.loads((folder / f"{name}.json").read_text())["rows"]


def platform(folder: Path) -> str:
    """Where training was measured."""
    device = json.loads((folder / "training.json").read_text())["environment"]["device"]
    return "gpu" if "NVIDIA" in device else "cpu"


def ratios(what: str, found: list[dict], promises: list[tuple[str, int, float]]):
    """Medians of pairs, to the best of torch."""
    by_point = {(row["model"], row["batch_size"]): row["ratio"] for row in found}
    for model, batch_size, least in promises:
        ratio = by_point[model, batch_size]
        name = f"{what}, {model}, batch {batch_size}"
        yield tell(name, f"{ratio:.2f} x torch", f"{least} x", ratio >= least)


def compilation(found: list[dict]):
    """Of all that the CNN compiles up to its first step."""
    for row in found:
        if row["model"] == "cnn" and row["start"] in COMPILE:
            most, seconds = COMPILE[row["start"]], row["compile"]
            yield tell(f"compiling the cnn, {row['start']}", f"{seconds:.2f} s", f"{most} s",
                       seconds <= most)  # fmt: skip


def accuracy(found: list[dict]):
    """The mean of the preset fast."""
    ours = [row["accuracy"] for row in found if row["side"] == "flaxnets"]
    mean = statistics.mean(ours)
    yield tell(f"preset fast, {len(ours)} seeds", f"{100 * mean:.3f} %", "99 %", mean >= 0.99)


def tell(name: str, measured: str, promised: str, kept: bool) -> bool:
    """Print a promise."""
    print(f"{'kept' if kept else 'BROKEN':6} {name:32} {measured:>14}   promised {promised}")
    return kept


if __name__ == "__main__":
    sys.exit(main())

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
import turns

from flaxnets.runs.plan import PRESETS

# model, batch size, least ratio: on a CPU to the better of eager PyTorch's layouts, on a GPU to the
# best of all that ran there, torch.compile among them
TRAINING = {
    "cpu": [
        ("mlp", 64, 1.7),
        ("mlp", 512, 1.1),
        ("softmax_mlp", 64, 1.7),
        ("softmax_mlp", 512, 1.1),
        ("cnn", 64, 0.9),
        ("cnn", 512, 1.0),
    ],
    "gpu": [("cnn", 64, 1.5), ("mlp", 64, 1.5), ("cnn", 4096, 1.3), ("mlp", 4096, 1.3)],
}
INFERENCE = [(model, batch, 1.0) for model in ("cnn", "mlp") for batch in (1, 1000)]
EAGER = {"cpu": [], "gpu": [("cnn", 64, 5.0), ("mlp", 64, 5.0)]}  # to eager PyTorch's best layout
COMPILE = {"flaxnets, cold": 5.0, "flaxnets, cached": 1.0}  # the CNN's, seconds at most
WHOLE = 35.0  # seconds of python train.py, from its start to its last line, nothing cached
CHECKPOINT = 0.03  # of an epoch's time, on a CPU
SEEDS = {"cpu": 5, "gpu": 20}


def main() -> int:
    """Print the promises. Returns the exit status."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else environment.RESULTS
    try:
        where, training = platform(folder), rows(folder, "training")
        eager = [to_eager(row) for row in training]
        kept = [
            *ratios("training", eager if where == "cpu" else training, TRAINING[where]),
            *ratios("training, eager", eager, EAGER[where]),
            *ratios("inference", rows(folder, "inference"), INFERENCE),
            *seconds(rows(folder, "startup")),
            *accuracy(rows(folder, "time_to_99"), where),
            *checkpoints(rows(folder, "checkpointing") if where == "cpu" else []),
        ]
    except (OSError, KeyError) as error:
        print(f"not measured: {error}; run benchmarks/all.py first")
        return 1
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


def to_eager(row: dict) -> dict:
    """The row with the ratio to PyTorch as the tutorials run it, in the better of its layouts."""
    sides = ("flaxnets", "eager", "channels_last")
    return {
        **row,
        **turns.compare({side: of for side, of in row["rates"].items() if side in sides}),
    }


def seconds(found: list[dict]):
    """Of all that the CNN compiles up to its first step, and of a whole run."""
    of_cnn = {row["start"]: row for row in found if row["model"] == "cnn"}
    for name, most in COMPILE.items():
        took = of_cnn[name]["compile"]
        yield tell(f"compiling the cnn, {name}", f"{took:.2f} s", f"{most} s", took <= most)
    took = of_cnn["python train.py, cold"]["first step"]
    yield tell("python train.py, cold", f"{took:.1f} s", f"{WHOLE} s", took <= WHOLE)


def accuracy(found: list[dict], where: str):
    """The mean of the preset fast."""
    ours = [row for row in found if row["side"] == "flaxnets"]
    preset = {key: PRESETS["fast"][key] for key in ("epochs", "batch_size")}
    preset["lr"] = PRESETS["fast"]["learning_rate"]
    same = all(preset.items() <= row["settings"].items() for row in ours)
    mean = statistics.mean(row["accuracy"] for row in ours)
    enough = len(ours) >= SEEDS[where]
    yield tell(
        f"preset fast, {len(ours)} seeds",
        f"{100 * mean:.3f} %",
        f"99 % of {SEEDS[where]}",
        mean >= 0.99 and same and enough,
    )
    if where == "gpu":
        took = statistics.median(row["seconds"] for row in ours)
        yield tell("preset fast, training", f"{took:.2f} s", "1 s", took <= 1)


def checkpoints(found: list[dict]):
    """One an epoch of the CNN on MNIST."""
    if found:
        part = statistics.median(row["part_of_epoch"] for row in found)
        yield tell(
            "a checkpoint an epoch, cnn", f"{part:.1%}", f"{CHECKPOINT:.0%}", part <= CHECKPOINT
        )


def tell(name: str, measured: str, promised: str, kept: bool) -> bool:
    """Print a promise."""
    print(f"{'kept' if kept else 'BROKEN':6} {name:32} {measured:>14}   promised {promised}")
    return kept


if __name__ == "__main__":
    sys.exit(main())

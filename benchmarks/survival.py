"""Does a run survive SIGKILL at any moment?

    python benchmarks/survival.py --kills 100

Starts a run that writes a checkpoint many times a second, kills it at a random moment, resumes it,
and so on; whenever a run has come to its end, compares it, to the bit, with one that nothing has
interrupted, and starts the next. About ten minutes on two cores for a hundred kills.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import environment
import numpy as np
from safetensors.numpy import load_file

# 16 steps an epoch of a few milliseconds each, and a checkpoint after each
FLAGS = ["--model", "mlp", "--batch-size", "96", "--epochs", "60"]
TIMES = {"seconds", "images_per_second"}  # what no two runs have in common


def same_run(folder: Path, other: Path) -> None:
    """Fail if two runs have other rows, but for times, or other weights."""
    for name in ("metrics.jsonl", "steps.jsonl"):
        ours, theirs = (_rows(path / name) for path in (folder, other))
        assert ours == theirs, f"{folder / name} and {other / name} differ"
    ours, theirs = (load_file(path / "params.safetensors") for path in (folder, other))
    for name, array in theirs.items():
        assert np.array_equal(ours[name], array), f"{name} of {folder} and {other} differ"


def _rows(path: Path) -> list[dict]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [{k: v for k, v in row.items() if k not in TIMES} for row in rows]


class Counts(NamedTuple):
    """What has happened."""

    kills: int = 0
    writing: int = 0  # while a checkpoint was being written, or an old one deleted
    damaged: int = 0  # checkpoints that were set aside


def survive(folder: Path, kills: int, seed: int) -> Counts:
    """Kill and resume, until a run has ended after the last of the kills."""
    chance, counts, runs = random.Random(seed), Counts(), 0
    began = time.time()
    assert _start(folder / "whole").wait() == 0
    longest = time.time() - began
    while counts.kills < kills:
        run, runs = folder / f"run-{runs}", runs + 1
        while True:
            process = _start(run)
            try:
                process.wait(chance.uniform(0.2, 0.7) * longest if counts.kills < kills else None)
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                writing = counts.writing + _is_incomplete(run)
                counts = counts._replace(kills=counts.kills + 1, writing=writing)
        assert process.returncode == 0, run.with_suffix(".log").read_text()
        same_run(run, folder / "whole")
        counts = counts._replace(damaged=counts.damaged + len(list(run.glob("damaged/*"))))
        print(f"{runs} runs at their end, as the whole one; {counts}", flush=True)
    return counts


def _is_incomplete(run: Path) -> bool:
    """Whether a checkpoint is only partly there."""
    folders = list((run / "checkpoints").glob("*"))
    return any(
        "tmp" in path.name
        or not (path / "facts/metadata").exists()
        or not (path / "arrays/manifest.ocdbt").exists()
        for path in folders
    )


def _start(folder: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "flaxnets", "train", *FLAGS, "--resume"]
    with folder.with_suffix(".log").open("a") as log:
        return subprocess.Popen([*command, "--workdir", str(folder)], stdout=log, stderr=log)


def main() -> None:
    """Say how it went."""
    parser = environment.parser(__doc__, "survival.json", data=False)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        counts = survive(Path(folder), options.kills, options.seed)
    print(
        f"{counts.kills} kills, {counts.writing} of them while a checkpoint was being written or "
        f"deleted; {counts.damaged} checkpoints were set aside; no run was lost"
    )
    assert counts.writing or options.kills < 20, "no kill has met a checkpoint being written"
    environment.save(options.output, [counts._asdict()])


if __name__ == "__main__":
    main()

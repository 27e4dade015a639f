"""Every benchmark, one after the other, then the picture and the promises.

    python benchmarks/all.py --data-dir DIR --output FOLDER

The results go to FOLDER, as JSON with device, versions and date. Nothing else should run at the
same time; each script says how long it takes. --small only proves that the scripts run, in minutes.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import environment

WITHOUT_DATA = ("convolutions", "startup", "precision", "survival", "fuzzing")  # digits, or none

# The flags of a small run.
SMALL = {
    "training": ["--batch-size", "64", "--images", "128", "--pairs", "2", "--model", "mlp", "cnn"],
    "inference": ["--batch-size", "1", "8", "--images", "8", "--pairs", "2", "--model", "mlp"],
    "loops": ["--steps", "2", "--pairs", "2", "--model", "mlp"],
    "convolutions": ["--case", "1 x 1", "3 x 3, depthwise", "--steps", "1", "--pairs", "1"],
    "startup": ["--pairs", "1", "--model", "mlp", "--no-whole"],
    "memory": ["--batch-size", "64", "--model", "mlp"],
    "scaling": ["--batch-size", "64", "--examples", "1000", "--pairs", "2", "--model", "mlp"],
    "precision": ["--seeds", "2", "--epochs", "2", "--model", "mlp"],
    "time_to_99": ["--seeds", "1", "--epochs", "1", "--batch-size", "64", "--examples", "640"],
    "checkpointing": ["--steps", "20", "--pairs", "1"],
    "devices": [
        "--devices",
        "1",
        "2",
        "--processes",
        "2",
        "--turns",
        "1",
        "--steps",
        "2",
        "--model",
        "mlp",
        "--batch-size",
        "64",
    ],
    "survival": ["--kills", "1"],
    "fuzzing": ["--cases", "10"],
    "photos": ["--n", "20", "--examples", "640"],
}


def main() -> int:
    """Run them. Returns the exit status of check.py."""
    options, here = parse(), Path(__file__).parent
    for name, small in SMALL.items():
        print(f"== {name}", flush=True)
        data = [] if name in WITHOUT_DATA else ["--data-dir", options.data_dir]
        output = ["--output", str(Path(options.output, f"{name}.json"))]
        command = [sys.executable, here / f"{name}.py", *data, *output]
        subprocess.run([*command, *(small if options.small else [])], check=True)
    subprocess.run([sys.executable, here / "plot.py", options.output], check=True)
    if options.small:
        return 0
    print("== promises", flush=True)
    return subprocess.run([sys.executable, here / "check.py", options.output]).returncode


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", required=True, help="the folder of MNIST")
    parser.add_argument("--output", default=str(environment.RESULTS), help="a folder")
    parser.add_argument("--small", action="store_true", help="only prove that the scripts run")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

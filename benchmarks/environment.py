"""What a figure was measured with, where it is kept, and the command line of all scripts."""

import argparse
import datetime
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

import jax

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("jax", "flax", "optax", "torch", "numpy")


def describe() -> dict[str, str]:
    """Device, versions and date."""
    device = jax.devices()[0]
    found = {package: version(package) for package in PACKAGES}
    return {
        "device": device.device_kind if device.platform != "cpu" else _processor(),
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        **found,
        "date": datetime.date.today().isoformat(),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(": ")[1] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def save(path: str | Path, rows: list[dict]) -> None:
    """Write the rows and what they were measured with as JSON."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps({"environment": describe(), "rows": rows}, indent=1) + "\n")


def parser(doc: str | None, output: str, data: bool = True) -> argparse.ArgumentParser:
    """A command line with the docstring as its help, and where the results are kept."""
    found = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if data:
        found.add_argument("--data-dir", required=True, help="the folder of MNIST")
    found.add_argument("--output", default=RESULTS / output, help=f"default: results/{output}")
    return found

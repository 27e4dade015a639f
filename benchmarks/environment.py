"""What a figure was measured with, and where it is kept."""

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

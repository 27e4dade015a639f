"""The source as ruff formats it."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

LENGTH = 100
OURS = 'lint.isort.known-first-party=["flaxnets"]'  # wherever it is run
STEPS = (["format"], ["check", "--fix-only", "--quiet", "--select", "I,F401"])


def ruff() -> str:
    """The program. Raises ImportError if it is not installed."""
    beside = Path(sys.executable).with_name("ruff")
    found = str(beside) if beside.exists() else shutil.which("ruff")
    if found is None:
        raise ImportError("port writes its source by ruff: pip install 'flaxnets[parity]'")
    return found


def formatted(text: str) -> str:
    """Formatted, with its imports in order. Raises SyntaxError for what is no Python."""
    ast.parse(text)
    for step in STEPS:
        options = ["--config", f"line-length={LENGTH}", "--config", OURS, "--isolated", "-"]
        command = [ruff(), *step, *options]
        run = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
        text = run.stdout
    return text

"""Fixtures."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real MNIST and Fashion-MNIST."""
    folder = ROOT.parent / "shared" / "data"
    if folder.is_dir():
        return folder
    reason = "needs the real MNIST and Fashion-MNIST in ../shared/data"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)

"""Fixtures."""

import os
from pathlib import Path

# What tests compile has no business in the user's cache. Set before JAX is imported.
os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"

import pytest

from flaxnets.cli import main

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


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory) -> Path:
    """The folder of a run: what ``python train.py`` gives."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    assert main(["train", "--workdir", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def fashion_run(real_data, tmp_path_factory) -> Path:
    """The folder of a run: the MLP after one epoch of Fashion-MNIST."""
    folder = tmp_path_factory.mktemp("runs") / "fashion"
    options = ["--model", "mlp", "--dataset", "fashion_mnist", "--data-dir", str(real_data)]
    assert main(["train", *options, "--epochs", "1", "--workdir", str(folder)]) == 0
    return folder

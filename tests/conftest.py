"""Fixtures, and what holds for every test."""

import os
import shutil
import tempfile
from pathlib import Path

import helpers
import jax
import pytest
from helpers import status_of

DATA = os.environ.get("FLAXNETS_DATA") and Path(os.environ["FLAXNETS_DATA"]).resolve()
MADE = []  # the folder of compiled programs, if it was made here


def pytest_configure():
    """Programs that are the same are compiled once a test run, by whichever process comes first.

    They are kept where a user's cache is not touched: in a new folder, or in FLAXNETS_COMPILED.
    """
    if "FLAXNETS_COMPILED" not in os.environ:
        MADE.append(tempfile.mkdtemp(prefix="compiled-"))
        os.environ["FLAXNETS_COMPILED"] = MADE[0]
    folder = os.environ["JAX_COMPILATION_CACHE_DIR"] = os.environ["FLAXNETS_COMPILED"]
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"  # for processes that tests start
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch's threads spin where a core is busy
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)


def pytest_unconfigure():
    """They are of no use to anybody else."""
    for folder in MADE:
        for name in ("FLAXNETS_COMPILED", "JAX_COMPILATION_CACHE_DIR"):
            os.environ.pop(name, None)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _no_process_is_left():
    """Also where a test has failed, or has stopped it."""
    yield
    while helpers.STARTED:
        process = helpers.STARTED.pop()
        process.kill()
        process.communicate()


@pytest.fixture(autouse=True, scope="module")
def _no_programs_are_kept():
    """Else the memory of a test run grows without end; what comes again is read from the disk."""
    yield
    jax.clear_caches()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real MNIST and Fashion-MNIST, where a run was asked to test on them."""
    if not DATA:
        pytest.skip("needs FLAXNETS_DATA=DIR, the folder of the real mnist and fashion_mnist")
    assert DATA.is_dir(), f"FLAXNETS_DATA={DATA}: no such folder"
    return DATA


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory) -> Path:
    """The folder of a run: what ``python train.py`` gives, but for the last of its epochs."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    assert status_of("train", "--epochs", 6, "--workdir", folder) == 0
    return folder


@pytest.fixture(scope="session")
def fashion_run(real_data, tmp_path_factory) -> Path:
    """The folder of a run: the MLP after one epoch of Fashion-MNIST."""
    folder = tmp_path_factory.mktemp("runs") / "fashion"
    options = ["--model", "mlp", "--dataset", "fashion_mnist", "--data-dir", str(real_data)]
    assert status_of("train", *options, "--epochs", "1", "--workdir", str(folder)) == 0
    return folder

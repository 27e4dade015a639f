"""What several test files use: where things lie, calls of the program, data, runs."""

import functools
import json
import os
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import flaxnets
from flaxnets import data, training
from flaxnets.cli.program import main

ROOT = Path(__file__).parents[1]
PHOTOS = [str(ROOT / f"tests/photos/{digit}.jpg") for digit in range(10)]
HANGS = 600  # seconds that no call takes, on the slowest machine: it hangs


def status_of(*arguments):
    """The exit status of ``flaxnets``, in this process."""
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as error:
        return error.code


def call(capsys, *arguments):
    """The exit status, and what was printed."""
    capsys.readouterr()
    status = status_of(*arguments)
    return status, *capsys.readouterr()


STARTED = []  # processes that do not outlive their test
# What is killed, or works at the same time as another, could leave or see half a program there.
UNCACHED = {"JAX_ENABLE_COMPILATION_CACHE": "false"}
# On some processors XLA says of each program from there that it is not for them, and compiles it.
CACHED = {"TF_CPP_MIN_LOG_LEVEL": "3"}


def start(*arguments, env=None, **options):
    """A Python process that goes on, whose outputs are text."""
    STARTED.append(_process(*arguments, env={**(env or os.environ), **UNCACHED}, **options))
    return STARTED[-1]


def run(*arguments, env=None, **options):
    """The exit status and the outputs of a Python process."""
    process = _process(*arguments, env={**(env or os.environ), **CACHED}, **options)
    out, err = process.communicate(timeout=HANGS)
    return process.returncode, out, err


def _process(*arguments, **options):
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.Popen(command, text=True, **pipes, **options)


def with_our_modules(**more):
    """An environment in which a process finds this file and what pytest finds."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **more}


def wait_for(condition, process):
    """Until it holds, while the process lives."""
    deadline = time.monotonic() + HANGS
    while not condition() and process.poll() is None:
        assert time.monotonic() < deadline, "it hangs"
        time.sleep(0.02)
    assert condition(), process.communicate()


def steps_saved(run):
    """The steps of the checkpoints that are whole."""
    names = [path.name for path in run.glob("checkpoints/*")]
    return sorted(int(name) for name in names if name.isdecimal())


def rows(path):
    """Of a .jsonl file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def contents(folder, but=()):
    """Of all files of a folder, but for those of a name."""
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name not in but}


def digits(n_train=100, n_test=37):
    """The first of the digits."""
    train, test = data.load("digits")
    return data.Splits(
        data.Split(train.images[:n_train], train.labels[:n_train]),
        data.Split(test.images[:n_test], test.labels[:n_test]),
    )


@functools.cache
def level_records(name, level):
    """What a level of parity finds of a network, on few examples; once for all who look at it."""
    from flaxnets.parity import compare, trials
    from flaxnets.parity.tutorials import TUTORIALS

    (found,) = compare.compare(TUTORIALS[name].pair, trials.few_examples(), [level])
    return found


SMALL_CNN = {"channels": (2, 3), "hidden": 8}
SMALL_MLP = {"hidden": (8, 8)}


class Dropping(nn.Module):
    """A network whose training depends on its masks, and which compiles soon."""

    loss = staticmethod(flaxnets.MLP.loss)

    @nn.compact
    def __call__(self, x, train=False):
        x = nn.relu(nn.Dense(16)(x.reshape(len(x), -1)))
        return nn.Dense(10)(flaxnets.layers.Dropout(0.5)(x, train))


class Normed(flaxnets.layers.Module):
    """One that takes statistics of each batch."""

    loss = staticmethod(flaxnets.MLP.loss)

    def setup(self):
        self.norm = flaxnets.layers.BatchNorm2d(1, momentum=None)
        self.head = flaxnets.layers.Linear(784, 10)

    def __call__(self, x, train=False):
        x = self.norm(x.reshape(-1, 28, 28, 1))
        return self.head(x.reshape(len(x), -1))


def trained_in_double(network=Dropping, n=320, batch_size=30, **fields):
    """A network's variables after an epoch in float64: ten batches of 30, and one of 20."""
    with jax.enable_x64(True):
        model, (images, labels) = network(**fields), digits(n).train
        splits = ((images / 255, labels), digits().test)
        variables = jax.jit(model.init)(jax.random.key(0), images[:1] / 255)
        variables = jax.tree.map(_in_double, variables)
        config = training.Config(epochs=1, batch_size=batch_size)
        (epoch,) = training.fit(model, splits, config, variables=variables)
        leaves = jax.tree_util.tree_leaves_with_path(epoch.state.variables)
        return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}


def _in_double(leaf):
    return leaf.astype(jnp.float64) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf


# What is trained on one device and on several, by name.
IN_DOUBLE = {
    "dropping": {},
    "fewer examples than devices": {"n": 10, "batch_size": 3},
    "statistics": {"network": Normed, "batch_size": 32},
    "cnn": {"network": flaxnets.CNN, **SMALL_CNN},
}


def idx_bytes(array):
    """An IDX file of bytes."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.astype(np.uint8).tobytes()


def idx_folder(folder, n=10, label=3, side=28):
    """MNIST's four files, of ``n`` black images."""
    folder.mkdir(parents=True)
    for split in ("train", "t10k"):
        images, labels = idx_bytes(np.zeros((n, side, side))), idx_bytes(np.full(n, label))
        (folder / f"{split}-images-idx3-ubyte").write_bytes(images)
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(labels)
    return folder


def declared_png(width, height, depth=8):
    """A PNG file of less than 100 bytes that declares a size."""
    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    pixels = _chunk(b"IDAT", zlib.compress(bytes(30)))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + pixels


def _chunk(kind, content):
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


# How maps are flattened: what a call for the first time says of it.
IMAGES = jax.ShapeDtypeStruct((2, 4, 5, 1), jnp.float32)


class Reader(flaxnets.layers.Module):
    """A Linear, what is between, and maps (N, 3, 4, 2) that it reads."""

    between: Callable
    features: int = 24
    declared: tuple | None = None
    implementation: str | None = None

    def setup(self):
        self.conv = flaxnets.layers.Conv2d(1, 2, 2, implementation=self.implementation)
        self.fc = flaxnets.layers.Linear(self.features, 3, flattened_from=self.declared)

    def __call__(self, x):
        return self.fc(self.between(self.conv(x)))

    def both(self, x):
        return self(x), self(2 * x)


def flat(x):
    return x.reshape(x.shape[0], -1)


class Flat(flaxnets.layers.Module):
    def __call__(self, x):
        return flat(x)


def initialised(model, x=IMAGES, **kwargs):
    """The shapes of its variables."""

    def init(x):
        keys = dict.fromkeys(("params", "dropout"), jax.random.key(0))
        return model.init(keys, x, **kwargs)

    return jax.eval_shape(init, x)


def refused(model, x=IMAGES, **kwargs):
    with pytest.raises(ValueError) as caught:
        initialised(model, x, **kwargs)
    message = str(caught.value)
    assert "\n" not in message and "flattened_from" in message
    return message

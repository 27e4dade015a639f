"""TensorFlow Datasets without TensorFlow and with no network.

The files are small ones in the form of the official ones, registered in their place; that
the official ones are those that TFDS has registered is seen in test_data.
"""

import contextlib
import gzip
import hashlib
import http.server
import importlib.util
import multiprocessing
import os
import shutil
import socket
import threading
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from helpers import idx_bytes, run
from tensorflow_datasets.core.download.checksums import UrlInfo

from flaxnets import data
from flaxnets.data import tfds, tfds_builder

# protobuf and TFDS warn of their own ways
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SIZES = {"train": 60, "t10k": 20}


def write_official(folder, seed):
    """The four files, by their names."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    for prefix, n in SIZES.items():
        images, labels = rng.integers(0, 256, (n, 28, 28)), rng.integers(0, 10, n)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            packed = gzip.compress(idx_bytes(array), mtime=seed)
            (folder / f"{prefix}-{kind}-ubyte.gz").write_bytes(packed)


def register(root, patch):
    """As if these were the files that TFDS knows of."""
    for name, builder in tfds_builder.BUILDERS.items():
        infos = {
            builder.URL + path.name: UrlInfo(
                size=path.stat().st_size,
                checksum=hashlib.sha256(path.read_bytes()).hexdigest(),
                filename=path.name,
            )
            for path in (root / name).iterdir()
        }
        patch.setattr(builder, "url_infos", infos)


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    """A folder with the files of both datasets, which TFDS takes for the registered ones."""
    root = tmp_path_factory.mktemp("official")
    with pytest.MonkeyPatch.context() as patch:
        for seed, name in enumerate(tfds_builder.BUILDERS):
            write_official(root / name, seed)
        register(root, patch)
        yield root


@pytest.fixture(scope="module")
def prepared(official, tmp_path_factory):
    """A TFDS folder with MNIST, prepared from its official files."""
    folder = tmp_path_factory.mktemp("tfds")
    tfds.load("mnist", folder, official / "mnist")
    return folder


@pytest.fixture
def copy(prepared, tmp_path):
    """One's own copy of that folder, without the decoded arrays."""
    folder = tmp_path / "tfds"
    shutil.copytree(prepared, folder)
    (folder / "mnist" / tfds.KEPT).unlink()
    return folder


def assert_same(splits, expected):
    for a, b in zip([*splits.train, *splits.test], [*expected.train, *expected.test], strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_tensorflow_is_absent_here():
    if importlib.util.find_spec("tensorflow"):
        assert not os.environ.get("FLAXNETS_DATA"), "where all is tested, TensorFlow must be absent"
        pytest.skip("TensorFlow is installed: the tests here do not prove that it is not needed")


def test_all_images_are_those_of_the_idx_files_in_their_order(prepared, copy, official):
    expected = data.load("mnist", official)
    assert [len(split.labels) for split in expected] == list(SIZES.values())
    assert_same(data.load("mnist", tfds_dir=prepared), expected)  # kept
    assert_same(data.load("mnist", tfds_dir=copy), expected)  # decoded


class Proxy(http.server.BaseHTTPRequestHandler):
    """Answers every request with the file of that name in ``folder``."""

    folder: Path

    def do_GET(self):
        content = (self.folder / self.path.rpartition("/")[2]).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(OSError):  # the check for a network reads nothing
            self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def network(official, monkeypatch):
    """The official server of Fashion-MNIST, in the place of a proxy."""
    handler = type("Handler", (Proxy,), {"folder": official / "fashion_mnist"})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    yield handler
    server.shutdown()
    server.server_close()


def test_fashion_mnist_is_downloaded_prepared_and_the_same(network, official, tmp_path):
    assert_same(data.load("fashion_mnist", tfds_dir=tmp_path), data.load("fashion_mnist", official))


def test_a_download_that_is_not_the_registered_file_is_refused(network, tmp_path):
    network.folder = tmp_path / "server"
    network.folder.mkdir()
    for prefix in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            (network.folder / f"{prefix}-{kind}-ubyte.gz").write_bytes(b"a page to log in")
    with pytest.raises(ValueError, match=r"is not the registered file.*data_dir"):
        data.load("fashion_mnist", tfds_dir=tmp_path / "tfds")
    assert not (tmp_path / "tfds" / "fashion_mnist" / tfds.KEPT).exists()


@pytest.mark.slow
def test_two_processes_may_prepare_at_once(official, tmp_path):
    workers = {"initializer": register, "initargs": (official, pytest.MonkeyPatch())}
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn, **workers) as pool:
        both = [pool.submit(tfds.load, "mnist", tmp_path, official / "mnist") for _ in range(2)]
    for one in both:
        assert_same(one.result(), data.load("mnist", official))


@pytest.mark.parametrize("damage", ["flipped", "other dataset", "truncated"])
def test_tampered_files_are_refused_and_nothing_is_kept(damage, official, tmp_path):
    files = tmp_path / "files"
    shutil.copytree(official / "mnist", files)
    labels = files / "train-labels-idx1-ubyte.gz"
    content = labels.read_bytes()
    if damage == "flipped":
        labels.write_bytes(content[:30] + bytes([content[30] ^ 1]) + content[31:])
    elif damage == "truncated":
        labels.write_bytes(content[:-1])
    else:
        shutil.copy(official / "fashion_mnist" / labels.name, labels)
    with pytest.raises(ValueError, match=r"train-labels-idx1-ubyte.gz, is not the registered file"):
        tfds.load("mnist", tmp_path / "tfds", files)
    assert not (tmp_path / "tfds" / "mnist" / tfds.KEPT).exists()
    assert not (tmp_path / "tfds" / "mnist" / "3.0.1").exists()


@pytest.mark.parametrize(
    "statement",
    [
        "tfds.data_source('mnist', split='test', data_dir=sys.argv[1])",
        "tfds.builder_from_directory(sys.argv[1] + '/mnist/3.0.1').as_data_source('test')",
    ],
)
def test_other_readers_open_what_was_prepared(statement, prepared, official):
    """TFDS itself, in a process without flaxnets; its order is its own."""
    code = (
        "import sys, tensorflow_datasets as tfds\n"
        f"source = {statement}\n"
        "print(sorted((int(x['label']), int(x['image'].sum())) for x in source))\n"
        "assert 'flaxnets' not in sys.modules"
    )
    status, out, err = run("-c", code, prepared)
    assert status == 0, err
    images, labels = data.load("mnist", official).test
    expected = sorted(zip(labels.tolist(), images.sum((1, 2)).tolist(), strict=True))
    assert out.splitlines()[0] == str(expected)


def test_a_second_load_does_without_tfds(prepared):
    code = (
        "import sys\nfrom flaxnets import data\nsplits = data.load('mnist', tfds_dir=sys.argv[1])\n"
        "print(len(splits.train.labels), 'tensorflow_datasets' in sys.modules)"
    )
    assert run("-c", code, prepared)[:2] == (0, f"{SIZES['train']} False\n")


def test_the_default_folder_is_that_of_tfds(monkeypatch):
    from tensorflow_datasets.core.constants import get_default_data_dir

    for environment in (None, "/some/where"):
        if environment:
            monkeypatch.setenv("TFDS_DATA_DIR", environment)
        else:
            monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
        assert str(Path(tfds.default_folder()).expanduser()) == get_default_data_dir()


def test_damaged_arrays_are_decoded_anew_and_kept_whole(copy, official):
    kept = copy / "mnist" / tfds.KEPT
    expected = data.load("mnist", official)
    kept.write_bytes(b"PK\3\4 cut")
    assert_same(data.load("mnist", tfds_dir=copy), expected)
    assert_same(tfds._read(kept), expected)


def test_a_dataset_that_tfds_prepared_as_tfrecord_is_read(copy, official):
    """As ``tfds.load`` leaves it where TensorFlow is installed; here made from the records."""
    from array_record.python.array_record_module import ArrayRecordReader

    folder = copy / "mnist" / "3.0.1"
    for path in folder.glob("*.array_record-*"):
        reader = ArrayRecordReader(str(path))
        records = reader.read_all()
        reader.close()
        with open(str(path).replace("array_record", "tfrecord"), "wb") as file:
            for record in records:  # length, its checksum, the record, its checksum
                file.write(len(record).to_bytes(8, "little") + bytes(4) + record + bytes(4))
        path.unlink()
    info = folder / "dataset_info.json"
    info.write_text(info.read_text().replace('"array_record"', '"tfrecord"'))
    assert_same(data.load("mnist", tfds_dir=copy), data.load("mnist", official))


def test_a_damaged_dataset_is_named(copy):
    (file,) = (copy / "mnist" / "3.0.1").glob("mnist-test.array_record-*")
    file.write_bytes(file.read_bytes()[:-500])
    with pytest.raises(ValueError, match=r"mnist/3.0.1 cannot be read .*remove it"):
        data.load("mnist", tfds_dir=copy)


@pytest.mark.parametrize(("dataset", "silent"), [("fashion_mnist", False), ("mnist", True)])
def test_without_a_network_one_learns_soon_what_to_do(dataset, silent, tmp_path):
    """Refused at once, or a server that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if not silent:
            server.close()
        proxy = f"http://127.0.0.1:{port}"
        proxies = {"https_proxy": proxy, "http_proxy": proxy, "no_proxy": "", "NO_PROXY": ""}
        command = ("-m", "flaxnets", "train", "--dataset", dataset, "--tfds-dir", "tfds")
        status, out, err = run(*command, cwd=tmp_path, env={**os.environ, **proxies})
    assert (status, out) == (2, "")
    line = err.splitlines()[-1]
    assert "data_dir" in line
    assert "digits" in line
    assert not silent or f"no answer from {tfds_builder.MNIST.URL}" in line
    assert not (tmp_path / "runs").exists()


def test_one_waits_for_an_answer_for_less_than_the_ten_seconds_that_are_promised():
    assert tfds_builder.PATIENCE < 10

"""TensorFlow Datasets without TensorFlow, from the real files and with no network."""

import contextlib
import http.server
import importlib.util
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from flaxnets import data
from flaxnets.data import tfds, tfds_builder

# protobuf and TFDS warn of their own ways
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def prepared(real_data, tmp_path_factory):
    """A TFDS folder with MNIST, prepared from its official files."""
    folder = tmp_path_factory.mktemp("tfds")
    tfds.load("mnist", folder, real_data / "mnist")
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
        assert not os.environ.get("CI"), "these tests must prove that TensorFlow is not needed"
        pytest.skip("TensorFlow is installed: the tests here do not prove that it is not needed")


def test_all_mnist_images_are_those_of_the_idx_files_in_their_order(prepared, copy, real_data):
    expected = data.load("mnist", real_data)
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
def network(real_data, monkeypatch):
    """The official server of Fashion-MNIST, in the place of a proxy."""
    handler = type("Handler", (Proxy,), {"folder": real_data / "fashion_mnist"})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    yield handler
    server.shutdown()
    server.server_close()


def test_fashion_mnist_is_downloaded_prepared_and_the_same(network, real_data, tmp_path):
    assert_same(
        data.load("fashion_mnist", tfds_dir=tmp_path), data.load("fashion_mnist", real_data)
    )


def test_a_download_that_is_not_the_registered_file_is_refused(network, tmp_path):
    network.folder = tmp_path / "server"
    network.folder.mkdir()
    for prefix in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            (network.folder / f"{prefix}-{kind}-ubyte.gz").write_bytes(b"a page to log in")
    with pytest.raises(ValueError, match=r"is not the registered file.*--data-dir"):
        data.load("fashion_mnist", tfds_dir=tmp_path / "tfds")
    assert not (tmp_path / "tfds" / "fashion_mnist" / tfds.KEPT).exists()


@pytest.mark.slow
def test_two_processes_may_prepare_at_once(real_data, tmp_path):
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        both = [pool.submit(tfds.load, "mnist", tmp_path, real_data / "mnist") for _ in range(2)]
    for one in both:
        assert_same(one.result(), data.load("mnist", real_data))


@pytest.mark.parametrize("damage", ["flipped", "other dataset", "truncated"])
def test_tampered_files_are_refused_and_nothing_is_kept(damage, real_data, tmp_path):
    files = tmp_path / "files"
    shutil.copytree(real_data / "mnist", files)
    labels = files / "train-labels-idx1-ubyte.gz"
    content = labels.read_bytes()
    if damage == "flipped":
        labels.write_bytes(content[:1000] + bytes([content[1000] ^ 1]) + content[1001:])
    elif damage == "truncated":
        labels.write_bytes(content[:-1])
    else:
        shutil.copy(real_data / "fashion_mnist" / labels.name, labels)
    with pytest.raises(ValueError, match=r"train-labels-idx1-ubyte.gz, is not the registered file"):
        tfds.load("mnist", tmp_path / "tfds", files)
    assert not (tmp_path / "tfds" / "mnist" / tfds.KEPT).exists()
    assert not (tmp_path / "tfds" / "mnist" / "3.0.1").exists()


def loaded_by_tfds(folder, statement):
    """What TFDS itself reads, in a process without flaxnets."""
    code = (
        "import sys, tensorflow_datasets as tfds\n"
        f"source = {statement}\n"
        "print(len(source), source[0]['image'].shape, source[0]['label'])\n"
        "assert 'flaxnets' not in sys.modules"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, folder], capture_output=True, text=True, check=True
    )
    return result.stdout.split("\n")[0]


@pytest.mark.parametrize(
    "statement",
    ["tfds.data_source('mnist', split='test', data_dir=sys.argv[1])",
     "tfds.builder_from_directory(sys.argv[1] + '/mnist/3.0.1').as_data_source('test')"],
)  # fmt: skip
def test_other_readers_open_what_was_prepared(prepared, statement):
    assert loaded_by_tfds(prepared, statement) == "10000 (28, 28, 1) 2"  # the first in TFDS's order


def test_a_second_load_takes_less_than_a_second_and_no_tfds(prepared):
    code = (
        "import sys, time\nfrom flaxnets import data\nbegan = time.perf_counter()\n"
        "splits = data.load('mnist', tfds_dir=sys.argv[1])\n"
        "print(time.perf_counter() - began, 'tensorflow_datasets' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, prepared], capture_output=True, text=True, check=True
    )
    seconds, imported = result.stdout.split()
    assert imported == "False"
    assert float(seconds) < 1  # a promise of the README; measured 0.05


def test_the_default_folder_is_that_of_tfds(monkeypatch):
    from tensorflow_datasets.core.constants import get_default_data_dir

    for environment in (None, "/some/where"):
        if environment:
            monkeypatch.setenv("TFDS_DATA_DIR", environment)
        else:
            monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
        assert str(Path(tfds.default_folder()).expanduser()) == get_default_data_dir()


def test_damaged_arrays_are_decoded_anew_and_kept_whole(copy, real_data):
    kept = copy / "mnist" / tfds.KEPT
    expected = data.load("mnist", real_data)
    kept.write_bytes(b"PK\3\4 cut")
    assert_same(data.load("mnist", tfds_dir=copy), expected)
    assert_same(tfds._read(kept), expected)


def test_a_dataset_that_tfds_prepared_as_tfrecord_is_read(copy, real_data):
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
    assert_same(data.load("mnist", tfds_dir=copy), data.load("mnist", real_data))


def test_a_damaged_dataset_is_named(copy):
    (file,) = (copy / "mnist" / "3.0.1").glob("mnist-test.array_record-*")
    file.write_bytes(file.read_bytes()[:-5000])
    with pytest.raises(ValueError, match=r"mnist/3.0.1 cannot be read .*remove it"):
        data.load("mnist", tfds_dir=copy)


def no_network(*arguments, proxy, cwd):
    began = time.perf_counter()
    result = subprocess.run(
        [sys.executable, "-m", "flaxnets", "train", *arguments, "--tfds-dir", "tfds"],
        cwd=cwd, capture_output=True, text=True,
        env={**os.environ, "https_proxy": proxy, "http_proxy": proxy, "no_proxy": "",
             "NO_PROXY": ""},
    )  # fmt: skip
    return result, time.perf_counter() - began


@pytest.mark.parametrize(("dataset", "silent"), [("fashion_mnist", False), ("mnist", True)])
def test_without_a_network_one_learns_soon_what_to_do(dataset, silent, tmp_path):
    """Refused at once, or a server that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if not silent:
            server.close()
        proxy = f"http://127.0.0.1:{port}"
        result, seconds = no_network("--dataset", dataset, proxy=proxy, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    line = result.stderr.splitlines()[-1]
    assert "--data-dir" in line
    assert "--dataset digits" in line
    assert seconds < 20  # the answer within 10 seconds, the start of Python and JAX apart
    assert not (tmp_path / "runs").exists()
    assert tfds_builder.PATIENCE < 10

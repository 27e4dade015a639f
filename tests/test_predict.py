"""``flaxnets predict`` and ``flaxnets summary``, as a user has them."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers import PHOTOS, call, declared_png
from PIL import Image

import flaxnets
from flaxnets import data, interop


def records(capsys, *arguments):
    status, out, err = call(capsys, "predict", *arguments, "--json")
    assert (status, err) == (0, "")
    return json.loads(out)


def test_nine_of_ten_photos_are_recognised_after_training_on_digits(digits_run, capsys):
    found = records(capsys, digits_run, *PHOTOS)
    assert sum(record["label"] == digit for digit, record in enumerate(found)) >= 9
    for record in found:
        assert record["class"] == str(record["label"])
        assert record["probability"] == max(record["probabilities"].values())
        assert sum(record["probabilities"].values()) == pytest.approx(1, abs=1e-5)  # float32
        assert "light ground, inverted" in record["preparation"]


def test_a_line_names_the_class_and_the_next_says_what_was_done(digits_run, capsys):
    status, out, err = call(capsys, "predict", digits_run, PHOTOS[2])
    assert (status, err) == (0, "")
    first, *others = out.splitlines()
    percent = r"\(\d+\.\d %\)"
    assert re.fullmatch(rf"{re.escape(PHOTOS[2])}: 2 {percent}, \d {percent}, \d {percent}", first)
    assert "light ground, inverted" in " ".join(others)
    assert max(map(len, others)) <= 80


def test_test_images_of_fashion_mnist_are_named(fashion_run, real_data, capsys):
    index = [0, 1, 2, 3, 4, 5, 7, 9999]
    arguments = (fashion_run, "--data-dir", real_data, "--index", *index)
    found = records(capsys, *arguments)
    labels = data.load("fashion_mnist", real_data).test.labels[index]
    assert [record["true_label"] for record in found] == labels.tolist()
    assert [record["class"] for record in found[:2]] == ["Ankle boot", "Pullover"]
    assert sum(record["label"] == record["true_label"] for record in found) >= 6
    _, out, _ = call(capsys, "predict", *arguments)
    first, _, _ = " ".join(out.split()).partition(" fashion_mnist 1: ")
    assert first.startswith("fashion_mnist 0: Ankle boot (")
    assert first.endswith("; true: Ankle boot")
    assert max(map(len, out.splitlines())) <= 80


def test_test_images_are_given_to_the_network_as_they_are(digits_run, capsys):
    found = records(capsys, digits_run, "--dataset", "digits", "--index", *range(50))
    model, variables = flaxnets.load(digits_run)
    images = data.load("digits").test.images[:50] / np.float32(255)
    expected = np.exp(model.apply(variables, images))
    # float32, another batch size, and a division instead of a table: a few units of rounding
    np.testing.assert_allclose(
        [list(record["probabilities"].values()) for record in found], expected, atol=1e-4
    )


def test_options_may_stand_before_images(digits_run, capsys):
    for arguments in (["--raw", PHOTOS[0], PHOTOS[1]], [PHOTOS[0], "--raw", PHOTOS[1]]):
        assert len(records(capsys, digits_run, *arguments)) == 2


def test_raw_leaves_the_preparation_out(digits_run, capsys):
    (record,) = records(capsys, digits_run, "--raw", PHOTOS[0])
    assert record["preparation"] == ["600 x 800 pixels, scaled only"]


def test_show_saves_what_the_network_saw(digits_run, tmp_path, capsys):
    path = tmp_path / "seen.png"
    heights = []
    for photos in (PHOTOS[:3], PHOTOS * 3, PHOTOS * 3 + PHOTOS[:1]):
        status, out, _ = call(capsys, "predict", digits_run, *photos, "--raw", "--show", path)
        assert status == 0
        with Image.open(path) as image:
            assert min(image.size) > 500
            heights.append(image.height)
        assert out.splitlines()[-1] == f"wrote {path}"
    assert heights[0] < heights[1] == heights[2]  # thirty at most
    path.unlink()
    assert len(records(capsys, digits_run, PHOTOS[0], "--show", path)) == 1  # only JSON
    assert path.exists()


def test_weights_of_torch_are_taken_for_mnists(digits_run, tmp_path, capsys):
    interop.save(tmp_path / "net.npz", interop.load(digits_run / "params.safetensors"))
    (record,) = records(capsys, tmp_path / "net.npz", PHOTOS[3])
    assert "scaled into 20 x 20" in record["preparation"]


def test_classes_without_names_are_numbered(tmp_path, capsys):
    import jax

    model = flaxnets.MLP(num_classes=3)
    variables = model.init(jax.random.key(0), np.ones((1, 28, 28), np.float32))
    flaxnets.save(tmp_path / "net.npz", model, variables)
    (record,) = records(capsys, tmp_path / "net.npz", PHOTOS[3])
    assert list(record["probabilities"]) == ["class 0", "class 1", "class 2"]


@pytest.fixture(scope="module")
def traps(digits_run, tmp_path_factory):
    """A folder with everything that can be wrong."""
    root = tmp_path_factory.mktemp("traps")
    shutil.copytree(digits_run, root / "run")
    (root / "empty").mkdir()
    (root / "begun").mkdir()
    shutil.copy(digits_run / "config.json", root / "begun")
    (root / "empty.png").touch()
    (root / "text.png").write_text("not an image")
    (root / "cut.jpg").write_bytes(Path(PHOTOS[0]).read_bytes()[:5000])
    (root / "huge.png").write_bytes(declared_png(30_000, 30_000))
    Image.new("L", (50, 50), 255).save(root / "blank.png")
    interop.save(root / "other.safetensors", {"weight": np.ones(3)})
    model, variables = flaxnets.load(digits_run)
    variables["params"]["fc2"]["kernel"][:] = 1e38  # overflows
    flaxnets.save(root / "nan.npz", model, variables)
    (root / "cut.safetensors").write_bytes((digits_run / "params.safetensors").read_bytes()[:999])
    return root


BAD = [
    (("run",), "give either image files or --index"),
    (("run", PHOTOS[0], "--index", "3"), "give either image files or --index"),
    (("run", "text.png"), "text.png: not a PNG or JPEG image"),
    (("run", "empty.png"), "empty.png: not a PNG or JPEG image"),
    (("run", "cut.jpg"), "cut.jpg: not a whole image"),
    (("run", "huge.png"), "huge.png: "),
    (("run", "blank.png"), "blank.png: nothing stands out from the ground"),
    (("run", PHOTOS[0], "nowhere.png"), "nowhere.png: No such file or directory"),
    (("run", "run"), "run: Is a directory"),
    (("run", "--index", "360"), "--index 360: digits has 360 test images, from 0 to 359"),
    (("run", "--index", "-1"), "--index -1: digits has 360 test images"),
    (("run", "--index", "two"), "invalid int value: 'two'"),
    (("run", "--index", "0", "--dataset", "mnist", "--data-dir", "empty"), "holds no IDX files"),
    (("nowhere", PHOTOS[0]), "nowhere: "),
    (("empty", PHOTOS[0]), "empty holds no params.safetensors"),
    (("begun", PHOTOS[0]), "or of one to be resumed, which has not come to the end of its first"),
    (("text.png", PHOTOS[0]), "the suffix must be one of .safetensors, .npz"),
    (("other.safetensors", PHOTOS[0]), "it names no model in its metadata"),
    (("cut.safetensors", PHOTOS[0]), "cut.safetensors: not a whole safetensors file"),
    (("nan.npz", PHOTOS[0]), "outputs are not finite"),
    (("run", PHOTOS[0], "--show", "seen.pdf"), "--show seen.pdf: the suffix must be .png"),
    (("run", PHOTOS[0], "--show", "nowhere/seen.png"), "there is no folder nowhere"),
    (
        ("run", PHOTOS[0], "--shwo", "seen.png"),
        "unrecognized arguments: --shwo seen.png (see flaxnets predict --help)",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_input_ends_with_status_2_and_one_line(arguments, message, traps, capsys, monkeypatch):
    monkeypatch.chdir(traps)
    status, out, err = call(capsys, "predict", *arguments)
    assert (status, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("flaxnets predict: error: ")
    assert message in line
    assert not (traps / "seen.png").exists()


def test_summary_shows_the_structure_and_a_row_for_each_layer(digits_run, capsys):
    for model in ("cnn", digits_run):
        status, out, err = call(capsys, "summary", model, "--batch-size", "8")
        assert (status, err) == (0, "")
        assert out.startswith(f"{flaxnets.CNN()!r}\n")
        assert re.search(r"^fc1 +\(8, 128\) +1,179,776 +18.9 MFLOP +56.6 MFLOP$", out, re.M)
        assert re.search(r"^total +1,199,882 +\d+ MFLOP +\d+ MFLOP$", out, re.M)
        assert re.search(r"^training step +14\.\d MB", out, re.M)
        assert max(map(len, out.splitlines())) <= 80


def test_the_summary_of_nothing_is_refused(tmp_path, capsys):
    for arguments, message in (
        (["resnet"], "'resnet' is none of cnn, mlp, softmax_mlp, and no file or folder"),
        ([str(tmp_path)], "holds no params.safetensors"),
        (["--batch-size", "0"], "--batch-size must be from 1 to 1,000,000, got 0"),
    ):
        status, out, err = call(capsys, "summary", *arguments)
        assert (status, out) == (2, "")
        assert message in err.splitlines()[-1]


@pytest.mark.parametrize("command", ["predict", "summary"])
def test_help_shows_examples_and_fits_80_columns(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    status, out, _ = call(capsys, command, "--help")
    assert status == 0
    assert "examples:" in out
    assert max(map(len, out.splitlines())) <= 80

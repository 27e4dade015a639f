"""torch's own files: every way in which a checkpoint comes, and every way in which it is bad."""

import os

import jax
import ml_dtypes
import numpy as np
import pytest
import torch
from helpers import call, run

import flaxnets
from flaxnets import interop
from flaxnets.parity.tutorials import TUTORIALS

NAMES = list(flaxnets.MODELS)


def trained(name, dtype=torch.float32):
    """A network whose weights no initialisation gives."""
    torch.manual_seed(7)
    net = TUTORIALS[name].pair.net().to(dtype)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(3).add_(0.01)
    return net


def prefixed(state_dict, prefix):
    return {prefix + name: tensor for name, tensor in state_dict.items()}


WRAPPINGS = {
    "bare": lambda s: s,
    "model_state_dict": lambda s: {"epoch": 3, "model_state_dict": s, "loss": 0.5},
    "state_dict": lambda s: {"state_dict": s, "optimizer": {"state": {}}},
    "model": lambda s: {"model": s, "args": {"lr": 0.1}},
    "nested": lambda s: {"model": {"state_dict": s}},
    "DataParallel": lambda s: prefixed(s, "module."),
    "compiled": lambda s: prefixed(s, "_orig_mod."),
    "both": lambda s: {"model": prefixed(s, "_orig_mod.module.")},
}


@pytest.mark.parametrize("suffix", [".pt", ".pth"])
@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_a_checkpoint_is_unwrapped_to_the_bare_state_dict(wrapping, suffix, tmp_path):
    state_dict = trained("mlp").state_dict()
    torch.save(WRAPPINGS[wrapping](state_dict), tmp_path / f"net{suffix}")
    loaded = interop.load(tmp_path / f"net{suffix}")
    assert list(loaded) == list(state_dict)
    for name, tensor in state_dict.items():
        np.testing.assert_array_equal(loaded[name], tensor.numpy())


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_prefixes_are_taken_off_in_every_format(suffix, tmp_path):
    state_dict = trained("mlp").state_dict()
    interop.save(tmp_path / f"net{suffix}", prefixed(state_dict, "module."))
    assert set(interop.load(tmp_path / f"net{suffix}")) == set(state_dict)


def test_a_prefix_that_not_all_names_have_stays():
    names = {"module.weight": np.ones(1), "bias": np.ones(1)}
    assert interop.files.bare(names) == names


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", NAMES)
def test_there_and_back_through_files_of_torch_is_bit_for_bit(name, dtype, tmp_path):
    state_dict = trained(name, dtype).state_dict()
    torch.save(state_dict, tmp_path / "in.pt")
    model, variables = flaxnets.load(tmp_path / "in.pt")
    interop.save(tmp_path / "out.pt", interop.to_torch(model, variables))
    back = torch.load(tmp_path / "out.pt", weights_only=True)
    assert list(back) == list(state_dict)
    for key, tensor in state_dict.items():
        assert back[key].dtype == dtype
        assert torch.equal(back[key].view(torch.uint8), tensor.view(torch.uint8))
    TUTORIALS[name].pair.net().to(dtype).load_state_dict(back)


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def test_files_that_are_not_tensors_alone_are_refused_and_run_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": torch.ones(1000)}, "whole.pt")
    whole = (tmp_path / "whole.pt").read_bytes()
    contents = {
        "empty.pt": b"",
        "cut.pt": whole[:-300],
        "short.pt": whole[:40],
        "foreign.pt": b"not weights" * 9,
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    for name, value in {
        "bomb.pt": {"weight": Bomb()},
        "module.pt": trained("mlp"),  # the whole module, as torch advises against
        "list.pt": [torch.ones(2)],
        "numbers.pt": {"epoch": 3},
        "nothing.pt": {},
    }.items():
        torch.save(value, name)
    for name in sorted(os.listdir()):
        if name != "whole.pt":
            with pytest.raises(ValueError, match=rf"^{name}: ") as info:
                interop.load(name)
            assert len(str(info.value).splitlines()) == 1
            with pytest.raises(ValueError, match=rf"^{name}: "):
                interop.load_optimizer(name)
    assert not (tmp_path / "executed").exists()


def test_a_bit_flipped_in_a_weight_is_seen(tmp_path):
    torch.save({"weight": torch.ones(20)}, tmp_path / "net.pt")
    content = bytearray((tmp_path / "net.pt").read_bytes())
    content[content.index(np.ones(20, np.float32).tobytes())] ^= 1
    (tmp_path / "net.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"the checksum of .*data/0 is wrong"):
        interop.load(tmp_path / "net.pt")


def test_tensors_that_numpy_has_not_are_refused_by_name(tmp_path):
    path = tmp_path / "net.pt"
    for tensor, what in (
        (torch.ones(3).to(torch.float8_e4m3fn), "torch.float8_e4m3fn"),
        (torch.eye(3).to_sparse(), "torch.sparse_coo"),
        (torch.ones(3, device="meta"), "on meta"),
    ):
        torch.save({"fc1.weight": tensor}, path)
        with pytest.raises(ValueError, match=rf"fc1.weight is no plain tensor.*{what}"):
            interop.load(path)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_checkpoint_that_holds_itself_or_names_that_are_numbers_ends_in_one_line(tmp_path):
    itself = {}
    itself["model"] = itself["optimizer"] = itself["state"] = itself
    for value, message in (
        (itself, "it holds model"),
        ({3: torch.ones(2)}, "unexpected 3"),
        ({"weight": torch.ones(2), 3: "x"}, "it holds 3"),
    ):
        torch.save(value, tmp_path / "net.pt")
        with pytest.raises(ValueError, match=message):
            interop.from_torch(flaxnets.MLP(), interop.load(tmp_path / "net.pt"))
    for value in (itself, {"state": 3, "param_groups": 4}, {"state": {0: 1}, "param_groups": []}):
        torch.save({"optimizer": value}, tmp_path / "net.pt")
        with pytest.raises(ValueError, match="no optimizer's state_dict"):
            interop.load_optimizer(tmp_path / "net.pt")


def test_what_is_no_number_is_an_offence_among_the_others():
    state_dict = {name: t.numpy() for name, t in trained("mlp").state_dict().items()}
    state_dict["linear_relu_stack.0.bias"] = np.full(512, "x")
    state_dict["note"] = np.array(["text"])
    with pytest.raises(ValueError, match=r"unexpected note; .*0.bias holds <U1, expected numbers"):
        interop.from_torch(flaxnets.MLP(), state_dict)


def test_weights_that_are_not_finite_are_reported_with_all_other_offences():
    state_dict = {name: t.numpy().copy() for name, t in trained("mlp").state_dict().items()}
    state_dict["linear_relu_stack.0.bias"][:3] = [np.nan, np.inf, -np.inf]
    del state_dict["linear_relu_stack.4.bias"]
    with pytest.raises(
        ValueError, match=r"missing linear_relu_stack.4.bias; .*0.bias has 3 values"
    ):
        interop.from_torch(flaxnets.MLP(), state_dict)


@pytest.mark.parametrize(
    "arguments",
    [
        ["convert", "net.pt", "new.npz"],
        ["convert", "net.npz", "net.pt", "--force"],
        ["train", "--dataset", "digits", "--save-model", "net.pt"],
    ],
)
def test_without_torch_a_pt_file_asks_for_it_before_the_work(arguments, tmp_path):
    (tmp_path / "net.pt").touch()
    model = flaxnets.MLP()
    flaxnets.save(tmp_path / "net.npz", model, model.init(jax.random.key(0), np.ones((1, 28, 28))))
    lines = ["import sys; sys.modules['torch'] = None", "from flaxnets.cli import program"]
    code = "\n".join([*lines, f"program.main({arguments})"])
    status, _, err = run("-c", code, cwd=tmp_path)
    assert status == 2
    assert err.splitlines()[-1].endswith(
        "error: net.pt: reading and writing .pt files needs torch: pip install 'flaxnets[parity]'"
    )
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("suffix", interop.FORMATS)
@pytest.mark.parametrize("name", NAMES)
def test_convert_goes_both_ways(name, suffix, tmp_path, capsys):
    net = trained(name)
    torch.save({"model_state_dict": net.state_dict()}, tmp_path / "net.pt")
    middle, back = tmp_path / f"middle{suffix}", tmp_path / "back.pt"
    status, out, err = call(capsys, "convert", tmp_path / "net.pt", middle)
    assert (status, err) == (0, "")
    assert f"{name}, {sum(p.numel() for p in net.parameters()):,} parameters, float32" in out
    assert call(capsys, "convert", middle, back, "--model", name)[0] == 0
    for key, tensor in torch.load(back, weights_only=True).items():
        assert torch.equal(tensor, net.state_dict()[key])


def test_a_converted_run_keeps_its_fields_and_dataset(tmp_path, capsys):
    model = flaxnets.CNN(hidden=16)
    variables = model.init(jax.random.key(0), np.ones((1, 28, 28), np.float32))
    metadata = {"dataset": "fashion_mnist", "path": "any text", "format": "pt"}
    interop.save(
        tmp_path / "a.npz",
        interop.to_torch(model, variables),
        {**flaxnets.saving.describe(model), **metadata},
    )
    assert call(capsys, "convert", tmp_path / "a.npz", tmp_path / "b.safetensors")[0] == 0
    assert flaxnets.load(tmp_path / "b.safetensors")[0] == model
    assert metadata.items() <= interop.metadata(tmp_path / "b.safetensors").items()


def test_what_cannot_be_converted_is_refused_in_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(trained("mlp").state_dict(), "mlp.pt")
    torch.save({"weight": torch.ones(3)}, "other.pt")
    torch.save({"weight": Bomb()}, "bomb.pt")
    bad = trained("mlp").state_dict()
    bad["linear_relu_stack.0.bias"][0] = torch.nan
    torch.save(bad, "nan.pt")
    for arguments, message in (
        (["nowhere.pt", "out.npz"], "nowhere.pt: there is no such file"),
        (["mlp.pt", "out.onnx"], "the suffix must be one of"),
        (["mlp.pt", "nowhere/out.npz"], "there is no folder nowhere"),
        (["mlp.pt", "out.npz", "--model", "cnn"], "mlp.pt holds a mlp, not a cnn"),
        (["other.pt", "out.npz"], "names no model"),
        (["bomb.pt", "out.npz"], "not a file of tensors alone"),
        (["nan.pt", "out.npz"], "linear_relu_stack.0.bias has 1 values that are not finite"),
    ):
        status, out, err = call(capsys, "convert", *arguments)
        assert (status, out) == (2, "")
        (line,) = err.splitlines()
        assert message in line
    assert not {"out.npz", "executed"} & set(os.listdir())


def test_a_file_that_exists_is_replaced_only_by_force(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(trained("mlp").state_dict(), "net.pt")
    torch.save({"model": trained("mlp").state_dict(), "optimizer": {}}, "precious.pt")
    before = (tmp_path / "precious.pt").read_bytes()
    status, out, err = call(capsys, "convert", "net.pt", "precious.pt")
    assert (status, out) == (2, "")
    assert err.endswith("error: precious.pt exists already: choose another OUT, or --force\n")
    assert (tmp_path / "precious.pt").read_bytes() == before
    assert call(capsys, "convert", "net.pt", "precious.pt", "--force")[0] == 0
    assert "optimizer" not in torch.load("precious.pt", weights_only=True)


def test_of_a_whole_network_the_state_dict_is_asked_for(tmp_path, capsys):
    torch.save(trained("mlp"), tmp_path / "whole.pt")
    status, _, err = call(capsys, "convert", tmp_path / "whole.pt", tmp_path / "net.npz")
    assert status == 2
    (line,) = err.splitlines()
    assert "(flaxnets.parity.reference.NeuralNetwork)" in line
    assert line.endswith("of a whole network save net.state_dict(), not net")


def test_bfloat16_is_read_as_such(tmp_path):
    torch.save(trained("mlp", torch.bfloat16).state_dict(), tmp_path / "net.pt")
    loaded = interop.load(tmp_path / "net.pt")
    assert {array.dtype for array in loaded.values()} == {np.dtype(ml_dtypes.bfloat16)}


@pytest.mark.filterwarnings("ignore:dropout2d")
@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_of_torch_predicts_the_same_classes_in_each_precision(name, tmp_path):
    """Weights as they are stored, computed in float32. Of two classes that are as good as equally
    likely, rounding decides."""
    train, test = flaxnets.data.load("digits")
    net = trained_by_sgd(name, train)
    images = torch.tensor(test.images / np.float32(255)).reshape(-1, *TUTORIALS[name].pair.shape)
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        torch.save({"model": net.to(dtype).state_dict()}, tmp_path / "net.pt")
        model, variables = flaxnets.load(tmp_path / "net.pt")
        ours = flaxnets.training.predict(model, variables, test.images).argmax(1)
        with torch.no_grad():
            theirs = net.float()(images)
        best = theirs.topk(2).values
        sure = (best[:, 0] - best[:, 1] > 1e-5).numpy()
        assert sure.mean() > 0.9
        np.testing.assert_array_equal(ours[sure], theirs.argmax(1)[sure])


def trained_by_sgd(name, train):
    """A network after an epoch in torch, not by Adam, in evaluation."""
    torch.manual_seed(123)
    net = TUTORIALS[name].pair.net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    images = torch.tensor(train.images / np.float32(255)).reshape(-1, *TUTORIALS[name].pair.shape)
    labels = torch.tensor(train.labels, dtype=torch.int64)
    for x, y in zip(images.split(100), labels.split(100), strict=True):
        optimizer.zero_grad()
        TUTORIALS[name].pair.torch_loss(net(x), y).backward()
        optimizer.step()
    return net.eval()

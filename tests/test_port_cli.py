"""``flaxnets port``: what it writes, shows and refuses. What a port is, is tested elsewhere."""

import importlib.util
import sys

import numpy as np
import pytest
import torch
from helpers import call, contents

from flaxnets import interop, port
from flaxnets.cli import inputs
from flaxnets.cli import port as port_command
from flaxnets.parity.records import Record
from flaxnets.parity.report import Report
from flaxnets.port import saving, targets, weights

NET = '''
import torch
from torch import nn


class SmallNet(nn.Module):
    """Two layers."""

    def __init__(self, classes=3):
        super().__init__()
        self.one = nn.Linear(4, 5)
        self.two = nn.Linear(5, classes)

    def forward(self, x):
        return self.two(torch.relu(self.one(x)))


class Needy(nn.Module):
    def __init__(self, n, size=4):
        super().__init__()
        self.layer = nn.Linear(size, n)

    def forward(self, x):
        return self.layer(x)


class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 1 // 0)


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        if x.sum() > 0:
            return self.layer(x)
        return x


def make(classes):
    return SmallNet(classes)


def stack():
    return nn.Sequential(nn.Linear(4, 2), nn.ReLU())


def squares(outputs, targets):
    return (outputs**2).mean() + 0 * targets.mean()


def fails():
    raise RuntimeError("no\\nway")


made = SmallNet(2)
number = 3
'''
INPUT = ("--input", "6,4")
QUICK = (*INPUT, "--level", "1")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where one works: it has my_net.py."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = {*sys.modules}
    (tmp_path / "my_net.py").write_text(NET)
    yield tmp_path
    for name in {name for name in sys.modules if name.strip("_").startswith("my_")} - before:
        del sys.modules[name]


def loaded(path):
    """What ``load()`` of a network.py gives."""
    spec = importlib.util.spec_from_file_location(f"my_loaded_{path.parent.name}", path)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load()


def test_a_port_is_a_folder_whose_load_gives_the_network(folder, capsys):
    status, out, err = call(capsys, "port", "my_net.py:SmallNet", *INPUT, "--level", 1, 3)
    assert (status, err) == (0, "")
    written = folder / "ported/small_net"
    assert sorted(path.name for path in written.iterdir()) == [
        "PARITY.md",
        "network.py",
        "weights.safetensors",
    ]
    assert out.splitlines()[-1] == (
        "wrote ported/small_net: network.py, weights.safetensors, PARITY.md"
    )
    assert " 3 forward, evaluation  float64 " in out and "these levels hold" in out
    model, variables = loaded(written / "network.py")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = targets.load("my_net.py:SmallNet").net
    x = torch.ones(2, 4)
    error = np.abs(model.apply(variables, x.numpy()) - net(x).detach().numpy()).max()
    assert error < 1e-6  # float32


def test_the_header_says_from_what_it_was_made_and_which_levels_held(folder, capsys):
    call(capsys, "port", "my_net.py:SmallNet", *INPUT, "--level", 1, 3)
    text = (folder / "ported/small_net/network.py").read_text()
    torchs = torch.__version__.partition("+")[0]
    assert text.startswith(
        f'"""Ported from ``SmallNet`` in ``my_net.py`` by flaxnets, with torch {torchs}.\n\n'
        "The weights are those that it was made with, after torch.manual_seed(0).\n\n"
        "Levels that held: 1 (structure), 3 (forward, evaluation). See PARITY.md.\n"
        '"""\n'
    )
    page = (folder / "ported/small_net/PARITY.md").read_text()
    assert page.startswith("# SmallNet and its port\n\nPorted from `SmallNet` in `my_net.py`")
    assert "| SmallNet | 1 structure | exact |" in page
    assert "verified" not in (text + page).lower()


def checked_as(monkeypatch, failed=(), left_out=(10,)):
    """What a check says from now on: levels that failed, and that are left out."""

    def check(self, levels, loss, progress):
        records = (
            Record("SmallNet", level, "all", lane, float(level in failed), 0.5)
            for level in range(1, 12)
            for lane in ("exact", "float32", "float64")
            if level not in left_out
        )
        reasons = dict.fromkeys(left_out, "no dataset")
        return Report(tuple(records), {"SmallNet": "6 examples, and 7; loss: l1_loss"}, reasons)

    monkeypatch.setattr(port.Ported, "check", check)


def test_once_every_level_holds_the_header_says_what_was_verified_and_how(
    folder, capsys, monkeypatch
):
    checked_as(monkeypatch)
    status, out, _ = call(capsys, "port", "my_net.py:SmallNet", *INPUT)
    assert status == 0 and "every level holds (30 comparisons in " in out
    for name in (saving.NETWORK, saving.PAGE):
        text = " ".join((folder / "ported/small_net" / name).read_text().split())
        assert (
            "Verified beside torch's network, in float64 and float32 (6 examples, and 7; loss: "
            "l1_loss). Every level holds: 1 (structure), 2 (initialisation), 3 (forward, "
        ) in text
        assert ", 11 (interchange). Left out: 10 (outcome): no dataset. " in text


def test_if_some_levels_were_not_looked_at_nothing_is_called_verified(monkeypatch):
    checked_as(monkeypatch, left_out=())
    whole = port.Ported.check(None, None, None, None)
    for level in range(1, 12):
        some = tuple(record for record in whole.records if record.level != level)
        verdict = saving.verdict(Report(some, whole.settings))
        assert verdict.startswith("Levels that held: ") and f" {level} (" not in verdict
    assert saving.verdict(Report((), {})) == "Nothing was compared."
    assert saving.verdict(whole).startswith("Verified ")


def test_without_a_check_the_header_says_so_and_there_is_no_proof(folder, capsys):
    status, out, _ = call(capsys, "port", "my_net.py:SmallNet", *INPUT, "--no-check")
    assert status == 0 and "level" not in out
    assert not (folder / "ported/small_net/PARITY.md").exists()
    assert "\n\nIt was not checked.\n" in (folder / "ported/small_net/network.py").read_text()


def test_if_a_level_fails_the_status_is_1_and_nothing_is_called_verified(
    folder, capsys, monkeypatch
):
    checked_as(monkeypatch, failed=(7,))
    status, out, err = call(capsys, "port", "my_net.py:SmallNet", *INPUT)
    assert status == 1 and "NOT every level holds" in out
    names = (saving.NETWORK, saving.PAGE)
    texts = [(folder / "ported/small_net" / name).read_text() for name in names]
    assert all("NOT every level holds: not 7 (gradients)." in text for text in texts)
    assert not any("verified" in text.lower() for text in (*texts, out, err))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("VGG", "vgg"),
        ("UNet", "u_net"),
        ("ResNet18", "res_net18"),
        ("SmallCNNBlock", "small_cnn_block"),
    ],
)
def test_the_folder_is_called_as_the_class_in_snake_case(kind, name):
    net = type(kind, (torch.nn.Identity,), {"__module__": "my_net"})()
    assert port_command._name(targets.Target(net, None, sys, "make")) == name
    assert port_command._name(targets.Target(torch.nn.Linear(1, 1), None, sys, "TwoLayers")) == (
        "two_layers"  # a class of torch's says less than the name that it was given
    )


def test_arguments_functions_modules_and_packages_name_a_network(folder, capsys):
    (folder / "my_package").mkdir()
    (folder / "my_package/nets.py").write_text(NET)
    cases = {
        ("my_net.py:make", "--kwargs", '{"classes": 7}'): (
            "``make(classes=7)``, of class ``SmallNet``, in ``my_net.py``",
            "small_net",
        ),
        ("my_net.py:Needy", "--kwargs", '{"n": 2}'): ("``Needy(n=2)`` in ``my_net.py``", "needy"),
        ("my_net.py:made", "--force"): (
            "``made``, of class ``SmallNet``, in ``my_net.py``",
            "small_net",
        ),
        ("my_net.py:stack",): ("``stack``, of class ``Sequential``, in ``my_net.py``", "stack"),
        ("my_package.nets:SmallNet", "--force"): (
            "``SmallNet`` in ``my_package.nets``",
            "small_net",
        ),
    }
    for arguments, (made_from, name) in cases.items():
        status, _, err = call(capsys, "port", *arguments, *INPUT, "--no-check")
        assert (status, err) == (0, ""), arguments
        text = (folder / f"ported/{name}/network.py").read_text()
        assert text.startswith(f'"""Ported from {made_from} by flaxnets')


@pytest.mark.parametrize("suffix", interop.FORMATS)
def test_weights_come_from_a_file_to_the_bit(folder, capsys, suffix):
    state = {name: t + 1 for name, t in targets.load("my_net.py:SmallNet").net.state_dict().items()}
    interop.save(f"net{suffix}", state)
    command = ("port", "my_net.py:SmallNet", *INPUT, "--weights", f"net{suffix}", "--no-check")
    assert call(capsys, *command)[0] == 0
    text = (folder / "ported/small_net/network.py").read_text()
    assert f"\nThe weights are those of ``net{suffix}``.\n" in text
    back = interop.to_torch(*loaded(folder / "ported/small_net/network.py"))
    assert list(back) == list(state)
    for name, array in back.items():
        np.testing.assert_array_equal(array, state[name].numpy())


def test_weights_that_would_be_rounded_or_contradict_a_tie_are_refused(folder):
    net = targets.load("my_net.py:SmallNet").net
    state = net.state_dict()
    interop.save("double.npz", {n: t.double() + 1e-12 for n, t in state.items()})
    with pytest.raises(ValueError, match=r"double.npz: one.weight of float64 is another number"):
        weights.read(net, "double.npz")
    tied = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    state = {name: tensor.clone() for name, tensor in tied.state_dict().items()}
    interop.save("tied.npz", state)
    tied[1].weight = tied[0].weight
    with pytest.raises(ValueError, match=r"tied.npz: 0.weight of float32 is another number"):
        weights.read(tied, "tied.npz")


def test_half_precision_weights_fit_a_network_of_their_dtype(tmp_path):
    net = torch.nn.Linear(3, 2).to(torch.bfloat16)
    state = {name: tensor + 1 for name, tensor in net.state_dict().items()}
    interop.save(tmp_path / "net.pt", state)
    weights.read(net, tmp_path / "net.pt")
    assert all(torch.equal(net.state_dict()[name], state[name]) for name in state)


def test_each_offence_is_a_line_and_nothing_is_written(folder, capsys):
    status, out, err = call(capsys, "port", "my_net.py:Branching", *INPUT)
    line = NET.splitlines().index("        if x.sum() > 0:") + 1
    assert (status, out) == (2, "")
    first, second = err.splitlines()
    assert first.startswith(f"my_net.py:{line - 3}: layer: a submodule that is never called: ")
    assert second.startswith(f"my_net.py:{line}: a branch or loop on data: if x.sum() > 0:: ")
    assert not (folder / "ported").exists()


BAD = [
    (("no_net.py:Net", *INPUT), "no_net.py: no such file"),
    (("no_package.nets:Net", *INPUT), "there is no module no_package, nor a file"),
    (("my_net.py", *INPUT), "my_net.py: name the network, as FILE.py:NAME or package.module:NAME"),
    (("my_net.py:Net", *INPUT), "has no Net: its networks are SmallNet, Needy, Broken, Branching"),
    (("my_net.py:number", *INPUT), "number is of type int: a class, function or module is wanted"),
    (("my_net.py:nn", *INPUT), "nn is of type module"),
    (("my_net.py:Needy", *INPUT), "Needy needs n: give it as --kwargs '{\"name\": value}'"),
    (("my_net.py:SmallNet", *INPUT, "--kwargs", "{n: 3}"), "--kwargs {n: 3}: no JSON"),
    (("my_net.py:SmallNet", *INPUT, "--kwargs", "[3]"), "--kwargs [3]: it must be an object"),
    (
        ("my_net.py:SmallNet", *INPUT, "--kwargs", '{"n": 3}'),
        "SmallNet has no argument n: it takes classes",
    ),
    (("my_net.py:made", *INPUT, "--kwargs", '{"n": 3}'), "made is made already"),
    (("my_net.py:Broken", *INPUT), ": ZeroDivisionError: integer division or modulo by zero"),
    (("my_net.py:fails", *INPUT), ": RuntimeError: no way"),
    (("my_net.py:SmallNet",), "give --input SHAPE, or write a function example() in my_net.py"),
    (("my_net.py:SmallNet", "--input", "4,x"), "'4,x' is not as 1,3,32,32 or 4,20:int64:1000"),
    (("my_net.py:SmallNet", "--input", ""), "'' is not as 1,3,32,32"),
    (("my_net.py:SmallNet", "--input", "0,4"), "'0,4': sizes and bounds are at least 1"),
    (("my_net.py:SmallNet", "--input", "2,4:float9"), "torch has no dtype float9"),
    (("my_net.py:SmallNet", "--input", "2,4:int7:3"), "numbers of torch.int7 cannot be drawn"),
    (("my_net.py:SmallNet", "--input", "2,4:int64"), "below which number? as 2,4:int64:1000"),
    (("my_net.py:SmallNet", "--input", "2,4:float32:9"), "a bound is for whole numbers"),
    (("my_net.py:SmallNet", "--input", "2,4:uint8:300"), "uint8 holds no numbers up to 300"),
    (("my_net.py:SmallNet", *INPUT, *INPUT), "SmallNet.forward takes x, the example is 2 of them"),
    (
        ("my_net.py:SmallNet", "--input", "6,5"),
        "or not with this input: my_net.py:15: RuntimeError: mat1 and mat2 shapes cannot",
    ),
    ((".:Net", *INPUT), ".: neither a file that ends in .py nor the name of a module"),
    (("my_net.py:SmallNet", *INPUT, "--loss", "love"), "--loss love: neither torch.nn.functional"),
    (("my_net.py:SmallNet", *INPUT, "--loss", "relu"), "torch.nn.functional has no such loss"),
    (("my_net.py:SmallNet", *INPUT, "--level", "12"), "there is no level 12: they are 1 to 11"),
    (("my_net.py:SmallNet", *INPUT, "--no-check", "--level", "1"), "--no-check compares nothing"),
    (("my_net.py:SmallNet", *INPUT, "--weights", "none.pt"), "none.pt: no such file"),
    (("my_net.py:SmallNet", *INPUT, "--weights", "my_net.py"), "the suffix must be one of"),
    (("my_net.py:SmallNet", *INPUT, "--output", "my_net.py"), "--output my_net.py is a file"),
    (("my_net.py:SmallNet", *INPUT, "--output", "my_net.py/x"), "cannot write in"),
    (("my_net.py:SmallNet", *INPUT, "--output", "/", "--force"), "--output /: name a folder"),
    (("my_net.py:SmallNet", *INPUT, "--output", "/proc/x"), "--output /proc/x: cannot write in"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_input_is_one_line_and_nothing_is_written(folder, capsys, arguments, message):
    before = contents(folder)
    status, out, err = call(capsys, "port", *arguments)
    assert (status, out) == (2, "")
    assert message in err and err.count("\n") == 1 and "Traceback" not in err
    after = contents(folder)
    assert {path for path in after if "__pycache__" not in path.parts} == before.keys()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import torch\nx = 1 +\n", "my_bad.py:2: SyntaxError: invalid syntax"),
        ("import torch\nimport no_such\n", "my_bad.py:2: ModuleNotFoundError: No module named"),
        ("raise SystemExit('bye')\n", "my_bad.py:1: SystemExit: bye"),
    ],
)
def test_what_a_file_raises_when_it_is_run_has_its_line(folder, capsys, text, message):
    (folder / "my_bad.py").write_text(text)
    status, _, err = call(capsys, "port", "my_bad.py:Net", *INPUT)
    assert status == 2 and message in err and err.count("\n") == 1


def test_weights_that_do_not_fit_are_refused_with_every_key(folder, capsys):
    interop.save("net.npz", {"one.weight": np.ones((5, 3)), "three": np.ones(2)})
    command = ("port", "my_net.py:SmallNet", *INPUT, "--weights", "net.npz")
    status, _, err = call(capsys, *command)
    assert status == 2 and err.endswith(
        "net.npz does not fit SmallNet: it holds no one.bias; no two.weight; no two.bias; three, "
        "which it has not; one.weight of shape (5, 3), not (5, 4)\n"
    )


def test_a_folder_that_exists_is_shown_as_a_difference_and_stays(folder, capsys):
    assert call(capsys, "port", "my_net.py:SmallNet", *QUICK)[0] == 0
    before = contents(folder / "ported")
    wider = NET.replace("nn.Linear(5, classes)", "nn.Linear(5, classes, bias=False)")
    (folder / "my_new.py").write_text(wider)
    command = ("port", "my_new.py:SmallNet", *INPUT, "--output", "ported/small_net")
    status, out, err = call(capsys, *command)
    assert status == 2 and "ported/small_net exists already: " in err and "--force" in err
    lines = out.splitlines()
    assert lines[:2] == ["--- ported/small_net/network.py", "+++ ported/small_net/network.py (new)"]
    assert [line for line in lines[2:] if line[0] in "+-"] == [
        "-        self.two = layers.Linear(5, self.classes)",
        "+        self.two = layers.Linear(5, self.classes, use_bias=False)",
    ]
    assert lines[-1] == "ported/small_net/weights.safetensors: 4 of 4 arrays differ"
    assert contents(folder / "ported") == before


def test_the_same_port_again_shows_no_difference_and_other_weights_are_told(folder, capsys):
    command = ("port", "my_net.py:SmallNet", *INPUT, "--no-check")
    assert call(capsys, *command)[0] == 0
    assert call(capsys, *command)[:2] == (2, "")
    state = targets.load("my_net.py:SmallNet").net.state_dict()
    interop.save("zero.npz", {n: t * 0 for n, t in state.items()})
    _, out, _ = call(capsys, *command, "--weights", "zero.npz")
    assert out == "ported/small_net/weights.safetensors: 4 of 4 arrays differ\n"


def test_force_replaces_the_port_and_leaves_other_files(folder, capsys):
    call(capsys, "port", "my_net.py:SmallNet", *QUICK)
    (folder / "ported/small_net/mine.txt").write_text("mine")
    command = ("port", "my_net.py:SmallNet", *INPUT, "--kwargs", '{"classes": 9}')
    assert call(capsys, *command, "--no-check", "--force")[0] == 0
    names = sorted(path.name for path in (folder / "ported/small_net").iterdir())
    assert names == ["mine.txt", "network.py", "weights.safetensors"]  # no proof of another
    assert "classes=9" in (folder / "ported/small_net/network.py").read_text()
    assert [path.name for path in (folder / "ported").iterdir()] == ["small_net"]


def test_what_cannot_be_written_whole_leaves_what_was_there(folder, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    command = ("port", "my_net.py:SmallNet", *QUICK)
    assert call(capsys, *command)[0] == 0
    before = contents(folder / "ported")
    monkeypatch.setattr(saving, "page", full)
    status, _, err = call(capsys, *command, "--force", "--output", "ported/small_net")
    assert status == 1 and err.endswith("No space left on device\n") and err.count("\n") == 1
    assert contents(folder / "ported") == before


def test_saving_in_python_writes_the_same_folder(folder, capsys):
    call(capsys, "port", "my_net.py:SmallNet", *INPUT, "--no-check")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = targets.load("my_net.py:SmallNet").net
    port.port(net, torch.ones(6, 4)).save("python/net")
    theirs, ours = folder / "ported/small_net", folder / "python/net"
    same = (ours / "weights.safetensors").read_bytes()
    assert (theirs / "weights.safetensors").read_bytes() == same
    text = (ours / "network.py").read_text()
    assert (theirs / "network.py").read_text() == text.replace(
        "that the network had", "that it was made with, after torch.manual_seed(0)"
    )


def test_an_example_of_the_file_is_taken_and_a_loss_of_it(folder, capsys):
    text = NET + "\n\ndef example():\n    return {'x': torch.ones(6, 4)}\n"
    (folder / "my_net.py").write_text(text)
    command = ("port", "my_net.py:SmallNet", "--loss", "squares", "--level", "7")
    status, out, err = call(capsys, *command)
    assert (status, err) == (0, "") and "7 gradients" in out
    page = (folder / "ported/small_net/PARITY.md").read_text()
    assert "loss: squares, torch's on both sides" in page


def test_example_that_fails_has_its_line(folder, capsys):
    (folder / "my_net.py").write_text(NET + "\n\ndef example():\n    return 1 / 0\n")
    status, _, err = call(capsys, "port", "my_net.py:SmallNet")
    line = len((NET + "\n\ndef example():\n    return 1 / 0\n").splitlines())
    assert status == 2 and f"my_net.py:{line}: ZeroDivisionError: division by zero" in err


def test_an_example_is_of_tensors(folder, capsys):
    (folder / "my_net.py").write_text(NET + "\n\ndef example():\n    return torch.ones(2, 4), 3\n")
    status, _, err = call(capsys, "port", "my_net.py:SmallNet")
    assert status == 2 and "a tensor, a tuple or a dict of tensors; got int in it" in err


def test_a_loss_that_gives_no_number_is_refused_and_nothing_is_written(folder, capsys):
    (folder / "my_net.py").write_text(NET.replace(".mean() + 0 * targets.mean()", ""))
    status, _, err = call(capsys, "port", "my_net.py:SmallNet", *INPUT, "--loss", "squares")
    assert status == 2 and "error: loss squares must give one number" in err
    assert not (folder / "ported").exists()


def test_where_nothing_was_compared_the_status_is_1(folder, capsys):
    status, out, _ = call(capsys, "port", "my_net.py:SmallNet", *INPUT, "--level", "10")
    assert status == 1 and "nothing was compared (0 comparisons" in out


def test_a_folder_without_a_port_is_refused_without_a_difference(folder, capsys):
    status, out, err = call(capsys, "port", "my_net.py:SmallNet", *INPUT, "--output", ".")
    assert (status, out) == (2, "") and ". exists already: " in err


def test_files_beside_the_one_that_is_named_can_be_imported(folder, capsys):
    (folder / "sub").mkdir()
    (folder / "sub/my_parts.py").write_text(NET)
    (folder / "sub/my_whole.py").write_text("from my_parts import SmallNet\n")
    assert call(capsys, "port", "sub/my_whole.py:SmallNet", *INPUT, "--no-check")[0] == 0


def test_inputs_are_drawn_as_described_and_the_same_each_time():
    net = torch.nn.Linear(2, 2).double()
    described = [inputs.parsed(text) for text in ("3,4", "2:int32:5", "2,2:bool", "1:float16")]
    drawn = inputs.drawn(described, net)
    assert [tensor.dtype for tensor in drawn] == [
        torch.float64,  # the network's own
        torch.int32,
        torch.bool,
        torch.float16,
    ]
    assert [tuple(tensor.shape) for tensor in drawn] == [(3, 4), (2,), (2, 2), (1,)]
    assert drawn[1].max() < 5
    again = inputs.drawn(described, net)
    assert all(torch.equal(a, b) for a, b in zip(drawn, again, strict=True))


def test_help_says_that_it_runs_the_file(capsys):
    status, out, _ = call(capsys, "port", "--help")
    assert status == 0 and "It runs the file that it is given." in out

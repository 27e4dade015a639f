"""What cannot be ported is refused by file and line, and what to do."""

import ast
import inspect
from pathlib import Path

import jax
import pytest
import torch
from networks.refused import REFUSED
from port_helpers import EXACT, as_in_torch, seeded

from flaxnets import port

CASES = {case.network.__name__: case for case in REFUSED}
# Refused, but at another line than the one to be mended, and why.
KNOWN = {
    "LoopOverSamples": "torch.stack of the rows is named, not the loop",
    "CountsItsCalls": "the class is named, not the line that counts",
}
# Python draws which layers are called: then a line of the caller's file may be named besides.
STRAY = {"LayerDrop"}


def refusal(case):
    """The offences that were found; None if it was ported."""
    try:
        port.port(seeded(case.network), case.example())
    except port.Unsupported as error:
        return error.offences
    return None


def statement_lines(file, line):
    """All lines of the smallest statement that this line is of, or its head if it has a body."""
    found = range(line, line + 1)
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.stmt) and not hasattr(node, "body"):
            lines = range(node.lineno, node.end_lineno + 1)
            found = lines if line in lines else found
    return found


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_ported_is_refused_at_its_line_or_right(name):
    case = CASES[name]
    offences = refusal(case)
    if offences is None:
        assert case.or_right
        net = seeded(case.network).eval()
        assert as_in_torch(port.port(net, case.example()), net, case.example()) <= EXACT
        return
    file = Path(inspect.getsourcefile(case.network))
    own = [each for each in offences if Path(each.file).name == file.name]
    named = {n for each in own for n in statement_lines(file, each.line)}
    assert name in STRAY or {Path(each.file).name for each in offences} == {file.name}
    assert bool(named & case.lines().keys()) == (name not in KNOWN)


def test_every_offence_says_where_what_its_line_and_what_to_do():
    for case in REFUSED:
        for each in refusal(case) or []:
            assert each.line and each.what and each.remedy, each
            if case.network.__name__ in STRAY:
                continue
            lines = Path(inspect.getsourcefile(case.network)).read_text().splitlines()
            assert each.text == lines[each.line - 1].strip(), each
            place = f"{each.file}:{each.line}: "
            assert str(each) == f"{place}{each.what}: {each.text}: {each.remedy}"


class WrongTwice(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(6, 6)

    def forward(self, x):
        x = torch.linalg.qr(self.fc(x))[0]
        return torch.erfinv(x)


def test_all_offences_are_said_at_once_in_the_order_of_their_lines():
    with pytest.raises(port.Unsupported) as caught:
        port.port(WrongTwice(), torch.rand(4, 6))
    first, second = caught.value.offences
    assert "qr" in first.what and "erfinv" in second.what and second.line == first.line + 1
    assert str(caught.value).splitlines() == [str(first), str(second)]
    assert isinstance(caught.value, ValueError)


def test_a_refused_network_is_left_as_it_was():
    for name in list(CASES)[::8]:
        net, state = seeded(CASES[name].network).train(), torch.random.get_rng_state()
        before = {key: value.clone() for key, value in net.state_dict().items()}
        with pytest.raises(port.Unsupported):
            port.port(net, CASES[name].example())
        after = net.state_dict()
        assert all(torch.equal(after[key], value) for key, value in before.items())
        assert all(module.training for module in net.modules())
        assert torch.equal(torch.random.get_rng_state(), state)
    assert not jax.config.jax_enable_x64

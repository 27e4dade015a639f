"""Public names are documented: what goes in, what comes out, what is raised, what is mirrored."""

import dataclasses
import inspect
import json
import re

import pytest
from helpers import ROOT

import flaxnets
from flaxnets import data, interop, layers, losses, models, parity, runs, training
from flaxnets.parity import records, reference, report
from flaxnets.runs import checkpoints

OTHERS = (parity.run, parity.check, report.Report, records.Record)


def public():
    """Every public function and class, by its name."""
    found = {f"{value.__module__}.{value.__name__}": value for value in OTHERS}
    for module in (flaxnets, layers, losses, training, interop, data, runs, checkpoints):
        found |= {f"{module.__name__}.{name}": getattr(module, name) for name in module.__all__}
    for module in (models, reference):
        for name, value in vars(module).items():
            if getattr(value, "__module__", "") == module.__name__ and not name.startswith("_"):
                found[f"{module.__name__}.{name}"] = value
    return {
        n.removeprefix("flaxnets."): v
        for n, v in found.items()
        if inspect.isclass(v) or inspect.isfunction(v)
    }


PUBLIC = public()
SHAPE = re.compile(r"\((N|\.\.\.|out|in|h|\d+),[^()]*\)|shaped? (as|of)|scalar")
DTYPE = re.compile(r"\b(u?int\d+|bfloat16|float\d+|floating|dtypes?)\b")
# Nothing of their own is raised by what only holds values, nor by these.
NO_ERRORS = {
    "layers.Identity",
    "layers.Module",
    "layers.Tensor",
    "training.steps_per_epoch",
    "data.Split",
    "data.Splits",
    "training.Chunk",
    "training.Epoch",
    "training.Metrics",
    "training.Snapshot",
    "training.TrainState",
    "runs.Interrupted",
    "parity.records.Record",
    "parity.report.Report",
}
# Here no arrays go in or out, or only within what has its own name and docstring.
NO_ARRAYS = {
    "runs.Interrupted",
    "runs.Plan",
    "runs.Run",
    "runs.checkpoints.Checkpoints",
    "runs.resume",
    "runs.start",
    "interop.check_path",
    "interop.metadata",
    "interop.parameters",
    "layers.Module",
    "layers.ModuleDict",
    "layers.ModuleList",
    "parity.records.Record",
    "parity.report.Report",
    "parity.run",
    "training.Chunk",
    "training.Config",
    "training.Epoch",
    "training.Metrics",
    "training.steps_per_epoch",
}
TWINS = [
    n for n in PUBLIC if n.startswith(("layers.", "losses.", "models.", "parity.reference."))
] + [
    "interop.adam_from_torch",
    "interop.optimizer_from_torch",
    "interop.optimizer_to_torch",
    "interop.parameters",
    "interop.adam_to_torch",
    "interop.from_torch",
    "interop.leaves",
    "interop.load",
    "interop.load_optimizer",
    "interop.named_parameters",
    "interop.save",
    "interop.to_torch",
    "named_parameters",
    "training.Config",
    "training.train_step",
]
TUTORIALS = r"https://docs\.pytorch\.org/tutorials|Building a neural network using PyTorch"


def offences(name, value, doc):
    """What a docstring lacks."""
    first = doc.partition("\n")[0]
    if not re.match(r"\S.*[.:]$", first) or first.startswith(value.__name__ + "("):
        yield "a first sentence"  # and not the signature that dataclasses and tuples get
    for field in names(value):
        if not re.search(rf"\b{field}\b", doc):
            yield field
    returns = inspect.isfunction(value) and inspect.signature(value).return_annotation is not None
    if returns and not re.search(r"^\s+(Returns|Yields):|->", doc, re.M):
        yield "Returns"
    if name not in NO_ERRORS and not re.search(r"^\s+Raises:", doc, re.M):
        yield "Raises"
    if name not in NO_ARRAYS:
        yield from ["a shape"] * (not SHAPE.search(doc)) + ["a dtype"] * (not DTYPE.search(doc))
    if name in TWINS and not re.search(rf"torch(vision)?\.\w+|{TUTORIALS}", doc):
        yield "its twin"


def names(value):
    """The parameters of a function, and the fields of a class, its own and torch's aside."""
    if inspect.isfunction(value):
        return inspect.signature(value).parameters
    if dataclasses.is_dataclass(value):
        return {field.name for field in dataclasses.fields(value)} - {"name", "parent"}
    if issubclass(value, tuple):
        return value._fields
    return [n for n in inspect.signature(value).parameters if value.__init__ is not object.__init__]


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_documented(name):
    value = PUBLIC[name]
    assert not list(offences(name, value, value.__doc__ or ""))
    for method, member in vars(value).items():
        if not method.startswith("_") and (inspect.isfunction(member) or type(member) is property):
            assert inspect.getdoc(getattr(value, method)), method


@pytest.mark.parametrize(
    ("lacks", "there"),
    [
        ("a first sentence", "One step on the mean"),
        ("masks", "masks"),
        ("Returns", "Returns:"),
        ("Raises", "Raises:"),
        ("a shape", "scalar|shapes?|\\("),
        ("a dtype", "dtypes?|float|int"),
        ("its twin", "torch"),
    ],
)
def test_that_test_sees_what_is_taken_out(lacks, there):
    doc = re.sub(there, "\n", training.train_step.__doc__)
    assert list(offences("training.train_step", training.train_step, doc)) == [lacks]


def test_the_exceptions_are_of_names_that_there_are():
    assert {*NO_ERRORS, *NO_ARRAYS, *TWINS} <= PUBLIC.keys()


# As a code host shows them; what becomes of them on the site is checked by sphinx-build -W, in
# .ci/run.
PAGES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("benchmarks/*.md"),
    *ROOT.glob("notebooks/*.ipynb"),
]


def text_of(page):
    """A page without its blocks of code, or the texts of a notebook."""
    if page.suffix != ".ipynb":
        return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return "\n".join("".join(cell["source"]) for cell in json.loads(page.read_text())["cells"])


def anchors(page):
    """Of its headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.*)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page):
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", text_of(page)):
        if not target.startswith(("http", "attachment:")):
            file = page.parent / target if target else page
            assert file.exists(), target
            assert not anchor or anchor in anchors(file), f"{target}#{anchor}"


def test_every_page_is_reached_from_the_readme_and_the_index():
    index = (ROOT / "docs/index.md").read_text()
    found, wanted = set(), [ROOT / "README.md"]
    while wanted:
        page = wanted.pop().resolve()
        if page not in found:
            found.add(page)
            links = re.findall(r"\]\(([^):#\s]+\.md)", text_of(page))
            wanted += [page.parent / link for link in links]
    for page in {*ROOT.glob("docs/*.md")} - {ROOT / "docs/index.md"}:
        assert page in found and f"\n{page.stem}\n" in index, page


@pytest.mark.parametrize("name", ["CNN", "MLP", "SoftmaxMLP"])
def test_a_network_names_the_tutorial_that_it_mirrors_and_its_shapes(name):
    doc = getattr(models, name).__doc__
    assert re.search(TUTORIALS, doc) and "(N, num_classes)" in doc

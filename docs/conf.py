"""The pages: guides, docstrings, notebooks as committed, results. sphinx-build -W docs site"""

import os
import shutil
from pathlib import Path

import flaxnets

HERE = Path(__file__).parent
os.environ["COLUMNS"] = "80"  # of --help
shutil.rmtree(HERE / "notebooks", ignore_errors=True)  # where links between the pages reach them
shutil.copytree(HERE.parent / "notebooks", HERE / "notebooks")

project = "flaxnets"
copyright = "2026, the flaxnets authors"
version = release = flaxnets.__version__
html_title = "flaxnets"
html_theme = "furo"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinxcontrib.programoutput",  # --help of the commands
]
exclude_patterns = ["notebooks/.ipynb_checkpoints"]
nb_execution_mode = "off"  # notebooks/run.py has executed them
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": False}
napoleon_use_rtype = False
napoleon_use_ivar = True  # a field of a dataclass is documented once
suppress_warnings = ["mystnb.unknown_mime_type"]

# Links that a code host follows in the repository lead here to the copies and, for what is no page
# of this site, to the file.
MOVED = {
    "](../notebooks/": "](notebooks/",
    "](../docs/": "](../",
    "](../CONTRIBUTING.md": "](reference/contributing.md",
    "](../benchmarks/LOG.md": "](path:../benchmarks/LOG.md",
}


def relocate(app, name, source):
    """Change the links in the source of a page."""
    for there, here in MOVED.items():
        source[0] = source[0].replace(there, here)


def setup(app):
    """Sphinx's hook."""
    app.connect("source-read", relocate)

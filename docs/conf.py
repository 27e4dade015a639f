"""The pages: docstrings, notebooks as committed, measured results. sphinx-build -W docs site"""

import os
import shutil
from pathlib import Path

import flaxnets

HERE = Path(__file__).parent
os.environ["COLUMNS"] = "80"  # of --help
for name in ("PARITY.md", "pictures", "notebooks"):  # where links between the pages reach them
    shutil.rmtree(HERE / name, ignore_errors=True)
    copy = shutil.copytree if (HERE.parent / name).is_dir() else shutil.copy
    copy(HERE.parent / name, HERE / name)

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

"""Configure Sphinx: Markdown pages, and the reference from the docstrings."""

from __future__ import annotations

from importlib.metadata import version as version_of

project = "deskim"
author = "The deskim maintainers"
copyright = "The deskim maintainers"  # noqa: A001 - Sphinx reads this name
release = version = version_of("deskim")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"deskim {release}"

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

autoclass_content = "class"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True

# Names of other projects are not looked up: a build needs no network. Every name of ours must resolve.
nitpick_ignore_regex = [
    ("py:.*", r"(anyio|asyncio|attr|attrs|collections|contextlib|datetime|enum|httpx|os|pathlib|ssl|types|typing)\..*"),
]

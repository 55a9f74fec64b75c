"""Configure Sphinx: Markdown pages, and the reference from the docstrings."""

from __future__ import annotations

import re
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "deskim"
author = "The deskim maintainers"
copyright = "The deskim maintainers"  # noqa: A001 - Sphinx reads this name
release = version = version_of("deskim")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"deskim {release}"
html_static_path = ["_static"]
html_css_files = ["deskim.css"]

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
    (
        "py:.*",
        r"(aiohttp|anyio|asyncio|attr|attrs|collections|contextlib|datetime|enum|fastapi|httpx|os|pathlib|ssl|types|typing)\..*",
    ),
    ("py:.*", r"deskim(\.\w+)*\._\w+(\.\w+)*"),  # what lives in a private room has no page
    ("py:.*", r"(T|R)(_co)?|deskim\.payloads\.T"),  # type variables
    ("py:class", r"AbstractAsyncContextManager|Content|Flag|Messages|ParserFactory"),  # aliases, left as written
]


def show_defaults(*event: Any) -> tuple[str, str] | None:
    """Write the defaults of an attrs class where its generated constructor only names them."""
    _, _, _, cls, _, signature, returns = event
    if not (isinstance(cls, type) and attrs.has(cls) and signature):
        return None
    fields = attrs.fields_dict(cls)
    shown = re.sub(r"attr_dict\['(\w+)'\]\.default", lambda match: repr(fields[match[1]].default), signature)
    return shown.replace("= NOTHING", "= ..."), returns


def setup(app: Sphinx) -> None:
    """Register the hook."""
    app.connect("autodoc-process-signature", show_defaults)

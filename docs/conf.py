"""How the pages and the reference are built: ``sphinx-build -W -n -b html docs OUT``."""

from __future__ import annotations

import re
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx import addnodes
from sphinx.util.nodes import make_refnode

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

project = "metalab"
author = "the metalab authors"
project_copyright = author
release = version_of("metalab-core")
version = ".".join(release.split(".")[:2])

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["examples"]
html_theme = "furo"
html_title = f"metalab {version}"
html_copy_source = False
html_show_sphinx = False

# What an alias of the standard library's stands for is shown with no signature about it.
nitpick_ignore = [("py:class", "collections.abc.Callable")]

myst_enable_extensions = ["colon_fence", "tasklist"]
myst_heading_anchors = 3

add_module_names = False
python_maximum_signature_line_length = 80
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True


def _link(
    app: Sphinx, environment: BuildEnvironment, node: addnodes.pending_xref, content: nodes.Element
) -> nodes.Element | None:
    """Link the types of signatures, which are written as their modules import them.

    A type is looked for by the last part of its name. One that the reference does not show, as
    those of other projects, stays plain text; a name that a text refers to has to be there.
    """
    if node.get("refdomain") != "py":
        return None
    name = node["reftarget"].rpartition(".")[2]
    domain: Any = environment.domains.python_domain
    found = [known for known in domain.objects if known.rpartition(".")[2] == name]
    if len(found) == 1:
        place = domain.objects[found[0]]
        start = node.get("refdoc", "")
        return make_refnode(app.builder, start, place.docname, place.node_id, content, found[0])
    within = node.parent
    while within is not None and not isinstance(within, addnodes.desc_signature):
        within = within.parent
    return None if within is None else content


def _offer_files(app: Sphinx, docname: str, source: list[str]) -> None:
    """Make links to what is no page of the site offer it as a file."""
    docs = Path(app.srcdir)
    folder = (docs / docname).parent

    def outside(link: re.Match[str]) -> str:
        path = (folder / link["path"]).resolve()
        inside = path.is_relative_to(docs) and not path.is_relative_to(docs / "examples")
        return link[0] if inside else f"](path:{link['path']})"

    source[0] = re.sub(r"\]\((?P<path>(?:\.\./|examples/)[^)#]+)(#[^)]*)?\)", outside, source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Enter what this file does beside its settings."""
    app.connect("source-read", _offer_files)
    app.connect("missing-reference", _link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

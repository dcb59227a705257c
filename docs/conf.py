"""How `make book` builds the book: Sphinx over the whole repository, so that every relative link in it keeps its place.

Nothing is executed (the notebooks' stored outputs are shown) and no page asks another host for anything: formulas are
MathML, which browsers draw themselves, the letters are the system's own, and the search runs in the reader's browser.
"""

from __future__ import annotations

import html
import inspect
import re
import shutil
import sys
import textwrap
from importlib import metadata
from pathlib import Path

import nbformat
from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util.inspect import stringify_signature

DOCS = Path(__file__).parent
sys.path.append(str(DOCS.parent / "tools" / "notebooks"))

from execute import normalise  # noqa: E402

SETUP = "colab-setup"  # the id of the setup cell that tools/publish/colab.py writes into every notebook
NAME = re.compile(r"[A-Za-z_][\w.]*")

project = "Multimodal sentiment analysis, step by step"
author = "the mmsa-utils authors"
version = metadata.version("mmsa-utils")
SUMMARY = metadata.metadata("mmsa-utils")["Summary"]
language = "en"

extensions = ["myst_nb", "sphinx_copybutton", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
include_patterns = ["docs/**", "notebooks/**", "README.md", "CONTRIBUTING.md", "mmsa_utils/weights/*/README.md"]
exclude_patterns = [".*", "**/.*", "build", "dist", "docs/_*"]  # folders that are not even looked into
root_doc = "docs/index"
templates_path = [str(DOCS / "_templates")]  # Sphinx and autosummary disagree on what it would be relative to

nb_execution_mode = "off"
nb_merge_streams = True
nb_code_prompt_show = nb_code_prompt_hide = "Set-up for Google Colab"  # the only cell that is folded
copybutton_selector = ".cell_input pre, div.highlight-python pre, div.highlight-console pre, div.highlight-default pre"
copybutton_prompt_text = "$ "  # of a console: only what is typed after it is copied
myst_enable_extensions = ["dollarmath"]
myst_update_mathjax = False  # it is not used
myst_heading_anchors = 3  # every heading down to ### can be linked to by GitHub's name for it: glossary.md#logit

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_preserve_defaults = True
add_module_names = False
toc_object_entries_show_parents = "hide"
default_role = "py:obj"
maximum_signature_line_length = 90
napoleon_numpy_docstring = False
napoleon_attr_annotations = False  # types stand in signatures alone

html_theme = "furo"
html_title = project
html_favicon = "_static/icon.svg"
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_sidebars = {"**": [f"sidebar/{part}.html" for part in (
    "brand", "search", "scroll-start", "navigation", "scroll-end")]}  # furo's own list has a place for advertisements
html_additional_pages = {"index": "redirect.html"}  # the folder opens on the front page
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"


def prepare_notebook(app, docname: str, source: list[str]) -> None:
    """A notebook as `make notebooks` stores it, wherever it was run: the explorers are pictures, and what an editor
    keeps of its widgets, which would be looked for in the internet, is gone. Each figure's alt text is handed on:
    notebooks keep it with the output, where JupyterLab and nbconvert look, myst-nb asks the cell for it. And the setup
    cell, the same in all, which is for Colab alone, is folded."""
    if not str(app.env.doc2path(docname)).endswith(".ipynb"):
        return
    book = normalise(nbformat.reads(source[0], as_version=4))
    for cell in book.cells:
        for output in cell.get("outputs", ()):
            alt = output.get("metadata", {}).get("image/png", {}).get("alt")
            if alt:
                cell.metadata["mystnb"] = {"image": {"alt": alt}}
        if cell.get("id") == SETUP:
            cell.metadata["tags"] = ["hide-input"]
    source[0] = nbformat.writes(book)


def prepare_page(app, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Every page says what it is about, by its first paragraph, and a notebook's page leads to the notebook itself."""
    words = next((node.astext() for node in doctree.findall(nodes.paragraph)), "") if doctree else ""
    words = " ".join(words.split()) or SUMMARY
    context["description"] = textwrap.shorten(words, 200, placeholder=" …")
    context["metatags"] = (f'{context.get("metatags", "")}\n'
                           f'<meta name="description" content="{html.escape(context["description"])}">')
    source = Path(app.env.doc2path(pagename)) if doctree else None
    context["notebook"] = source.name if source and source.suffix == ".ipynb" else None


def copy_notebooks(app, exception) -> None:
    """Each notebook beside its page, as it is stored."""
    for name in () if exception else app.env.found_docs:
        source = Path(app.env.doc2path(name))
        if source.suffix == ".ipynb":
            shutil.copyfile(source, Path(app.outdir, f"{name}.ipynb"))


def prepare_docstring(app, what: str, name: str, thing, options, lines: list[str]) -> None:
    """What the package's docstrings mean differently from Sphinx and napoleon."""
    if lines and lines[0].startswith("Alias for field number"):  # Python's own words, for each field of a named tuple
        lines.clear()
    for number, line in enumerate(lines):
        # `x` links to the x of the package; what is no name (`x[0]`, `...`) is code and links to nothing.
        lines[number] = re.sub(r"(?<![`:\w])`([^`]+)`(?![`_])", lambda code: code[0] if NAME.fullmatch(code[1])
                               else f"`{code[0]}`", line)
        # Types stand in signatures alone: an empty one keeps a sentence up to its first colon from being taken for it.
        if number and lines[number - 1].strip() in ("Returns:", "Yields:"):
            lines[number] = re.sub(r"^( *)", r"\1: ", lines[number])
    if lines and what in ("data", "attribute", "property"):
        lines[0] = ": " + lines[0]


def show_arguments(app, what: str, name: str, thing, options, arguments: str, returns: str) -> tuple | None:
    """A class whose ancestor takes (*args, **kwargs) is shown with the arguments of its own."""
    if what != "class" or arguments != "(*args, **kwargs)" or "__init__" not in vars(thing):
        return None
    own = inspect.signature(thing.__init__)
    own = own.replace(parameters=list(own.parameters.values())[1:], return_annotation=own.empty)  # without self
    return stringify_signature(own, unqualified_typehints=True), returns


def write_formula(translator, node) -> None:
    """A formula as MathML, inline or on a line of its own."""
    display = "block" if isinstance(node, nodes.math_block) else "inline"
    formula = convert(node.astext(), display=display)
    # ln 3, not ln3: TeX leaves a thin space after the name of a function, the converter does not.
    formula = re.sub(r"(<mi>[a-z]{2,}</mi>)(?=<m[in]>)", r'\1<mspace width="0.17em"/>', formula)
    translator.body.append(formula)
    raise nodes.SkipNode  # its text is written already


def setup(app) -> None:
    app.connect("source-read", prepare_notebook)
    app.connect("html-page-context", prepare_page)
    app.connect("build-finished", copy_notebooks)
    app.connect("autodoc-process-docstring", prepare_docstring, priority=400)  # before napoleon's 500
    app.connect("autodoc-process-signature", show_arguments)
    app.add_html_math_renderer("mathml", (write_formula, None), (write_formula, None))

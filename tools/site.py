"""What MkDocs calls while it builds the site (see mkdocs.yml): pages that stand outside of ``docs``, and links to them.

The documents are written to be read where they lie, in a checkout. Here their links get other targets: those between
documents lead from page to page, and those to what is no page become plain text.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

# Of files outside of `docs`: what they are called in the site.
PAGES = {
    "README.md": "overview.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "binder/README.md": "binder.md",
    "jupyter-config/README.md": "without-load-ext.md",
}

_LINK = re.compile(r"(!?)\[((?:[^\[\]`]|`[^`]*`|\[[^\]]*\])*)\]\((?!https?://|#)([^)#\s]+)(#[^)\s]*)?\)")


def source_of(page: str) -> str:
    """The path in the repository of what is `page` in the site.

    >>> source_of("overview.md"), source_of("panel.md")
    ('README.md', 'docs/panel.md')
    """
    return next((source for source, name in PAGES.items() if name == page), f"docs/{page}")


def target_of(source: str) -> str | None:
    """What the file `source` of the repository is in the site; None where it isn't in it.

    >>> target_of("README.md"), target_of("docs/images/a.png"), target_of("notebooks/a.ipynb"), target_of("Makefile")
    ('overview.md', 'images/a.png', 'notebooks/a.ipynb', None)
    """
    if source.startswith("notebooks/") and source.endswith(".ipynb"):
        return source
    return PAGES.get(source) or (source.removeprefix("docs/") if source.startswith("docs/") else None)


def relinked(text: str, page: str) -> str:
    """The Markdown of `page` with its links as they have to be in the site.

    >>> relinked("[a](docs/panel.md#details) [b](Makefile) ![c](docs/images/c.png)", "overview.md")
    '[a](panel.md#details) b ![c](images/c.png)'
    """
    source, here = source_of(page), posixpath.dirname(page)

    def other(match: re.Match[str]) -> str:
        mark, words, target, anchor = match.groups()
        found = target_of(posixpath.normpath(posixpath.join(posixpath.dirname(source), target)))
        if found is None:
            return words
        return f"{mark}[{words}]({posixpath.relpath(found, here or '.')}{anchor or ''})"

    return _LINK.sub(other, text)


def on_files(files: Any, config: Any) -> Any:
    """Add what stands outside of ``docs``."""
    from mkdocs.structure.files import File

    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text("utf-8")))
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        files.append(File.generated(config, f"notebooks/{notebook.name}", abs_src_path=str(notebook)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The links of each page."""
    return relinked(markdown, page.file.src_uri)

"""Write down with which versions tests were run, and what came of it: ``python -m tools.compatibility TITLE JUNIT``.

A session of nox calls it in its own environment, whose packages it names. The results are kept in
``docs/compatibility.json``, one for each title and Python, and ``docs/compatibility.md`` shows them.
"""

from __future__ import annotations

import json
import platform
import sys
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent.parent / "docs"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"

PACKAGES = ("ipython", "ipykernel", "ipywidgets", "anywidget", "traitlets", "dill", "blake3", "numpy", "pandas")


def counts(junit: Path) -> dict[str, int]:
    """How many tests passed, failed and were skipped."""
    suites = ET.parse(junit).getroot().iter("testsuite")  # noqa: S314 - pytest has just written it
    told = [
        {name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")} for suite in suites
    ]
    total = {name: sum(one[name] for one in told) for name in ("tests", "failures", "errors", "skipped")}
    failed = total["failures"] + total["errors"]
    return {"passed": total["tests"] - failed - total["skipped"], "failed": failed, "skipped": total["skipped"]}


def here() -> dict[str, str]:
    """The versions in this environment."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def table(results: dict[str, Any]) -> str:
    """A row for each session.

    >>> one = {"title": "newest", "python": "3.13.0", "versions": {"ipython": "9.1"}, "date": "2026-01-02"}
    >>> print(table({"newest 3.13": one | {"passed": 1204, "failed": 0, "skipped": 3}}).splitlines()[-1])
    | newest | 3.13.0 | 9.1 |  |  |  |  |  |  |  |  | 1,204 | 0 | 3 | 2026-01-02 |
    """
    lines = [
        f"| packages | Python | {' | '.join(PACKAGES)} | passed | failed | skipped | date |",
        "|---|---|" + "---|" * len(PACKAGES) + "--:|--:|--:|---|",
    ]
    for one in sorted(results.values(), key=lambda one: (one["title"], _numbers(one["python"]))):
        versions = " | ".join(one["versions"].get(name, "") for name in PACKAGES)
        told = " | ".join(f"{one[name]:,}" for name in ("passed", "failed", "skipped"))
        lines.append(f"| {one['title']} | {one['python']} | {versions} | {told} | {one['date']} |")
    return "\n".join(lines)


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(".") if part.isdigit()]


def shown(page: str, results: dict[str, Any]) -> str:
    """The page with the table between its markers."""
    head, _, rest = page.partition(BEGIN)
    _, found, tail = rest.partition(END)
    if not found:
        raise ValueError(f"the page has no markers {BEGIN} … {END}")
    return f"{head}{BEGIN}\n\n{table(results)}\n\n{END}{tail}"


def main(title: str, junit: str) -> None:
    path, page = DOCS / "compatibility.json", DOCS / "compatibility.md"
    results = json.loads(path.read_text("utf-8")) if path.exists() else {}
    python = ".".join(platform.python_version_tuple()[:2])
    about = {"title": title, "python": platform.python_version(), "versions": here()}
    results[f"{title}, Python {python}"] = about | counts(Path(junit)) | {"date": datetime.now(UTC).date().isoformat()}
    path.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", "utf-8")
    page.write_text(shown(page.read_text("utf-8"), results), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

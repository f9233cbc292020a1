"""Bring the short table of the README up to date with docs/comparison.md, which ``make comparison`` makes."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README, PAGE = ROOT / "README.md", ROOT / "docs" / "comparison.md"


def renewed(text: str, page: str) -> str:
    """`text` with each row that `page` has under the same title as it is there.

    >>> renewed("| | us | them |\\n| fast | no | no |\\n| cheap | no | no |", "| | us | them |\\n| fast | yes | no |")
    '| | us | them |\\n| fast | yes | no |\\n| cheap | no | no |'
    """
    rows = {title(line): line for line in page.splitlines() if line.startswith("| ")}
    return "\n".join(rows.get(title(line), line) if line.startswith("| ") else line for line in text.split("\n"))


def title(row: str) -> str:
    """The first cell of a row.

    >>> title("| fast | yes | no |")
    'fast'
    """
    return row.split("|")[1].strip()


if __name__ == "__main__":
    README.write_text(renewed(README.read_text("utf-8"), PAGE.read_text("utf-8")), "utf-8")

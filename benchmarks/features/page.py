"""The table and what it rests on, as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.features import cited
from benchmarks.features.rows import QUESTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BEGIN, END = "<!-- comparison: begin -->", "<!-- comparison: end -->"


def words(results: Mapping[str, Any]) -> str:
    """The table: a row for each question, a column for each tool."""
    tools = [*results["versions"]]
    lines = [f"| | {' | '.join(tools)} |", "|---|" + "---|" * len(tools)]
    for name, answers in results["answers"].items():
        cells = [_cell(answers.get(tool)) for tool in tools]
        lines.append(f"| {QUESTIONS[name].title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(answer: Mapping[str, str] | None) -> str:
    if answer is None:
        return ""
    return f"**{answer['word']}**" if answer["word"] == "yes" else answer["word"]


def evidence(results: Mapping[str, Any]) -> str:
    """What each word rests on."""
    lines = []
    for name, answers in results["answers"].items():
        lines += [f"### {QUESTIONS[name].title}", ""]
        for tool, answer in answers.items():
            source = f" ([source]({answer['source']}))" if "source" in answer else ""
            lines.append(f"- {tool}: {answer['word']}. {_sentence(answer['why'])}{source}")
        lines.append("")
    return "\n".join(lines).strip()


def _sentence(text: str) -> str:
    safe = text.replace("<", "‹").replace(">", "›").replace("|", "¦").replace("[", "\\[").replace("*", "\\*")
    return safe[:1].upper() + safe[1:] + "."


def text(results: Mapping[str, Any]) -> str:
    """All that stands between the markers."""
    versions = ", ".join(f"{tool} {version}" for tool, version in results["versions"].items() if tool != cited.TOOL)
    about = f"Asked on {results['date']}, with {results['python']}: {versions}; {cited.TOOL} by its documents."
    return f"{words(results)}\n\n{about}\n\n## What each word rests on\n\n{evidence(results)}"


def write(path: Path, results: Mapping[str, Any]) -> None:
    """Put the results between the markers of a page."""
    head, _, rest = path.read_text("utf-8").partition(BEGIN)
    _, found, tail = rest.partition(END)
    if not found:
        raise ValueError(f"{path} has no markers {BEGIN} … {END}")
    path.write_text(f"{head}{BEGIN}\n\n{text(results)}\n\n{END}{tail}", "utf-8")

"""Ask each tool what it can do: ``python -m benchmarks.comparison``, or ``make comparison``.

Each question is a small program for each tool, run in fresh processes. What it answers is what it did; only what can't
be run here is cited from documents.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.features import cited, page
from benchmarks.features.dialects import DIALECTS, TOOLS, Dialect
from benchmarks.features.rows import QUESTIONS, Question
from benchmarks.features.scene import Answers, Surface, Verdict
from benchmarks.features.trial import Trial
from benchmarks.process import ROOT
from benchmarks.tools import python_of


def main() -> int:
    options = _options()
    chosen = [QUESTIONS[name] for name in options.rows]
    dialects = [dialect for dialect in DIALECTS if dialect.tool in options.tools]
    jobs = [(one, dialect) for one in chosen for dialect in dialects if dialect.surface in one.surfaces]
    directory = Path(tempfile.mkdtemp(prefix="comparison-", dir=options.directory))
    try:
        with ThreadPoolExecutor(options.at_once) as pool:
            verdicts = list(pool.map(lambda job: ask(*job, directory), jobs))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    of: dict[tuple[str, str], dict[Surface, Verdict]] = {}
    for (one, dialect), verdict in zip(jobs, verdicts, strict=True):
        of.setdefault((one.name, dialect.tool), {})[dialect.surface] = verdict
    results = _results(chosen, of, options.tools, directory)
    if options.json and options.json.exists():
        results = _beside(results, json.loads(options.json.read_text()))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    if options.page:
        page.write(options.page, results)
    print("\n" + page.words(results))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.comparison", description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"which rows: {', '.join(QUESTIONS)}; all unless given")
    parser.add_argument("--tools", nargs="+", default=list(TOOLS), choices=TOOLS, help="which tools; all unless given")
    parser.add_argument("--at-once", type=int, default=2, metavar="N", help="how many trials run side by side (2)")
    parser.add_argument("--directory", type=Path, help="where the tools keep things; the system's unless given")
    parser.add_argument("--json", type=Path, help="a file for all answers; what it has and isn't asked now is kept")
    parser.add_argument("--page", type=Path, help="a Markdown file with markers, between which the table is put")
    options = parser.parse_args()
    unknown = [name for name in options.rows if name not in QUESTIONS]
    if unknown:
        parser.error(f"no row is called {', '.join(unknown)}")
    options.rows = options.rows or list(QUESTIONS)
    return options


def ask(one: Question, dialect: Dialect, directory: Path) -> Verdict:
    """Put a question to a tool."""
    if not Path(python_of(dialect.tool)).exists():
        return Verdict("–", "not installed")
    place = directory / f"{one.name}-{dialect.tool}-{dialect.surface}"
    verdict = one.ask(Trial(dialect, place))
    print(f"{one.name:14} {dialect.tool:14} {dialect.surface:9} {verdict.word:7} {verdict.why}", flush=True)
    shutil.rmtree(place, ignore_errors=True)
    return verdict


def _results(
    chosen: list[Question], of: dict[tuple[str, str], dict[Surface, Verdict]], tools: list[str], directory: Path
) -> dict[str, Any]:
    answers: dict[str, dict[str, Any]] = {}
    for one in chosen:
        row = answers.setdefault(one.name, {})
        for tool in tools:
            if (one.name, tool) in of:
                found = Answers(of[one.name, tool])
                row[tool] = {"word": found.word, "why": found.why.replace(str(directory), "…")}
                if one.is_of_both and found.word == "yes" and len(found.of) == 1:
                    row[tool] = {"word": "partly", "why": f"keeps {next(iter(found.of))}s only"}
        if one.name in cited.ANSWERS:
            row[cited.TOOL] = asdict(cited.ANSWERS[one.name])
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": f"Python {platform.python_version()}",
        "versions": {tool: _version(tool) for tool in tools} | {cited.TOOL: ""},
        "answers": answers,
    }


def _beside(new: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """What was asked now, and else what was asked before."""
    answers = {
        name: old["answers"].get(name, {}) | new["answers"].get(name, {})
        for name in QUESTIONS
        if name in new["answers"] or name in old["answers"]
    }
    return new | {"versions": old["versions"] | new["versions"], "answers": answers}


def _version(tool: str) -> str:
    source = f"from benchmarks.tools import tool_named; print(tool_named({tool!r}).version())"
    command = [python_of(tool), "-c", source]
    if not Path(command[0]).exists():
        return "not installed"
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ)
    return told.stdout.strip() or "unknown"


if __name__ == "__main__":
    raise SystemExit(main())

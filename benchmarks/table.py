"""The figures of a run, as Markdown."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.bench import NO_WAY
from benchmarks.process import ALL
from benchmarks.reasons import REASONS
from benchmarks.tools import LIMIT, OURS, UNCHECKED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.row import Figure, Row, Unit


@dataclass
class Measured:
    """All samples of a run, and all failures, by row, tool and figure."""

    rows: list[Row]
    samples: dict[str, dict[str, dict[str, list[float]]]] = field(default_factory=dict)
    failures: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)

    def add(self, row: Row, tool: str, step: str, figures: Mapping[str, float], failures: Mapping[str, str]) -> None:
        """Take what a step gave."""
        samples = self.samples.setdefault(row.name, {}).setdefault(tool, {})
        for name, value in figures.items():
            samples.setdefault(name, []).append(value)
        for name, reason in failures.items():
            of_tool = self.failures.setdefault(row.name, {}).setdefault(tool, {})
            of_tool[f"{ALL} {step}" if name == ALL else name] = reason

    def median(self, row: Row, tool: str, figure: Figure) -> float | None:
        """The median over the rounds; None where a tool failed in any of them."""
        if figure.name in self.failures.get(row.name, {}).get(tool, {}):
            return None
        samples = self.samples.get(row.name, {}).get(tool, {}).get(figure.name)
        return statistics.median(samples) if samples else None

    def best(self, row: Row, figure: Figure) -> tuple[str, float] | None:
        """The neighbour with the least, of those that look at the inputs."""
        found = [
            (tool, value)
            for tool in self.samples.get(row.name, {})
            if tool not in {OURS, LIMIT, *UNCHECKED, *row.no_measure}
            and (value := self.median(row, tool, figure)) is not None
        ]
        return min(found, key=lambda one: one[1]) if found else None

    def reason(self, row: Row, tool: str, figure: Figure) -> str | None:
        """Why there is no figure."""
        failures = self.failures.get(row.name, {}).get(tool, {})
        if figure.name in failures:
            return failures[figure.name]
        return next((reason for name, reason in failures.items() if name.startswith(ALL)), None)


def shown(value: float | None, unit: Unit) -> str:
    """A figure with three digits.

    >>> shown(0.0000125, "s"), shown(0.187, "s"), shown(600.0, "bytes"), shown(None, "s")
    ('12.5 µs', '187 ms', '600 B', '–')
    """
    if value is None:
        return "–"
    if unit == "s":
        for factor, word in ((1e6, "µs"), (1e3, "ms")):
            if value * factor < 1000:
                return f"{_digits(value * factor)} {word}"
        return f"{_digits(value)} s"
    if unit == "bytes":
        return f"{value:,.0f} B" if value < 1000 else f"{_digits(value / 1000)} kB"
    return f"{value:,.0f}" if unit == "count" else f"{_digits(value)} ×"


def _digits(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def verdicts(measured: Measured, row: Row, figure: Figure) -> Iterator[tuple[str, bool | None]]:
    """Our goals for a figure, in words, and whether they are met; None where that can't be told."""
    ours, best, limit = (
        measured.median(row, OURS, figure),
        measured.best(row, figure),
        measured.median(row, LIMIT, figure),
    )
    if figure.of_best is not None:
        met = None if best is None else ours is not None and ours <= figure.of_best * best[1]
        yield f"≤ {figure.of_best:g} b", met
    if figure.of_limit is not None:
        met = None if limit is None else ours is not None and ours <= figure.of_limit * limit
        yield f"≤ {figure.of_limit:g} L", met
    if figure.at_most is not None:
        yield f"≤ {shown(figure.at_most, figure.unit)}", None if ours is None else ours <= figure.at_most


def summary(measured: Measured) -> str:
    """A line for each figure: ours, the best neighbour's, the LIMIT's, and whether the goals are met."""
    lines = [
        "| row | figure | ipycheckpoint | best neighbour (b) | LIMIT (L) | ours / b | ours / L | goal |",
        "|---|---|--:|--:|--:|--:|--:|---|",
    ]
    for row in measured.rows:
        for figure in row.figures:
            ours, best, limit = (
                measured.median(row, OURS, figure),
                measured.best(row, figure),
                measured.median(row, LIMIT, figure),
            )
            neighbour = "–" if best is None else f"{best[0]} {shown(best[1], figure.unit)}"
            mine = shown(ours, figure.unit) if ours is not None else measured.reason(row, OURS, figure) or "–"
            goals = ", ".join(
                f"{words} {'' if met is None else '✓' if met else '**✗**'}".strip()
                for words, met in verdicts(measured, row, figure)
            )
            of_best = "" if best is None or ours is None or best[1] <= 0 else f"{ours / best[1]:.2f}"
            of_limit = "" if limit is None or ours is None or limit <= 0 else f"{ours / limit:.2f}"
            cells = (row.name, figure.name, mine, neighbour, shown(limit, figure.unit), of_best, of_limit, goals)
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def missed(measured: Measured) -> str:
    """Why goals are missed, for each row in which one is."""
    lines = []
    for row in measured.rows:
        figures = [one.name for one in row.figures if any(met is False for _, met in verdicts(measured, row, one))]
        if figures:
            lines.append(f"- **{row.name}** ({', '.join(figures)}): {REASONS.get(row.name, 'nobody knows yet')}.")
    if not lines:
        return ""
    return "\n".join(["## Where a goal is missed, and why", "", "What the profiles have shown.", "", *lines, ""])


def of_row(measured: Measured, row: Row) -> str:
    """All tools in a row: medians, least and most, and under the table why a figure is missing."""
    tools = list(measured.samples.get(row.name, {}))
    order = [name for name in (OURS, LIMIT) if name in tools] + sorted(set(tools) - {OURS, LIMIT}, key=str.lower)
    lines = [f"### {row.name}: {row.title}", ""]
    if row.remark:
        lines += [row.remark, ""]
    lines += [
        f"| tool | {' | '.join(figure.name for figure in row.figures)} |",
        f"|---|{'--:|' * len(row.figures)}",
    ]
    notes: list[str] = []
    for tool in order:
        cells = []
        for figure in row.figures:
            samples = measured.samples[row.name][tool].get(figure.name, [])
            value, reason = measured.median(row, tool, figure), measured.reason(row, tool, figure)
            if value is not None:
                spread = ""
                if len(samples) > 1 and figure.unit == "s":
                    spread = f" ({shown(min(samples), figure.unit)} – {shown(max(samples), figure.unit)})"
                cells.append(shown(value, figure.unit) + spread)
            elif reason is None or reason == NO_WAY:
                cells.append("–")
            else:
                if reason not in notes:
                    notes.append(reason)
                cells.append(f"failed [{notes.index(reason) + 1}]")
        note = "" if tool not in UNCHECKED else " (inputs unchecked)"
        lines.append(f"| {tool}{note} | {' | '.join(cells)} |")
    lines += ["", *(f"[{number}] {_plain(reason)}  " for number, reason in enumerate(notes, 1))]
    return "\n".join(lines).rstrip()


def _plain(reason: str) -> str:
    return "`" + reason.replace("`", "'") + "`" if ": " in reason else reason


def page(measured: Measured, about: Mapping[str, Any]) -> str:
    """The whole page."""
    tools = ", ".join(f"{name} {version}" for name, version in about["versions"].items() if name != LIMIT)
    remark = f"\n{about['remark']}\n" if about["remark"] else ""
    return f"""# Performance

What our figures are, beside those of others and of the LIMIT: straight-line code without features. `make bench`
makes this page in about an hour, and `make bench-quick` prints the first table in a few minutes.
[How it is measured](../benchmarks/README.md) is told beside the code.

Less is better everywhere. *b* is the best neighbour of those that look at the inputs, *L* the LIMIT; goals are
multiples of them. ✓ is a goal that is met, **✗** one that isn't.
{remark}
{summary(measured)}

{missed(measured)}
## All tools

Medians over the rounds, with the least and the most.

{chr(10).join(of_row(measured, row) + chr(10) for row in measured.rows).rstrip()}

## How to repeat it

`make bench BENCH_ARGS="--seed {about["seed"]} --rounds {about["rounds"]}"`; for single rows,
`make bench BENCH_ARGS="F1 C1-2"`.

Measured on {about["date"]}, in {about["minutes"]} minutes, with seed {about["seed"]}, {about["rounds"]} rounds and
values of {about["scale"]} size. {about["machine"]}; {about["python"]}, {about["libraries"]}.

Tools: {tools}.
"""

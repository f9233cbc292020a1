"""Rescue what doesn't load here: it is loaded where it was saved, or in a place like that, and carried over.

The signature and the Digests are verified here, before anything is unpickled anywhere; the other environment gets the
verified bytes and nothing else.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from ipycheckpoint.cache.workshop import run
from ipycheckpoint.errors import CannotRescue
from ipycheckpoint.record.failure import LoadFailure, modules_named
from ipycheckpoint.record.portable import forms
from ipycheckpoint.record.portable.values import revive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ipycheckpoint.cache.opened import Record
    from ipycheckpoint.cache.workshop import Workshop
    from ipycheckpoint.record.codec import Section
    from ipycheckpoint.record.environment import Environment

Form = Literal["parquet", "npy", "json", "pickle"]
"""What an object can be written as, besides the record that it goes into: a file that other programs read."""

FORMS: tuple[Form, ...] = get_args(Form)

How = Literal["loads", "rescued", "remains", "lost"]
"""An object `loads` here as it is; was `rescued`; came as the `remains` of classes that aren't here; or is `lost`."""

_NEEDED_BY = {"parquet": "pyarrow", "npy": "numpy"}

_PACKAGE = Path(__file__).resolve().parents[1]

_PROGRAM = (
    "import sys\n"
    "sys.path.insert(0, sys.argv[2])\n"  # ours, which isn't installed there
    "sys.path.append(sys.argv[3])\n"  # modules beside the user's work
    "from ipycheckpoint.record.portable.thaw import main\n"
    "main(sys.argv[1])\n"
)


@dataclass(frozen=True, slots=True)
class Rescued:
    """What became of one object."""

    name: str
    how: How
    value: object = None
    note: str = ""
    file: Path | None = None
    """Where it is written in the Form that was asked for."""
    unwritten: str = ""
    """Why it isn't."""

    def __str__(self) -> str:
        what = {"loads": "loads here as it is", "remains": "rescued in part"}.get(self.how, self.how)
        return f"{self.name}: {what}{f'; {self.note}' if self.note else ''}"


class _Job(NamedTuple):
    directory: Path
    sections: Sequence[Section]
    names: Sequence[str]
    form: Form | None
    say: Callable[[str], None]


class _Revived(NamedTuple):
    values: Mapping[str, object] | None
    lost: Sequence[str] = ()
    note: str = ""


def rescue(
    record: Record,
    workshop: Workshop,
    directory: Path,
    names: Sequence[str] = (),
    *,
    form: Form | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Rescued]:
    """What became of each object of `record`, or of `names`, in their order. Works in `directory`, which is private.

    Only what doesn't load here goes through the `workshop`. Where a `form` is asked for, each object is written in it
    to a file in `directory`, too.

    Raises Untrusted, KeyError for a name that isn't there, and CannotRescue where no workshop can be had.
    """
    values = record.load(*names)
    failures = {name: value for name, value in values.items() if isinstance(value, LoadFailure)}
    for failure in failures.values():
        say(str(failure).partition("\n")[0])
    found = {name: Rescued(name, "loads", value) for name, value in values.items() if name not in failures}
    for name, failure in failures.items():
        if failure.is_damaged:
            found[name] = Rescued(name, "lost", note=failure.how_to_load().removeprefix("# "))
    sent = [name for name in failures if name not in found]
    if sent:
        job = _Job(directory, _sections(record, sent), sent, form, say)
        report = _through(job, workshop, record.environment, failures)
        revived: dict[str, _Revived] = {}
        for name in sent:
            found[name] = _carried_over(job, report.get(name, {}), failures[name], revived)
    return [_written(directory, found[name], form, number) for number, name in enumerate(values)]


def _sections(record: Record, names: Sequence[str]) -> list[Section]:
    sections: list[Section] = []
    for name in names:
        if not any(name in section.names for section in sections):
            sections.append(record.section_of(name))
    return sections


def _through(
    job: _Job, workshop: Workshop, then: Environment | None, failures: Mapping[str, LoadFailure]
) -> dict[str, dict[str, str]]:
    if then is None:
        raise CannotRescue("make the environment that saved it", "the record doesn't say which one it was")
    everything = then.requirements()
    concerned = {package for name in job.names for package in failures[name].packages}
    concerned |= {"dill" for section in job.sections if section.codec == "dill"}
    first = [line for line in everything if line.partition("==")[0] in concerned]
    for_form = _NEEDED_BY.get(job.form or "")
    also = [for_form] if for_form is not None and then.distribution_of(for_form) is None else []
    workshop.install([*first, *also], everything)
    report = _thaw(job, workshop)
    if len(first) < len(everything) and any(
        {"unloaded", "partial"} & report.get(name, {}).keys() for name in job.names
    ):
        # Something may be missing that the streams don't name: now all that was loaded then, if it can be had.
        try:
            workshop.install([*everything, *also], everything)
        except CannotRescue as problem:
            job.say(str(problem))
        else:
            report = _thaw(job, workshop)
    return report


def _thaw(job: _Job, workshop: Workshop) -> dict[str, dict[str, str]]:
    sections = []
    for number, section in enumerate(job.sections):
        parts = [f"section{number}", *(f"section{number}.buffer{place}" for place in range(len(section.buffers)))]
        contents: list[bytes | memoryview] = [section.stream, *section.buffers]
        for part, content in zip(parts, contents, strict=True):
            (job.directory / part).write_bytes(content)
        wanted = [name for name in section.names if name in job.names]
        sections.append({"names": wanted, "stream": parts[0], "buffers": parts[1:]})
    told = json.dumps({"sections": sections, "form": None if job.form == "pickle" else job.form})
    (job.directory / "job.json").write_text(told, encoding="utf-8")
    room = job.directory / "room"
    if not room.exists():
        shutil.copytree(_PACKAGE, room / _PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    python = workshop.interpreter()
    job.say("loading there")
    command = [python, "-I", "-c", _PROGRAM, str(job.directory), str(room), str(Path.cwd())]
    run("load in the environment that saved it", command, job.directory)
    report: dict[str, dict[str, str]] = json.loads((job.directory / "report.json").read_text("utf-8"))
    return report


def _carried_over(job: _Job, told: Mapping[str, str], failure: LoadFailure, revived: dict[str, _Revived]) -> Rescued:
    name = failure.name
    if "portable" not in told:
        return Rescued(name, "lost", note=told.get("unloaded") or told.get("problem", "nothing is said of it"))
    if told["portable"] not in revived:  # once for all that are in it, so that they share what they shared
        revived[told["portable"]] = _revived(job, (job.directory / told["portable"]).read_bytes(), failure)
    values, lost, note = revived[told["portable"]]
    if values is None:
        how: How = "lost"
    elif lost:
        how, note = "remains", f"of {', '.join(lost)} only what they hold: the classes are not here"
    else:
        how = "rescued"
    file = job.directory / told["file"] if "file" in told else None
    return Rescued(name, how, None if values is None else values[name], note, file, told.get("unwritten", ""))


def _revived(job: _Job, data: bytes, failure: LoadFailure) -> _Revived:
    try:
        return _Revived(*revive(data))
    except Exception as problem:  # noqa: BLE001 - a class may refuse a state that it had then
        job.say(f"{failure.name}: {type(problem).__name__}: {problem}; now without the classes of what has changed")
    changed, then = {difference.name for difference in failure.differences}, failure.then
    modules = dict.fromkeys(name.partition(".")[0] for name in modules_named(data))
    without = [module for module in modules if then is not None and then.distribution_of(module) in changed]
    try:
        return _Revived(*revive(data, without=without))
    except Exception as problem:  # noqa: BLE001 - as above
        return _Revived(None, note=f"{type(problem).__name__}: {problem}")


def _written(directory: Path, rescued: Rescued, form: Form | None, number: int) -> Rescued:
    """The object with its file in `form`, if one was asked for and none was written where it was rescued."""
    if form is None or rescued.file is not None or rescued.how == "lost":
        return rescued
    path = directory / f"value{number}.{form}"
    try:
        forms.write(rescued.value, form, path)
    except Exception as problem:  # noqa: BLE001 - libraries raise what they like
        return replace(rescued, unwritten=rescued.unwritten or f"{type(problem).__name__}: {problem}")
    return replace(rescued, file=path, unwritten="")

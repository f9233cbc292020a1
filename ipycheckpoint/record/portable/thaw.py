"""What runs in the environment that saved: it loads verified streams there and writes them in portable form.

The one who starts it puts a directory together: ``job.json`` with the sections, and a file for each stream and buffer.
What comes of it is ``report.json``, with a file for what could be had. Nothing of ipycheckpoint is needed beyond this
room and what the streams name; it runs on any Python since 3.8.
"""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import traceback
from pathlib import Path
from typing import Any

from ipycheckpoint.record.portable import forms, values
from ipycheckpoint.record.remains import stand_in

_KEPT_LINES = 12
# Of a traceback, those nearest to the cause.


def main(directory: str) -> None:
    """Do the job in `directory`."""
    place = Path(directory)
    job = json.loads((place / "job.json").read_text("utf-8"))
    report: dict[str, dict[str, str]] = {}
    for number, section in enumerate(job["sections"]):
        try:
            found, is_whole = _decode(place, section)
        except BaseException:  # noqa: BLE001 - unpickling may raise anything, even SystemExit; the others still count
            report.update(
                {name: {"unloaded": f"it doesn't load there, either: {_told()}"} for name in section["names"]}
            )
        else:
            told = _carry(place, str(number), {name: found[name] for name in section["names"]}, job["form"])
            report.update(told if is_whole else {name: {**about, "partial": "yes"} for name, about in told.items()})
    (place / "report.json").write_text(json.dumps(report), "utf-8")


def _decode(place: Path, section: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The values by name, and whether all that they name was there."""
    stream = io.BytesIO((place / section["stream"]).read_bytes())
    buffers = [bytearray((place / buffer).read_bytes()) for buffer in section["buffers"]]
    with _namespace():
        try:
            return _load(_Unpickler(stream, buffers=buffers)), True
        except (ImportError, AttributeError) as problem:
            stream.seek(0)
            try:
                return _load(_Lenient(stream, buffers=buffers)), False
            except Exception:  # noqa: BLE001 - whatever comes of doing without, the first problem is the one to tell of
                raise problem from None


def _load(unpickler: pickle.Unpickler) -> dict[str, Any]:
    names = unpickler.load()
    return {name: unpickler.load() for name in names}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """As the reader of records does."""
        return values.main_class(name) if module == "__main__" else super().find_class(module, name)

    def persistent_load(self, path: Any) -> Any:
        """Nothing that was live then is here."""
        raise pickle.UnpicklingError(f"it refers to a live object at {path!r}, and there is none here")


class _Lenient(_Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """What isn't here, either, makes Remains."""
        try:
            return super().find_class(module, name)
        except (ImportError, AttributeError):
            return stand_in(f"{module}.{name}")


def _namespace() -> Any:
    try:
        from ipycheckpoint.record import rebuild
    except ImportError:  # a Python that is older than any that writes records, and so than what names this module
        return contextlib.nullcontext()
    return rebuild.into({"__name__": "__main__"})


def _carry(place: Path, stem: str, found: dict[str, Any], form: str | None) -> dict[str, dict[str, str]]:
    """Write the values of one section: together, so that they share what they shared, else one by one."""
    told = {name: {"type": f"{type(value).__module__}.{type(value).__qualname__}"} for name, value in found.items()}
    try:
        (place / stem).write_bytes(values.dumps(found))
    except BaseException as problem:  # noqa: BLE001 - a `__reduce__` may raise anything
        if len(found) == 1:
            told[next(iter(found))]["problem"] = f"it loads there, and can't be carried over: {problem}"
        else:
            for number, (name, value) in enumerate(found.items()):
                told.update(_carry(place, f"{stem}-{number}", {name: value}, form))
            return told
    else:
        for about in told.values():
            about["portable"] = stem
    for number, (name, value) in enumerate(found.items()):
        if form is not None:
            try:
                forms.write(value, form, place / f"{stem}-{number}.{form}")
                told[name]["file"] = f"{stem}-{number}.{form}"
            except Exception as problem:  # noqa: BLE001 - libraries raise what they like
                told[name]["unwritten"] = f"{type(problem).__name__}: {problem}"
    return told


def _told() -> str:
    lines = traceback.format_exc().strip().splitlines()
    return "\n".join([lines[-1], *lines[-_KEPT_LINES:-1]])

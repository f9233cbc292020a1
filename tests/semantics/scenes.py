"""Scenes: a script is run, edited, and run again in a fresh interpreter, with another hash seed and the same cache.

Many scenes share one process for each stage, which loses nothing: each has a directory, modules and a cache of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Scene:
    """A claim, the versions of a script, and for each what must happen: ``hit``, ``miss``, or both, as called.

    Lines ``# module NAME`` begin the text of further modules beside the script. The script prints ``ran`` in every
    function that it checkpoints and leaves what they gave, as plain data, in `result`.
    """

    claim: str
    versions: tuple[str, ...]
    expected: tuple[str, ...]
    warns: str = ""
    """What a warning must say; none may be given otherwise."""


def edited(claim: str, script: str, old: str, new: str, then: str, *, warns: str = "") -> Scene:
    """The scene in which `old` is replaced by `new`; `then` says what happens on the second run."""
    assert old in script, f"{claim}: {old!r} is not in the script"
    return Scene(claim, (_script(script), _script(script.replace(old, new))), ("miss", then), warns)


def unchanged(claim: str, script: str, *, misses: int = 1) -> Scene:
    """The scene in which nothing but the process is another: so many calls that ran are all hits."""
    return Scene(claim, (_script(script),) * 2, ("miss " * misses, "hit"))


def within(claim: str, script: str, calls: str, *, warns: str = "") -> Scene:
    """The scene of one run, whose calls are these hits and misses in order."""
    return Scene(claim, (_script(script),), (calls,), warns)


def _script(text: str) -> str:
    return "from ipycheckpoint import checkpoint\n" + textwrap.dedent(text).lstrip("\n")


class Outcome(NamedTuple):
    """What was seen of one run of a script."""

    calls: int
    """How often a checkpointed function ran."""
    result: str
    truth: str
    """What it gives without any checkpoint."""
    warnings: list[str]
    error: str


def play(scenes: Sequence[Scene], directory: Path) -> list[list[Outcome]]:
    """Play all scenes, stage by stage: for each scene, what was seen of each version."""
    seen: list[list[Outcome]] = [[] for _ in scenes]
    for stage in range(max(len(scene.versions) for scene in scenes)):
        on = [number for number, scene in enumerate(scenes) if stage < len(scene.versions)]
        for number in on:
            _write(directory / f"scene_{number:03}", scenes[number].versions[stage])
        names = [f"scene_{number:03}" for number in on]
        output = run(_RUNNER, str(directory), *names, hash_seed=stage + 1)
        for number, outcome in zip(on, json.loads(output.splitlines()[-1]), strict=True):
            seen[number].append(Outcome(**outcome))
    return seen


def check(scene: Scene, outcomes: list[Outcome]) -> None:
    """Hold what was seen against what was claimed."""
    for stage, (expected, outcome) in enumerate(zip(scene.expected, outcomes, strict=True)):
        assert outcome.error == "", f"run {stage + 1}: {outcome.error}"
        assert outcome.result == outcome.truth, f"run {stage + 1} gave what the code does not"
        runs = expected.split().count("miss")
        assert outcome.calls == runs, f"run {stage + 1}: it ran {outcome.calls} times, not {runs}"
        if scene.warns:
            assert any(scene.warns in warning for warning in outcome.warnings) or runs == 0, outcome.warnings
        else:
            assert outcome.warnings == []


def run(program: str, *arguments: str, hash_seed: int = 0, **environ: str) -> str:
    """What `program` prints in a fresh interpreter."""
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONDONTWRITEBYTECODE": "1", **environ}
    environment["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _write(directory: Path, text: str) -> None:
    directory.mkdir(exist_ok=True)
    for old in directory.glob("*.py"):
        old.unlink()
    script, *modules = text.split("# module ")
    files = {directory.name: script}
    for module in modules:
        name, _, body = module.partition("\n")
        files[name.strip()] = body
    for name, body in files.items():
        path = directory / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(body, encoding="utf-8")


_RUNNER = """
import contextlib, importlib, io, json, pathlib, sys, traceback, warnings
from ipycheckpoint import workspace

def play(home, name):
    sys.path.insert(0, str(home))
    importlib.invalidate_caches()
    before = set(sys.modules)
    try:
        return getattr(importlib.import_module(name), "result", None)
    finally:
        sys.path.remove(str(home))
        for module in set(sys.modules) - before:
            if str(getattr(sys.modules[module], "__file__", "")).startswith(str(home)):
                del sys.modules[module]

def outcome(directory, name):
    home = directory / name
    here = workspace.current()
    here.directory = home / "cache"
    told, printed = [], io.StringIO()
    result = truth = error = ""
    with warnings.catch_warnings(record=True) as told, contextlib.redirect_stdout(printed):
        warnings.simplefilter("always")
        try:
            result = repr(play(home, name))
            calls = printed.getvalue().splitlines().count("ran")
            here.mode = "off"
            truth = repr(play(home, name))
        except BaseException:
            calls, error = -1, traceback.format_exc()
        here.mode = None
    told = [str(warning.message) for warning in told]
    return dict(calls=calls, result=result, truth=truth, warnings=told, error=error)

directory, *names = sys.argv[1:]
seen = [outcome(pathlib.Path(directory), name) for name in names]
print()
print(json.dumps(seen))
"""


class Program:
    """A script that is run as ``__main__`` again and again, each time in a fresh interpreter with another hash seed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cache = directory / "cache"
        self._runs = 0

    def write(self, text: str, name: str = "program") -> None:
        """Write the script, or a module beside it."""
        path = self.directory / f"{name}.py"
        path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        """Start the script; its standard output can be read."""
        self._runs += 1
        environment = {**os.environ, "IPYCHECKPOINT_DIR": str(self.cache), "PYTHONDONTWRITEBYTECODE": "1", **environ}
        environment |= {"PYTHONHASHSEED": str(self._runs), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-W", "always", str(self.directory / "program.py"), *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True, cwd=self.directory)

    def run(self, *arguments: str, **environ: str) -> Printed:
        """Run the script to its end."""
        process = self.start(*arguments, **environ)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, out + err
        return Printed(out.splitlines(), err)


class Printed(NamedTuple):
    """What a program has printed, and what it complained of."""

    lines: list[str]
    complaints: str

"""One question put to one tool: its programs, each in a fresh process, with the files that they leave."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.features.scene import Seen
from benchmarks.process import ROOT, environment

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.features.dialects import Dialect
    from benchmarks.features.scene import Scene

_MOST_SECONDS = 180
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Trial:
    """Where a tool answers a question."""

    dialect: Dialect
    directory: Path
    """For this trial alone."""
    explains: bool = False
    """The tool is asked to say all that it can."""
    _count: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        for path in (self.work, self.installed, self.directory / "meeting"):
            path.mkdir(parents=True)

    @property
    def work(self) -> Path:
        """Where the programs run, and find files."""
        return self.directory / "work"

    @property
    def installed(self) -> Path:
        """Modules here are somebody else's packages."""
        return self.directory / "site-packages"

    @property
    def cache(self) -> Path:
        """Where the tool keeps what it keeps."""
        return self.directory / "cache"

    def another(self) -> Trial:
        """The same tool, with nothing kept."""
        return Trial(self.dialect, self.directory / "another", self.explains)

    def run(self, scene: Scene, *, user: str = "me", **environ: str) -> Seen:
        """Run a scene in a new process."""
        return self._end(*self._begin(scene, user, environ))

    def together(self, scene: Scene, count: int) -> list[Seen]:
        """Run it in several processes at once. The scene has to meet."""
        begun = [self._begin(scene, "me", {}) for _ in range(count)]
        return [self._end(*one) for one in begun]

    def size(self) -> int:
        """Bytes of all files that are kept."""
        return sum(path.stat().st_size for path in self.cache.rglob("*") if path.is_file())

    def _begin(self, scene: Scene, user: str, environ: dict[str, str]) -> tuple[subprocess.Popen[str], Path]:
        self._count += 1
        answer = self.directory / f"{self._count}.json"
        home = self.directory / user
        home.mkdir(exist_ok=True)
        base = environment(home, hash_seed=self._count) | {
            "BENCHMARKS_RUNS": str(answer.with_suffix(".runs")),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(self.installed)]),
            "FEATURES_ANSWER": str(answer),
            "FEATURES_MEETING": str(self.directory / "meeting"),
        }
        child = subprocess.Popen(
            self.dialect.command(scene, self.cache, self.work, explains=self.explains),
            cwd=self.work,
            env=base | environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return child, answer

    def _end(self, child: subprocess.Popen[str], answer: Path) -> Seen:
        try:
            text, _ = child.communicate(timeout=_MOST_SECONDS)
        except subprocess.TimeoutExpired:
            return Seen(failure=f"not done in {_MOST_SECONDS} s")
        finally:
            # In a session of its own, so that whatever it has started ends with it.
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.communicate()
        text = _ESCAPES.sub("", text)
        runs = answer.with_suffix(".runs").stat().st_size if answer.with_suffix(".runs").exists() else 0
        if not answer.exists():
            return Seen(runs, None, text, _last_error(text) or f"the process ended with {child.returncode}")
        return Seen(runs, json.loads(answer.read_text()), text)


def _last_error(text: str) -> str:
    """The last line that names an exception.

    >>> _last_error("Traceback …\\nKeyError: 'a'\\nmore")
    "KeyError: 'a'"
    """
    found = re.findall(r"^(?:[\w.]+\.)?\w*(?:Error|Exception|Interrupt|NotExist\w*): ?.*$", text, flags=re.MULTILINE)
    return found[-1].strip()[:160] if found else ""

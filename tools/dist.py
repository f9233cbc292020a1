"""Build what is published, check it, and try it where nothing else is installed: ``make dist``.

The wheel is made from the sdist, as an installer without a wheel does it. Both go into ``dist``. The wheel is then
installed with its dependencies in a new environment, and used as a newcomer would, far from this directory; then with
the extras that its users may want.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"

CELL = """\
%%checkpoint squares
squares = [n * n for n in range(1000)]
print(sum(squares))
"""

# The shell of a kernel, without one: two of them, so that the second restores what the first has kept.
NOTEBOOK = f"""
import ipycheckpoint
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "ipycheckpoint")
shell.run_cell({CELL!r}).raise_error()
assert sum(shell.user_ns["squares"]) == 332833500
assert ipycheckpoint.panel() is not None
"""

FUNCTION = """\
from ipycheckpoint import checkpoint

@checkpoint
def simulate(steps):
    print("computed")
    return steps * 2

assert simulate(21) == 42
"""


# With the extra `remote`.
SHARED = """
import ipycheckpoint

ipycheckpoint.save("memory://runs/run.ckpt", answer=42)
assert ipycheckpoint.load("memory://runs/run.ckpt", "answer") == 42
"""


def run(*command: str | Path, cwd: Path, environ: dict[str, str] | None = None) -> str:
    """What the command prints; CalledProcessError if it fails, after its output was shown."""
    done = subprocess.run(command, check=False, cwd=cwd, env=environ, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout + done.stderr, file=sys.stderr)
        done.check_returncode()
    return done.stdout


def build() -> tuple[Path, Path]:
    """The sdist and the wheel."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "build", "--outdir", DIST, ROOT, cwd=ROOT)
    [sdist], [wheel] = DIST.glob("*.tar.gz"), DIST.glob("*.whl")
    return sdist, wheel


def check(sdist: Path, wheel: Path) -> None:
    """What an index and its users would complain of."""
    run(sys.executable, "-m", "twine", "check", "--strict", sdist, wheel, cwd=DIST)
    run(sys.executable, "-m", "check_wheel_contents", wheel, cwd=DIST)


def try_it(wheel: Path, directory: Path) -> None:
    """Install the wheel in an environment of its own, and use it."""
    environment, work = directory / "environment", directory / "work"
    work.mkdir()
    venv.create(environment, with_pip=True)
    binaries = environment / ("Scripts" if os.name == "nt" else "bin")
    python = binaries / "python"
    run(python, "-m", "pip", "install", "--quiet", wheel, cwd=work)

    # No variable of ours or of Python's own leads back here.
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("IPYCHECKPOINT_", "PYTHON"))}
    environ |= {"JUPYTER_DATA_DIR": str(directory / "jupyter"), "IPYTHONDIR": str(directory / "ipython")}

    def tell(*command: str | Path) -> str:
        return run(*command, cwd=work, environ=environ)

    where = tell(python, "-c", "import ipycheckpoint; print(ipycheckpoint.__file__)").strip()
    assert Path(where).is_relative_to(environment.resolve()), where
    assert "computed" in tell(python, "-c", NOTEBOOK)
    assert "restored" in tell(python, "-c", NOTEBOOK)
    (work / "script.py").write_text(FUNCTION)
    assert [tell(python, "script.py") for _ in range(2)] == ["computed\n", ""]
    assert "squares" in tell(python, "-m", "ipycheckpoint", "ls")
    assert tell(binaries / "ipycheckpoint", "ls", "--json") == tell(python, "-m", "ipycheckpoint", "ls", "--json")
    assert tell(binaries / "ipycheckpoint", "--version").strip().endswith(wheel.name.split("-")[1])

    run(python, "-m", "pip", "install", "--quiet", f"{wheel}[cli,remote]", cwd=work)
    tell(python, "-c", SHARED)
    assert "squares" in tell(binaries / "ipycheckpoint", "ls")


def main() -> None:
    """All of it; a failure ends it."""
    sdist, wheel = build()
    check(sdist, wheel)
    with tempfile.TemporaryDirectory() as directory:
        try_it(wheel, Path(directory))
    for path in (sdist, wheel):
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size / 1000:,.0f} kB")
    print("built, checked, installed in an empty environment, and tried")


if __name__ == "__main__":
    main()

"""The Environment: which Python, platform, packages and image a process has. Evidence, not an Ingredient."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from ipycheckpoint.digest import Digest, digest
from ipycheckpoint.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

_IMAGE_VARIABLES = ("IPYCHECKPOINT_IMAGE", "JUPYTER_IMAGE", "JUPYTER_IMAGE_SPEC")


class Difference(NamedTuple):
    """One thing that two Environments don't agree on; None where one of them hasn't got it."""

    name: str
    then: str | None
    now: str | None

    def __str__(self) -> str:
        return f"{self.name} {self.then or 'absent'} → {self.now or 'absent'}"


@dataclass(frozen=True)
class Environment:
    """What a process ran in."""

    python: str
    implementation: str
    platform: str
    machine: str
    packages: Mapping[str, str] = field(default_factory=dict)
    """Versions of the distributions whose modules were loaded, by name."""
    image: str | None = None
    """The container image, where the environment names it."""

    @classmethod
    def current(cls) -> Environment:
        """This process as it is now. Some ten milliseconds for the first time, less than one later."""
        return _current(frozenset(name for name in sys.modules if "." not in name and name[:1] != "_"))

    def to_json(self) -> bytes:
        """Canonical JSON: the same bytes for the same Environment."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, data: bytes | memoryview) -> Environment:
        """Read what `to_json` wrote, by this release or another. Raises FormatError."""
        try:
            loaded: dict[str, Any] = json.loads(bytes(data))
            return cls(
                python=str(loaded["python"]),
                implementation=str(loaded["implementation"]),
                platform=str(loaded["platform"]),
                machine=str(loaded["machine"]),
                packages={str(name): str(version) for name, version in dict(loaded["packages"]).items()},
                image=None if loaded.get("image") is None else str(loaded["image"]),
            )
        except (ValueError, TypeError, KeyError, RecursionError) as problem:
            raise FormatError(f"this is no environment: {problem!r}") from problem

    @property
    def digest(self) -> Digest:
        """The Digest of its JSON, as a kind of thing of its own."""
        return digest("environment", self.to_json())

    def differences(self, now: Environment) -> list[Difference]:
        """What is not the same in `now`: Python and platform first, then the packages of this one by name."""
        places = ("python", "implementation", "platform", "machine", "image")
        found = [Difference(name, getattr(self, name), getattr(now, name)) for name in places]
        found += [Difference(name, self.packages[name], now.version_of(name)) for name in sorted(self.packages)]
        return [difference for difference in found if difference.then != difference.now]

    def version_of(self, package: str) -> str | None:
        """The version of `package`; for this very process, of an installed one that isn't loaded, too."""
        version = self.packages.get(package)
        if version is None and self == Environment.current():
            distribution = _installed(tuple(sys.path)).get(_normal(package))
            version = distribution and distribution.version
        return version

    def rebuild_command(self, *, tool: str = "uv") -> str:
        """The shell command that makes such an environment in ``.venv``: `tool` is ``uv`` or ``pip``.

        >>> Environment("3.11.4", "cpython", "linux", "x86_64", {"numpy": "1.26.0"}).rebuild_command(tool="pip")
        "python3.11 -m venv .venv && .venv/bin/python -m pip install 'numpy==1.26.0'"
        """
        packages = " ".join(f"'{name}=={version}'" for name, version in sorted(self.packages.items()))
        if tool == "uv":
            command = f"uv venv --python {self.python} .venv"
            install = f"uv pip install --python .venv {packages}"
        else:
            command = f"python{self.python.rpartition('.')[0]} -m venv .venv"
            install = f".venv/bin/python -m pip install {packages}"
        return f"{command} && {install}" if packages else command


@lru_cache(maxsize=2)
def _current(modules: frozenset[str]) -> Environment:
    image = next((os.environ[name] for name in _IMAGE_VARIABLES if os.environ.get(name)), None)
    return Environment(
        python=platform.python_version(),
        implementation=sys.implementation.name,
        platform=sys.platform,
        machine=platform.machine(),
        packages=_packages(modules),
        image=image,
    )


def _packages(modules: frozenset[str]) -> dict[str, str]:
    installed = _installed(tuple(sys.path))
    found = {}
    for module in modules - sys.stdlib_module_names:
        distribution = installed.get(_normal(_OWNERS.get(module, module)))
        if distribution is not None:
            found[distribution.name] = distribution.version
    return dict(sorted(found.items()))


class _Distribution(NamedTuple):
    name: str
    version: str


@lru_cache(maxsize=2)
def _installed(path: tuple[str, ...]) -> dict[str, _Distribution]:
    # From the names of the directories alone: importlib.metadata would parse a file for each, and its
    # packages_distributions() reads the list of all files that were ever installed.
    found: dict[str, _Distribution] = {}
    for directory in path:
        try:
            names = os.listdir(directory or ".")  # noqa: PTH208 - names are all that is needed, and quick
        except OSError:
            continue
        for file in names:
            name, _, rest = file.partition("-")
            if rest.endswith((".dist-info", ".egg-info")):
                version = rest.rpartition(".")[0].partition("-")[0]
                found.setdefault(_normal(name), _Distribution(name, version))
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


_OWNERS = {
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "yaml": "PyYAML",
    "zmq": "pyzmq",
}
# Modules that are not called as their distributions are.

"""The Environment: which Python, platform, packages and image a process has. Evidence, not an Ingredient."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ipycheckpoint.digest import Digest, digest
from ipycheckpoint.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

Tool = Literal["uv", "pip"]

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")

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
    who: str | None = field(default=None, compare=False)
    """Whose process it was, and on which machine, where that is told."""

    @classmethod
    def current(cls) -> Environment:
        """This process as it is now. Some ten milliseconds for the first time, less than one later."""
        image = next((os.environ[name] for name in _IMAGE_VARIABLES if os.environ.get(name)), None)
        return _current(len(sys.modules), next(reversed(sys.modules)), tuple(sys.path), image)

    def to_json(self) -> bytes:
        """Canonical JSON: the same bytes for the same Environment."""
        return self._json

    @cached_property
    def _json(self) -> bytes:
        told = asdict(self)
        if self.who is None:
            del told["who"]
        return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()

    def signed(self) -> Environment:
        """The same with `who`: ``IPYCHECKPOINT_WHO``, or the user's name and the machine's; nobody if it is empty."""
        who = os.environ.get("IPYCHECKPOINT_WHO")
        return replace(self, who=_user_and_host() if who is None else who or None)

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
                who=None if loaded.get("who") is None else str(loaded["who"]),
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
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

    def distribution_of(self, module: str) -> str | None:
        """The name, as this Environment has it, of the package that `module` comes from; None where it has none such.

        >>> Environment("3.11.4", "cpython", "linux", "x86_64", {"scikit-learn": "1.4.0"}).distribution_of(
        ...     "sklearn.svm"
        ... )
        'scikit-learn'
        """
        top = module.partition(".")[0]
        wanted = _normal(_OWNERS.get(top, top))
        return next((name for name in self.packages if _normal(name) == wanted), None)

    def requirements(self) -> list[str]:
        """Its packages as pip wants them, in order of their names; ipycheckpoint itself is not one of them.

        >>> packages = {"numpy": "1.26.0", "torch": "2.1.0+cu118"}
        >>> Environment("3.11.4", "cpython", "linux", "x86_64", packages).requirements()
        ['numpy==1.26.0', 'torch==2.1.0']
        """
        # What follows a + is the build of another index, which may not be at hand; without it, any build will do.
        # Whoever wrote the record may call a package what pip would take for an option: that is none.
        named = [(name, version) for name, version in sorted(self.packages.items()) if _NAME.fullmatch(name)]
        packages = [(name, version.partition("+")[0]) for name, version in named]
        return [f"{name}=={version}" for name, version in packages if _normal(name) != "ipycheckpoint"]

    def rebuild_command(self, *, directory: str = ".venv", tool: Tool | None = None) -> str:
        """The shell command that makes such an environment in `directory`, with `tool`: ``uv`` where there is one.

        >>> Environment("3.11.4", "cpython", "linux", "x86_64", {"numpy": "1.26.0"}).rebuild_command(tool="pip")
        'python3.11 -m venv .venv && .venv/bin/python -m pip install numpy==1.26.0'
        """
        import shlex

        place = shlex.quote(directory)
        packages = shlex.join(self.requirements())
        if (tool or available_tool()) == "uv":
            command = f"uv venv --python {shlex.quote(self.python)} {place}"
            install = f"uv pip install --python {place} {packages}"
        else:
            minor = ".".join(self.python.split(".")[:2])
            command = f"{shlex.quote('python' + minor)} -m venv {place}"
            install = f"{place}/{interpreter_in_environment()} -m pip install {packages}"
        return f"{command} && {install}" if packages else command


def _user_and_host() -> str:
    import getpass

    try:
        return f"{getpass.getuser()}@{platform.node()}"
    except (OSError, KeyError):  # a user without a name, as in some containers
        return platform.node()


def available_tool() -> Tool:
    """What makes environments here: ``uv`` where it is installed, else ``pip``."""
    return "pip" if uv_path() is None else "uv"


def uv_path() -> str | None:
    """The ``uv`` of this environment, or the first on the PATH; None if there is none."""
    import shutil

    return shutil.which("uv", path=os.path.dirname(sys.executable)) or shutil.which("uv")


def interpreter_in_environment() -> str:
    """Where a virtual environment has its interpreter."""
    return "Scripts/python.exe" if sys.platform == "win32" else "bin/python"


@lru_cache(maxsize=2)
def _current(_modules: int, _latest: str, path: tuple[str, ...], image: str | None) -> Environment:
    # How many modules there are, and which came last, tells as well that there are others as the names of all would.
    modules = frozenset(name for name in sys.modules.copy() if "." not in name and name[:1] != "_")
    return Environment(
        python=platform.python_version(),
        implementation=sys.implementation.name,
        platform=sys.platform,
        machine=platform.machine(),
        packages=_packages(modules, path),
        image=image,
    )


def _packages(modules: frozenset[str], path: tuple[str, ...]) -> dict[str, str]:
    installed = _installed(path)
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

"""What all tests share: no test reads or writes the home of whoever runs it."""

from __future__ import annotations

import gc
import os
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# Machines differ in speed, claims don't: no deadline, and no complaint about slow data.
settings.register_profile("ipycheckpoint", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ipycheckpoint")

# gcsfs asks by gRPC whether a bucket is of a new kind, and waits long for an emulator that speaks HTTP alone. It reads
# this when it is imported, which any test may do.
os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"


# What IPython 7.34 itself doesn't do on a Python that is newer than it: ``x = !command`` and autoreload.
_BEYOND_OLD_SHELLS = (
    "[shell]",
    "test_the_values_are_those_of_the_notebook_without_the_magic",
    "test_what_autoreload_may_have_said_stays",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # Processes that share the tests must call them the same; in those themselves, xdist says so.
    for item in items:
        if " at 0x" in item.name and not hasattr(config, "workerinput"):
            raise pytest.UsageError(f"{item.nodeid} is named by an address: give its cases ids")
    if sys.version_info >= (3, 12) and version("ipython").startswith("7."):
        for item in items:
            if item.name.endswith(_BEYOND_OLD_SHELLS):
                item.add_marker(pytest.mark.skip("this IPython can't do it on this Python"))


def pytest_collection_finish() -> None:
    # What thousands of tests and all that they import consist of stays to the end: no collection looks at it again.
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    # At the end of the process each shell that a test has made collects garbage: together they take a minute and more.
    gc.freeze()


@pytest.fixture(autouse=True)
def _same_recursion_limit() -> Iterator[None]:
    """What is done about deep values depends on it."""
    before = sys.getrecursionlimit()
    yield
    sys.setrecursionlimit(before)


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Secrets, profiles and histories of the tests and of the processes that they start are kept apart."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("IPYCHECKPOINT_", "JPY_")) and name != "IPYCHECKPOINT_PYTHONS":
                patch.delenv(name)
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        patch.setenv("JUPYTER_DATA_DIR", str(home / "jupyter"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(home / "runtime"))
        patch.setenv("MPLCONFIGDIR", str(home / "matplotlib"))
        yield

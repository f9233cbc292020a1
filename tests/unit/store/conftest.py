"""What the tests of stores at URLs share: a server that is gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest


@dataclass
class Gone:
    """Stands for the file system of a server that is gone."""

    protocol = "sftp"
    message: str = "the server is gone"

    def __getattr__(self, name: str) -> Any:
        def fail(*_: object, **__: object) -> None:
            raise RuntimeError(self.message)

        return fail


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> Gone:
    """There is one attempt to reach it, and no second one after a while."""
    monkeypatch.setattr("ipycheckpoint.store.connection._PAUSES_SECONDS", ())
    return Gone()

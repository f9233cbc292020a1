from __future__ import annotations

from pathlib import Path

from ipycheckpoint.store.base import Store
from ipycheckpoint.store.memory import MemoryStore
from tests.contracts.store_contract import StoreContract


class TestMemoryStore(StoreContract):
    def open(self, path: Path) -> Store:
        return MemoryStore()


def test_its_location_is_memory() -> None:
    assert MemoryStore().location == "memory"

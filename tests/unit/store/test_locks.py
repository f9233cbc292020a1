from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ipycheckpoint.store.locks import holder, lock, unlock

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks")

HOLD = """
import os, sys
from ipycheckpoint.store.locks import lock
print(lock(os.open(sys.argv[1], os.O_RDWR), int(sys.argv[2])), flush=True)
sys.stdin.readline()
"""


def test_a_byte_is_locked_for_others_until_its_process_ends(tmp_path: Path) -> None:
    path, offset = tmp_path / "locks", (1 << 60) - 5
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    arguments = [sys.executable, "-c", HOLD, str(path), str(offset)]
    root = str(Path(__file__).parents[3])
    with subprocess.Popen(
        arguments, env={**os.environ, "PYTHONPATH": root}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "True\n"
        assert not lock(descriptor, offset)
        assert lock(descriptor, offset + 1)
        assert holder(descriptor, offset) in {other.pid, None}
        other.kill()
    assert lock(descriptor, offset)
    assert holder(descriptor, offset + 2) in {0, None}
    unlock(descriptor, offset)
    assert path.stat().st_size == 0
    os.close(descriptor)

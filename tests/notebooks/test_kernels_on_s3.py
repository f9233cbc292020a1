"""Two kernels with a cache each and one store on S3: what one computes, the other restores."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("ipykernel")
pytest.importorskip("fsspec")

from ipycheckpoint.store.shared import RemoteStore
from tests.notebooks.kernels import outcome, run, seen
from tests.proxies import proxied
from tests.servers import s3_server, told_to_processes

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.kernel

CELLS = (
    "%%checkpoint\nimport numpy as np\na = np.arange(500_000.0)\nsame = a\nprint('made')",
    "print(a.sum(), same is a)",
)
NBYTES = 4_000_000


def test_what_one_kernel_computes_another_restores_and_only_what_is_missing_travels(tmp_path: Path) -> None:
    url = f"s3://team/{uuid.uuid4().hex}"
    with s3_server() as options, proxied(options["endpoint_url"]) as wire:
        store = RemoteStore(url, **options)
        environ = {"IPYCHECKPOINT_STORE": url, **told_to_processes({**options, "endpoint_url": wire.url})}
        outcomes, shown, passed = [], [], []
        for name in ("ada", "bob"):
            (tmp_path / name).mkdir()
            with wire.counted() as counted:
                cells = run(tmp_path / name, *CELLS, environ=environ)
            outcomes.append(outcome(cells[0]))
            shown.append([seen(cell) for cell in cells])
            passed.append(counted)
        stored = sum(entry.nbytes for kind in ("records/", "blobs/", "rolls/") for entry in store.entries(kind))
    assert outcomes == ["computed", "restored"]
    assert shown[0] == shown[1]
    sent, received = sum(each.sent for each in passed[0]), sum(each.received for each in passed[1])
    assert sent == stored > NBYTES
    assert NBYTES < received < stored + 10_000

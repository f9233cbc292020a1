"""What has no stable identity is refused, and the message says what to do."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import copyreg
import io
import itertools
import mmap
import pathlib
import socket
import sqlite3
import subprocess
import sys
import threading
import weakref

import pytest

from ipycheckpoint.errors import Unidentifiable
from ipycheckpoint.identity.values import digest_value

HERE = pathlib.Path(__file__)


class Target:
    pass


TARGET = Target()


def _generator():
    yield 1


async def _coroutine():
    pass


async def _async_generator():
    yield 1


@pytest.mark.parametrize(
    "make",
    [
        _generator,
        _async_generator,
        lambda: map(str, []),
        lambda: filter(None, []),
        lambda: zip([], strict=True),
        lambda: iter({1, 2}),
        itertools.count,
        lambda: itertools.chain([1]),
        threading.Lock,
        threading.RLock,
        threading.Condition,
        threading.Event,
        threading.Semaphore,
        threading.BoundedSemaphore,
        threading.local,
        threading.Thread,
        asyncio.Lock,
        lambda: weakref.ref(TARGET),
        lambda: weakref.proxy(TARGET),
        lambda: sys._getframe(),
        contextvars.copy_context,
        lambda: contextvars.ContextVar("v"),
    ],
)
def test_it_is_refused(make):
    with pytest.raises(Unidentifiable) as caught:
        digest_value({"a": make()})
    assert caught.value.path == "value['a']"
    assert len(caught.value.reason) > 20


@pytest.mark.parametrize(
    "make",
    [
        lambda: socket.socket(),
        lambda: contextlib.closing(sqlite3.connect(":memory:")),
        HERE.open,
        lambda: HERE.open("rb"),
        lambda: HERE.open("rb", buffering=0),
        lambda: mmap.mmap(-1, 10),
        concurrent.futures.ThreadPoolExecutor,
        lambda: io.TextIOWrapper(io.BytesIO()),
    ],
)
def test_it_is_refused_while_it_is_open(make):
    with make() as opened, pytest.raises(Unidentifiable):
        digest_value(opened)


def test_a_process_is_refused():
    with subprocess.Popen([sys.executable, "-c", ""]) as process, pytest.raises(Unidentifiable):
        digest_value(process)


def test_a_coroutine_is_refused():
    coroutine = _coroutine()
    with pytest.raises(Unidentifiable):
        digest_value(coroutine)
    coroutine.close()


def test_a_traceback_is_refused_and_an_exception_that_has_one_is_not():
    try:
        raise ValueError("x")
    except ValueError as error:
        raised = error
    with pytest.raises(Unidentifiable):
        digest_value(raised.__traceback__)
    assert digest_value(raised) == digest_value(ValueError("x"))


def test_a_plan_of_polars_is_refused():
    pl = pytest.importorskip("polars")
    with pytest.raises(Unidentifiable, match="collect"):
        digest_value(pl.LazyFrame({"a": [1]}))


def test_a_tensor_in_a_graph_of_gradients_is_refused():
    torch = pytest.importorskip("torch")
    with pytest.raises(Unidentifiable, match="detach"):
        digest_value(torch.ones(2, requires_grad=True).sum())


def test_an_iterator_over_a_list_is_where_it_is():
    moved = iter([1, 2, 3])
    next(moved)
    assert digest_value(iter([1, 2, 3])) != digest_value(moved)


def test_an_exception_counts_as_ever_where_a_library_pickles_it_with_its_traceback(monkeypatch):
    before = digest_value(KeyError("a"))
    monkeypatch.setitem(copyreg.dispatch_table, KeyError, lambda error: (KeyError, error.args, {"tb": object()}))
    assert digest_value(KeyError("a")) == before

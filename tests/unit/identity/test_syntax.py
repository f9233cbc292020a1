"""Text is parsed whatever other threads do."""

from __future__ import annotations

import ast
import gc
import threading
import time
from pathlib import Path

import pytest

from ipycheckpoint.identity.syntax import parsed


def test_a_wrong_count_of_another_threads_depth_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    parse, failures = ast.parse, [SystemError("AST constructor recursion depth mismatch")] * 3

    def failing(*arguments: str) -> ast.AST:
        if failures:
            raise failures.pop()
        return parse(*arguments)

    monkeypatch.setattr(ast, "parse", failing)
    assert ast.unparse(parsed("x=1")) == "x = 1"


def test_what_fails_each_time_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*arguments: str) -> ast.AST:
        raise SystemError("broken")

    monkeypatch.setattr(ast, "parse", failing)
    with pytest.raises(SystemError, match="broken"):
        parsed("x = 1")


def test_what_is_no_python_is_a_syntax_error() -> None:
    with pytest.raises(SyntaxError):
        parsed("x =")


class _Slow:
    def __init__(self) -> None:
        self.itself = self  # so that the collector comes for it, in the middle of a tree

    def __del__(self) -> None:
        time.sleep(1e-5)  # and another thread goes on


def test_threads_parse_at_once() -> None:
    text = Path(ast.__file__).read_text()
    failures: list[BaseException] = []

    def parse() -> None:
        try:
            for _ in range(10):
                for _ in range(20):
                    _Slow()
                parsed(text)
        except BaseException as error:  # a thread has nobody to tell
            failures.append(error)

    before = gc.get_threshold()
    gc.set_threshold(200)
    try:
        threads = [threading.Thread(target=parse) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        gc.set_threshold(*before)
    assert not failures

"""A library with savepoints, on the model of the one in the documentation of Checkpoints.jl."""

from __future__ import annotations

from typing import Any

import ipycheckpoint as ck

PACKAGE = "TestPkg"


def declare() -> None:
    """What a library does when it is imported; here, each test has it done for a workspace of its own."""
    ck.register(PACKAGE, ["foo", "bar", "baz", "qux_a", "qux_b"])
    ck.deprecate(PACKAGE, "quux", "qux_a")
    ck.deprecate(PACKAGE, "quuz", "qux_b")


def foo(x: Any, y: Any) -> Any:
    """Two values, by name."""
    ck.savepoint("TestPkg.foo", x=x, y=y)
    return x * y


def bar(a: Any) -> Any:
    """One value, under a tag."""
    with ck.tags(date="2017-01-01"):
        ck.savepoint("TestPkg.bar", a)
    return a * 2


def baz(data: dict[str, Any]) -> None:
    """Several saves, in a session."""
    with ck.Session("TestPkg.baz") as s:
        for key, value in data.items():
            s.save({key: value})


def qux(a: dict[str, Any], b: Any) -> None:
    """A session of two savepoints."""
    with ck.Session(PACKAGE, ["qux_a", "qux_b"]) as (sa, sb):
        for key, value in a.items():
            sa.save({key: value})
        sb.save(b)

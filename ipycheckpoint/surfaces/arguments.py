"""The arguments of ``@checkpoint`` and ``DecoratorCheckpoint``: what they may be, each and together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from ipycheckpoint import tagging, workspace
from ipycheckpoint.errors import UsageError
from ipycheckpoint.surfaces.plugging import check_identifier, check_place, gives_results_alone, identifies_as_we_do
from ipycheckpoint.units import parse_duration

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from datetime import timedelta

    from ipycheckpoint.engine.lookup import Mode
    from ipycheckpoint.identity.identifier import FuncCallIdentifierBase
    from ipycheckpoint.identity.work import Fingerprints
    from ipycheckpoint.surfaces.plugging import Place


@dataclass(frozen=True, slots=True)
class Options:
    """What ``@checkpoint(...)`` was told."""

    name: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    store: Place | None = None
    ignore: frozenset[str] = frozenset()
    fingerprints: Fingerprints = field(default_factory=dict)
    pin: tuple[str, ...] = ()
    watch: tuple[str | os.PathLike[str], ...] | Literal[False] = ()
    expires_seconds: float | None = None
    on_error: workspace.OnError | None = "warn"
    mode: Mode | None = None
    identifier: FuncCallIdentifierBase | None = None

    def __setstate__(self, state: list[Any]) -> None:
        # A record of an earlier release has fewer fields; the later ones are None by default.
        for name, value in zip_longest((one.name for one in fields(self)), state):
            object.__setattr__(self, name, value)


class More(TypedDict, total=False):
    """What else ``DecoratorCheckpoint`` may be told: see `checkpoint`."""

    name: str | None
    tags: Mapping[str, object] | Iterable[tuple[str, object]]
    ignore: Iterable[str]
    fingerprints: Fingerprints | None
    pin: str | Iterable[str]
    watch: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | Literal[False]
    expires: str | float | timedelta | None
    mode: Mode | None


def options_of(
    identifier: FuncCallIdentifierBase | None,
    cache: Place | None,
    on_error: str | None,
    *,
    name: str | None = None,
    tags: Mapping[str, object] | Iterable[tuple[str, object]] = (),
    ignore: Iterable[str] = (),
    fingerprints: Fingerprints | None = None,
    pin: str | Iterable[str] = (),
    watch: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | Literal[False] = (),
    expires: str | float | timedelta | None = None,
    mode: Mode | None = None,
) -> Options:
    """The Options that `checkpoint` was told. Raises UsageError for what can't be."""
    if isinstance(ignore, str):
        raise UsageError(f"ignore is the text {ignore!r}; a list of names is needed: ignore=[{ignore!r}]")
    pairs = tags.items() if isinstance(tags, Mapping) else tags
    seconds = expires if expires is None or isinstance(expires, str | float | int) else expires.total_seconds()
    options = Options(
        name=name,
        tags=tuple((tagging.check_tag(key), str(value)) for key, value in pairs),
        store=check_place(cache, "the cache"),
        ignore=frozenset(ignore),
        fingerprints=dict(fingerprints or {}),
        pin=(pin,) if isinstance(pin, str) else tuple(pin),
        watch=False if watch is False else (watch,) if is_path(watch) else tuple(watch),  # type: ignore[arg-type]  # one path, or several
        expires_seconds=None if seconds is None else parse_duration(seconds),
        on_error=None if on_error is None else workspace.check_on_error(on_error, "on_error"),
        mode=None if mode is None else workspace.check_mode(mode, "mode"),
        identifier=check_identifier(identifier, "the identifier"),
    )
    if options.pin:
        from ipycheckpoint.engine.sources import pinned

        pinned(options.pin)  # a package that isn't installed is better named now than at the first call
    _check_together(options)
    return options


def _check_together(options: Options) -> None:
    """What an identifier or a cache of the user's leaves no place for is better said than passed over."""
    identifier, place = options.identifier, options.store
    own_id = identifier is not None and not identifies_as_we_do(identifier)
    own_cache = gives_results_alone(place)
    given = {
        "ignore": own_id and options.ignore,
        "fingerprints": own_id and options.fingerprints,
        "tags": own_id and own_cache and options.tags,
        "pin": own_id and own_cache and options.pin,
        "watch": own_id and own_cache and options.watch,
        "expires": own_cache and options.expires_seconds is not None,
    }
    useless = next((name for name, value in given.items() if value), None)
    if useless == "expires":
        raise UsageError(
            f"expires needs a cache that keeps when a result was made: {type(place).__name__} is given the result alone"
            " (keeps_records = True in its class has it given the bytes of a record)"
        )
    if useless is not None:
        raise UsageError(f"{useless} has no meaning beside {type(identifier).__name__}: its ContextId alone counts")


def is_path(value: object) -> bool:
    """Whether `value` is the path of something."""
    return isinstance(value, str) or hasattr(value, "__fspath__")

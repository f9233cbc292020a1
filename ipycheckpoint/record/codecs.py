"""Which codec writes, and which one reads: those that a user can choose, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

from ipycheckpoint.errors import FormatError, UsageError
from ipycheckpoint.record import codec as pickled
from ipycheckpoint.record import known, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ipycheckpoint.record.codec import Section

Codec = Literal["pickle", "dill", "json"]
"""``pickle``: pickle, and dill for what only it can write. ``dill``: all by dill. ``json``: plain data only."""

CODECS: tuple[Codec, ...] = get_args(Codec)


def check_codec(codec: str) -> Codec:
    """Return `codec` if it is one; UsageError otherwise.

    >>> check_codec("json")
    'json'
    """
    if codec not in CODECS:
        raise UsageError(f"codec is {codec!r}; it must be one of {', '.join(CODECS)}")
    return codec


def encode(values: Mapping[str, object], codec: Codec) -> list[Section]:
    """Write `values` as sections, functions and classes of ``__main__`` by value. Raises CannotKeep.

    A reader that has a class of that name with the same definition takes its own.
    """
    if codec == "json":
        return plain.encode(values)
    with known.at_one_moment():
        return pickled.encode(values, codec=pickled.DILL if codec == "dill" else pickled.PICKLE, recognised=True)


def decode(
    codec: str,
    stream: bytes | memoryview,
    buffers: Sequence[memoryview] = (),
    *,
    resolve: Callable[[tuple[object, ...]], object] | None = None,
    namespace: dict[str, Any] | None = None,
    values: dict[str, object] | None = None,
) -> dict[str, object]:
    """The values of a section that `codec` wrote, as `SectionRef` names it. **Runs what the stream says**.

    Raises FormatError for a codec that isn't known here, and else whatever loading raises; those that
    came before the one that failed are in `values`, if given.
    """
    values = {} if values is None else values
    if codec == plain.JSON:
        values |= plain.decode(stream)
        return values
    if codec in (pickled.PICKLE, pickled.DILL):
        return pickled.decode(stream, buffers, resolve=resolve, namespace=namespace, values=values)
    raise FormatError(f"this section is written in {codec!r}: a newer release of ipycheckpoint can read it")

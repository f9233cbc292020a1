"""Where a savepoint's file lies below its directory: its tags, its prefixes, its name, as a path, and back.

``bar`` of ``TestPkg`` under the tag ``date`` is ``date=2017-01-01/TestPkg/bar.ckpt``. Whatever a file system might not
take, or take for something else, is percent-encoded, so that no name leads anywhere but down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote

from ipycheckpoint.cache.savefile import SUFFIX
from ipycheckpoint.digest import digest_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

# In characters. The name of a file or directory may have 255.
_STEP_LENGTH = 240
_KEY_LENGTH = 96
_VALUE_LENGTH = 150

_CUT = "%-"
# Behind it stands a Digest in place of the rest; and, since no encoding has it, alone it is the empty text.

_DIGEST_LENGTH = 32

_DEVICES = frozenset({"CON", "PRN", "AUX", "NUL", *(f"{port}{i}" for port in ("COM", "LPT") for i in range(10))})
# Windows takes files of these names for its devices.


class Place(NamedTuple):
    """What a path says of the savepoint that lies there."""

    prefixes: tuple[str, ...]
    name: str
    tags: tuple[tuple[str, str], ...]
    is_whole: bool
    """False where something is so long that the path has only its beginning; then the file's header has it whole."""


def place_of(fullname: str, tags: Sequence[tuple[str, str]] = ()) -> str:
    """The relative path of the savepoint `fullname` under `tags`.

    >>> place_of("TestPkg.bar", [("date", "2017-01-01"), ("by", "A/B")])
    'date=2017-01-01/by=A%2FB/TestPkg/bar.ckpt'
    """
    steps = [f"{_encoded(key, _KEY_LENGTH)}={_encoded(value, _VALUE_LENGTH)}" for key, value in tags]
    steps += [_step(part) for part in fullname.split(".")]
    return "/".join(steps) + SUFFIX


def read_place(path: str) -> Place:
    """What a relative path says, by whomever it was made.

    >>> read_place("date=2017-01-01/TestPkg/bar.ckpt")
    Place(prefixes=('TestPkg',), name='bar', tags=(('date', '2017-01-01'),), is_whole=True)
    """
    *folders, last = path.split("/")
    stem, dot, _ = last.rpartition(".")
    name = _decoded(stem if dot else last)
    prefixes = tuple(_decoded(step) for step in folders if "=" not in step)
    pairs = [step.partition("=") for step in folders if "=" in step]
    return Place(prefixes, name, tuple((_decoded(key), _decoded(value)) for key, _, value in pairs), not _is_cut(path))


def _step(part: str) -> str:
    encoded = _encoded(part, _STEP_LENGTH)
    return f"%{ord(encoded[0]):02X}{encoded[1:]}" if encoded.upper() in _DEVICES else encoded


def _encoded(text: str, length: int) -> str:
    if not text:
        return _CUT
    whole = _quoted(text)
    if len(whole) <= length:
        return whole
    # By characters, so that the beginning can be read.
    room = end = length - len(_CUT) - _DIGEST_LENGTH
    while len(head := _quoted(text[:end])) > room:
        end -= 1
    return f"{head}{_CUT}{digest_bytes(whole.encode())[:_DIGEST_LENGTH]}"


def _quoted(text: str) -> str:
    quoted = quote(text, safe="+", errors="surrogatepass")
    # At the front, dots mean something everywhere; at the end, Windows drops them.
    if quoted.startswith("."):
        quoted = f"%2E{quoted[1:]}"
    return f"{quoted[:-1]}%2E" if quoted.endswith(".") else quoted


def _decoded(step: str) -> str:
    if step == _CUT:
        return ""
    try:
        return unquote(step, errors="surrogatepass")
    except UnicodeDecodeError:  # not of our making
        return step


def _is_cut(path: str) -> bool:
    parts = [part for step in path.removesuffix(SUFFIX).split("/") for part in step.split("=")]
    return any(_CUT in part and part != _CUT for part in parts)

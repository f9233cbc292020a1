"""What is inside a value, for people: digests by path, so that a change can be found, and short previews."""

from __future__ import annotations

import datetime as dt
import sys
from collections import deque
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from itertools import islice
from types import BuiltinFunctionType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ipycheckpoint.errors import CheckpointError
from ipycheckpoint.identity.identity import Part
from ipycheckpoint.identity.kinds.plain import ATOMS, TEXTS, is_leaf
from ipycheckpoint.identity.registry import nearest
from ipycheckpoint.identity.values import digest_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_LONG_LIST = 50  # items; of a longer one, the position says little
_SHOWN_ITEMS = 12
_LONG_NUMBER = 4000  # bits; the text of a larger one takes long, and Python may refuse to make it
_WITH_A_REPR = frozenset({complex, Decimal, Fraction, UUID, dt.date, dt.datetime, dt.time, dt.timedelta})
_NAMED = (type, FunctionType, BuiltinFunctionType, MethodType, ModuleType)


def outline(value: object, *, entries: int = 200, depth: int = 3) -> dict[str, Part]:
    """Digests and previews of what is inside `value`, by path: at most `entries` of them, the outermost first.

    Items of dicts and short lists, attributes, columns of frames; nothing for what is one piece, such as an
    array. Parts without an identity are left out.

    >>> sorted(outline({"a": [1, 2], "b": 0}))
    ["['a']", "['a'][0]", "['a'][1]", "['b']"]
    """
    found: dict[str, Part] = {}
    waiting: deque[tuple[str, object, int]] = deque([("", value, 1)])
    while waiting:
        path, holder, level = waiting.popleft()
        for step, part in islice(_inside(holder), entries):
            if len(found) >= entries:
                return found
            try:
                found[path + step] = Part(digest_value(part), preview(part))
            except CheckpointError:
                continue
            if level < depth and not is_leaf(part):
                waiting.append((path + step, part, level + 1))
    return found


def preview(value: object, limit: int = 80) -> str:
    """A line of at most `limit` characters that says what `value` is, the same in every process.

    >>> preview({"a": [1, 2], "b": "text"})
    "{'a': [1, 2], 'b': 'text'}"
    >>> preview(list(range(1000)), limit=30)
    '[0, 1, 2, …] (1,000 items)'
    """
    try:
        line = repr(value) if type(value) in _SHORT else _line(value, limit, 3)
    except Exception:  # noqa: BLE001 - a preview is a courtesy, and runs code of any type
        line = type(value).__name__
    line = " ".join(line.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _inside(value: Any) -> Iterator[tuple[str, object]]:
    """What is one step inside, by the step of the path that leads there."""
    kind = type(value)
    if isinstance(value, dict):
        yield from ((f"[{key!r}]", part) for key, part in value.items() if is_leaf(key))
    elif isinstance(value, list | tuple):
        names = getattr(kind, "_fields", None)
        if names is not None:
            yield from zip((f".{name}" for name in names), value, strict=False)
        elif len(value) <= _LONG_LIST:
            yield from ((f"[{position}]", part) for position, part in enumerate(value))
    elif (columns := nearest(kind.__mro__, _COLUMNS)) is not None:
        yield from columns(value)
    elif not isinstance(value, _NAMED) and not _is_one_piece(kind):
        yield from ((f".{name}", part) for name, part in sorted(_attributes(value).items()))


def _is_one_piece(kind: type) -> bool:
    """Whether the attributes are not what an instance is made of, but how it is kept."""
    library = kind.__module__.partition(".")[0]
    return library in _STANDARD or nearest(kind.__mro__, _LINES) is not None


_STANDARD = sys.stdlib_module_names - {"types", "__main__"}  # `SimpleNamespace` is all attributes


def _attributes(value: object) -> dict[str, object]:
    attributes: dict[str, object] = {}
    for kind in type(value).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            member = vars(kind).get(name)
            if isinstance(member, MemberDescriptorType) and hasattr(value, name):
                attributes[name] = member.__get__(value)
    return attributes | getattr(value, "__dict__", {})


def _pandas_columns(frame: Any) -> Iterator[tuple[str, object]]:
    yield ".index", frame.index
    yield from ((f"[{title!r}]", column) for title, column in frame.items() if is_leaf(title))


_COLUMNS: dict[str, Callable[[Any], Iterable[tuple[str, object]]]] = {
    "pandas.DataFrame": _pandas_columns,
    "polars.dataframe.frame.DataFrame": lambda frame: ((f"[{c.name!r}]", c) for c in frame.get_columns()),
    "pyarrow.lib.Table": lambda table: zip((f"[{n!r}]" for n in table.column_names), table.columns, strict=True),
}


_CONTAINERS = frozenset((dict, list, tuple, set, frozenset))
_SHORT = frozenset((type(None), bool, float))


def _line(value: Any, limit: int, depth: int) -> str:
    kind = type(value)
    if kind in TEXTS:
        return repr(value[: limit + 1])
    if kind is int and value.bit_length() > _LONG_NUMBER:
        return f"int of {value.bit_length():,} bits"
    if kind in ATOMS or kind in _WITH_A_REPR:
        return repr(value)
    if isinstance(value, Enum):
        return f"{kind.__qualname__}.{value._name_}"
    if isinstance(value, ModuleType):
        return f"module {value.__name__}"
    if isinstance(value, type):
        return f"class {value.__qualname__}"
    if isinstance(value, _NAMED):
        return f"function {value.__qualname__}"
    own = None if kind in _CONTAINERS else nearest(kind.__mro__, _LINES)
    if own is not None:
        return own(value)
    if depth == 0:
        return kind.__qualname__
    if isinstance(value, dict):
        pairs = ((_line(key, limit, 0), part) for key, part in value.items())
        shown = _joined((f"{key}: {_line(part, limit, depth - 1)}" for key, part in pairs), len(value), limit)
        return _titled(kind, dict, "{" + shown + "}")
    if isinstance(value, list):
        return _titled(kind, list, f"[{_items(value, limit, depth)}]" + _count(value))
    if isinstance(value, tuple):
        comma = "," if len(value) == 1 else ""
        return _titled(kind, tuple, f"({_items(value, limit, depth)}{comma})" + _count(value))
    if isinstance(value, set | frozenset):
        if len(value) > _SHOWN_ITEMS:
            return f"{kind.__qualname__} of {len(value):,}"
        return f"{kind.__qualname__}({{{', '.join(sorted(_line(part, limit, depth - 1) for part in value))}}})"
    if _is_one_piece(kind):
        return kind.__qualname__
    attributes = _attributes(value)
    names = [name for name in sorted(attributes) if is_leaf(attributes[name])]
    shown = _joined((f"{name}={_line(attributes[name], limit, 0)}" for name in names), len(attributes), limit)
    return f"{kind.__qualname__}({shown})"


def _items(values: Any, limit: int, depth: int) -> str:
    return _joined((_line(part, limit, depth - 1) for part in values), len(values), limit)


def _joined(lines: Iterator[str], count: int, limit: int) -> str:
    """As many of the lines as fit, and a sign that there are more."""
    room = limit - 20
    shown: list[str] = []
    for line in lines:
        room -= len(line) + 2
        if shown and room < 0:
            break
        shown.append(line)
        if len(shown) == _SHOWN_ITEMS:
            break
    return ", ".join(shown) + (", …" if shown else "…") * (len(shown) < count)


def _count(values: Any) -> str:
    return f" ({len(values):,} items)" if len(values) > _SHOWN_ITEMS else ""


def _titled(kind: type, plain: type, line: str) -> str:
    return line if kind is plain else f"{kind.__qualname__}{line}"


def _array(array: Any) -> str:
    names = array.dtype.names
    kind = f"({', '.join(names)})" if names else str(array.dtype)
    return f"{kind}[{_extent(array.shape)}]"


def _extent(shape: Iterable[int]) -> str:
    return ", ".join(str(length) for length in shape)


def _frame(frame: Any) -> str:
    return f"{type(frame).__name__} {frame.shape[0]:,} × {frame.shape[1]:,}"


def _column(column: Any) -> str:
    return f"{type(column).__name__} {column.dtype}[{len(column)}]"


def _arrow(array: Any) -> str:
    return f"{type(array).__name__} {array.type}[{len(array)}]"


_LINES: dict[str, Callable[[Any], str]] = {
    "numpy.ndarray": _array,
    "numpy.generic": lambda value: f"{value.dtype}({value.item()!r})",
    "pandas.DataFrame": _frame,
    "pandas.Series": _column,
    "pandas.Index": _column,
    "pandas.api.extensions.ExtensionArray": _column,
    "pandas.Timestamp": str,
    "pandas.Timedelta": str,
    "pandas.Period": str,
    "polars.dataframe.frame.DataFrame": _frame,
    "polars.series.series.Series": _column,
    "pyarrow.lib.Table": _frame,
    "pyarrow.lib.RecordBatch": lambda b: f"RecordBatch {b.num_rows:,} × {b.num_columns:,}",
    "pyarrow.lib.ChunkedArray": _arrow,
    "pyarrow.lib.Array": _arrow,
    "scipy.sparse._base._spbase": lambda m: f"{type(m).__name__} {m.dtype}[{_extent(m.shape)}], {m.nnz:,} stored",
    "torch.Tensor": lambda tensor: f"{tensor.dtype}[{_extent(tensor.shape)}]",
    "PIL.Image.Image": lambda image: f"image {image.mode} {image.width} × {image.height}",
    "builtins.range": repr,
    "builtins.bytearray": lambda value: f"bytearray of {len(value):,}",
    "pathlib.PurePath": lambda path: f"{type(path).__name__}({str(path)!r})",
    "builtins.BaseException": lambda e: f"{type(e).__qualname__}({_items(e.args, 80, 1)})",
}

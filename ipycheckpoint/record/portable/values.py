"""Values in a form that any release of their library can read: what ``ipycheckpoint rescue`` carries over.

A pickle names whatever its library calls its insides, and those move. Here, arrays and frames are written as calls of
the constructors below, with their content in formats that last; everything else as pickle does it, in protocol 4.
It is written in the environment that saved, so this module runs on any Python since 3.8.
"""

from __future__ import annotations

import importlib.util
import io
import pickle
import sys
import types
from typing import TYPE_CHECKING, Any

from ipycheckpoint.record.remains import Remains, stand_in

if TYPE_CHECKING:
    from collections.abc import Collection

PROTOCOL = 4

_CONSTRUCTORS = {
    "ipycheckpoint.record.portable.values": "",
    "ipycheckpoint.record.portable.arrays": "numpy",
    "ipycheckpoint.record.portable.frames": "pandas",
    "ipycheckpoint.record.portable.tables": "",
}
# The modules whose functions may be called by what is carried over, and the library that they need.


def dumps(value: object) -> bytes:
    """`value` in portable form. Raises whatever its own pickling raises.

    >>> loads(dumps({"a": [1, 2.5, None]}))
    {'a': [1, 2.5, None]}
    """
    file = io.BytesIO()
    _Pickler(file, PROTOCOL).dump(value)
    return file.getvalue()


def loads(data: bytes) -> Any:
    """What `dumps` wrote, objects whose class isn't here as `Remains`. See `revive`."""
    return revive(data)[0]


def revive(data: bytes, *, without: Collection[str] = ()) -> tuple[Any, list[str]]:
    """What `dumps` wrote, and the names of the types of which only `Remains` came: those that aren't here, and
    those of the modules `without`.

    **Runs what `data` says**: only for what was made from bytes that are trusted.

    >>> import decimal
    >>> revive(dumps(decimal.Decimal(1)), without=["decimal"])
    (<Remains of decimal.Decimal: 1 arguments>, ['decimal.Decimal'])
    """
    unpickler = _Unpickler(io.BytesIO(data))
    unpickler.without = frozenset(without)
    unpickler.lost = {}
    return unpickler.load(), list(unpickler.lost)


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        """The call that makes `value` again, for what libraries write in a way that doesn't last."""
        if isinstance(value, type):
            # The streams bring along what notebooks define: it is in no module.
            return (main_class, (value.__qualname__,)) if value.__module__ == "__main__" else NotImplemented
        if isinstance(value, types.FunctionType) and not _is_importable(value):
            version = ".".join(map(str, sys.version_info[:2]))
            raise pickle.PicklingError(
                f"`{value.__qualname__}` is code without its source, and runs on Python {version} only"
            )
        if type(value) is Remains:
            return remains, (value.type_name,), vars(value).copy(), None, None, fill_remains
        family = type(value).__module__.partition(".")[0]
        if family == "numpy":
            from ipycheckpoint.record.portable.arrays import reduce_numpy

            return reduce_numpy(value)
        if family == "pandas":
            from ipycheckpoint.record.portable.frames import reduce_pandas

            return reduce_pandas(value)
        if family in ("polars", "pyarrow", "scipy"):
            from ipycheckpoint.record.portable.tables import reduce_table

            return reduce_table(family, value)
        return NotImplemented


def _is_importable(thing: Any) -> bool:
    found: Any = sys.modules.get(thing.__module__)
    for name in thing.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is thing


class _Unpickler(pickle.Unpickler):
    without: Collection[str] = ()
    lost: dict[str, None]

    def find_class(self, module: str, name: str) -> Any:
        """What a stream calls by name, or a class that makes Remains of it."""
        library = _CONSTRUCTORS.get(module)
        if library is not None:
            if library and importlib.util.find_spec(library) is None:
                return self._remains(f"{library}.{name}")
            of_ours = {main_class.__name__: self._main_class, remains.__name__: self._noted}
            return of_ours.get(name) or super().find_class(module, name)
        if module.partition(".")[0] in self.without:
            return self._remains(f"{module}.{name}")
        try:
            return super().find_class(module, name)
        except (ImportError, AttributeError):
            return self._remains(f"{module}.{name}")

    def _main_class(self, qualname: str) -> Any:
        try:
            return main_class(qualname)
        except AttributeError:
            return self._remains(f"__main__.{qualname}")

    def _noted(self, type_name: str) -> Remains:
        self.lost[type_name] = None
        return remains(type_name)

    def _remains(self, type_name: str) -> Any:
        self.lost[type_name] = None
        return stand_in(type_name)


# Constructors: what a portable form calls.


def main_class(qualname: str) -> Any:
    """The class that ``__main__`` calls `qualname` here: what made it there is no module."""
    from ipycheckpoint.record.rebuild import main_v1

    return main_v1(qualname)


def remains(type_name: str) -> Remains:
    """Remains, empty as yet."""
    return Remains(type_name)


def fill_remains(empty: Remains, parts: dict[str, Any]) -> None:
    """Give Remains what is left."""
    vars(empty).update(parts)

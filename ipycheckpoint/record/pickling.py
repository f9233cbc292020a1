"""The picklers: C for nearly everything, dill for what is left. Both reduce by the same rules."""

from __future__ import annotations

import collections
import functools
import pickle
import sys
import types
import weakref
from typing import TYPE_CHECKING, Any

from ipycheckpoint.record import classes, files, functions
from ipycheckpoint.record.functions import Functions
from ipycheckpoint.record.refusals import Refused, reason_against

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ipycheckpoint.record.arrays import Arrays
    from ipycheckpoint.record.references import References

    Handler = Callable[[Any], Any]

PROTOCOL = 5

_FRAME_MANAGERS = frozenset({
    "pandas.core.internals.managers.BlockManager",
    "pandas.core.internals.managers.SingleBlockManager",
})  # fmt: skip

_TYPE_VARIABLES = frozenset({"TypeVar", "ParamSpec", "TypeVarTuple"})


class Reducer:
    """The rules of one stream: which values are reduced by us, and how. By exact type, found once for each."""

    def __init__(self, references: References, arrays: Arrays) -> None:
        self.references = references
        self.arrays = arrays
        self._functions = Functions(references)
        self._handlers: dict[type, Handler | None] = {}

    def reduce(self, value: Any) -> Any:
        """As `pickle.Pickler.reducer_override`. Raises Refused for what is never written."""
        kind = type(value)
        try:
            handler = self._handlers[kind]
        except KeyError:
            handler = self._handlers[kind] = self._handler(kind)
        return NotImplemented if handler is None else handler(value)

    def _handler(self, kind: type) -> Handler | None:
        if issubclass(kind, type):
            return lambda cls: classes.reduce_class(cls, self.references)
        if (handler := self._handlers_of_functions().get(kind)) is not None:
            return handler
        if hasattr(kind, "__reduce_by_value__"):
            return self._reduce_decorated
        if kind in classes.SENTINELS:
            return classes.reduce_sentinel
        if kind.__module__ == "typing" and kind.__name__ in _TYPE_VARIABLES:
            return lambda variable: functions.reduce_type_variable(variable, self.references)
        if kind in files.KINDS:
            return files.reduce_file
        if (reason := reason_against(kind)) is not None:
            return functools.partial(_refuse, reason)
        if issubclass(kind, collections.Counter) and kind.__reduce__ is collections.Counter.__reduce__:
            return _reduce_counter
        return self._handler_of_arrays(kind)

    def _reduce_decorated(self, decorated: Any) -> Any:
        # One of our own: it knows how, but not whether the reader will find it by its name.
        named = self.references.by_name(decorated)
        return decorated.__reduce_by_value__() if named is None else named

    def _handlers_of_functions(self) -> Mapping[type, Handler]:
        return {
            types.FunctionType: self._functions.reduce_function,
            types.MethodType: self._functions.reduce_method,
            types.CellType: self._functions.reduce_cell,
            types.CodeType: functions.reduce_code,
            types.ModuleType: functions.reduce_module,
            property: functions.reduce_property,
            staticmethod: functions.reduce_wrapping,
            classmethod: functions.reduce_wrapping,
            functools.cached_property: functions.reduce_cached_property,
            functools._lru_cache_wrapper: lambda cached: functions.reduce_lru_cache(cached, self.references),
            types.MappingProxyType: functions.reduce_proxy,
            weakref.WeakKeyDictionary: functions.reduce_weak_mapping,
            weakref.WeakValueDictionary: functions.reduce_weak_mapping,
        }

    def _handler_of_arrays(self, kind: type) -> Handler | None:
        if (numpy := sys.modules.get("numpy")) is not None and kind is numpy.ndarray:
            return self.arrays.reduce_array
        torch = sys.modules.get("torch")
        if torch is not None and kind in (torch.Tensor, torch.nn.Parameter):
            return functools.partial(self.arrays.reduce_tensor, is_parameter=kind is torch.nn.Parameter)
        if f"{kind.__module__}.{kind.__qualname__}" in _FRAME_MANAGERS:
            return self._pass_manager
        return None

    def _pass_manager(self, manager: Any) -> Any:
        self.arrays.keep_apart(manager)
        return NotImplemented


def _reduce_counter(counter: Any) -> Any:
    # Its own way leaves its attributes out.
    return type(counter), (dict(counter),), vars(counter) or None


def _refuse(reason: str, value: Any) -> Any:  # noqa: ARG001 - a handler is given the value
    raise Refused(reason)


class LiveInside(Exception):  # noqa: N818 - it says what is so, and is no error
    """A live object is part of what is written."""


_WRITTEN_UNASKED = frozenset({
    *(type(None), bool, int, float, str, bytes, bytearray, pickle.PickleBuffer),
    *(list, tuple, dict, set, frozenset),
})  # fmt: skip


def are_noticed(values: Iterable[object]) -> bool:
    """Whether a pickler asks its `reducer_override` about every one of `values` that it comes by."""
    return _WRITTEN_UNASKED.isdisjoint(map(type, values))


def noticing(links: Mapping[int, object], reduce: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """As `reduce`, for a ``reducer_override`` that raises LiveInside for those whose ids are in `links`."""

    def reduce_or_notice(value: Any) -> Any:
        if id(value) in links:
            raise LiveInside
        return reduce(value)

    return reduce_or_notice


class _Linking:
    """Writes the path of a live object in its place, but for the value that is being written itself."""

    links: Mapping[int, tuple[object, ...]]
    root: int | None = None

    def persistent_id(self, value: object) -> tuple[object, ...] | None:
        """The path of `value`, if it is one of those that are there already."""
        if id(value) == self.root:
            self.root = None
            return None
        return self.links.get(id(value))


class _Pickler(pickle.Pickler):
    # Where there are no links, no `persistent_id` either: it costs a call for each object.
    pass


class _LinkingPickler(_Linking, pickle.Pickler):
    pass


def new_pickler(
    file: Any,
    reducer: Reducer,
    buffers: Callable[[pickle.PickleBuffer], None],
    links: Mapping[int, tuple[object, ...]] | None,
    *,
    dill: bool,
) -> Any:
    """A pickler into `file` that hands large `buffers` over instead of writing them."""
    if dill:
        pickler: Any = _dill_pickler()(file, PROTOCOL, buffer_callback=buffers, recurse=True, byref=False)
    else:
        pickler = (_LinkingPickler if links else _Pickler)(file, PROTOCOL, buffer_callback=buffers)
    if links:
        pickler.links = links
    pickler.reducer_override = reducer.reduce
    return pickler


@functools.cache
def _dill_pickler() -> type:
    import dill

    dill.extend(False)  # importing it has changed pickle's own tables: put them back

    class DillPickler(_Linking, dill.Pickler):  # type: ignore[misc] # dill has no types
        dispatch = dill.Pickler.dispatch.copy()

    # Its own way with a dict compares it, value by value, with the namespace of __main__.
    DillPickler.dispatch[dict] = pickle._Pickler.dispatch[dict]
    DillPickler.links = {}
    return DillPickler

"""Give a live object the state of another, in place, so that everyone who holds it sees the change."""

from __future__ import annotations

import sys
from collections import deque
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from ipycheckpoint.record.sharing import is_atom

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement


def transplant(live: Any, state: Any) -> bool:
    """Make `live` what `state` is, keeping its identity; False (and `live` untouched) where that can't be.

    >>> names = same = ["a"]
    >>> transplant(names, ["a", "b"]), same
    (True, ['a', 'b'])
    """
    if _is_already(live, state):
        return True
    if not can_transplant(live, state):
        return False
    if isinstance(live, list | bytearray):
        live[:] = state
    elif isinstance(live, dict | set):
        live.clear()
        live.update(state)
    elif isinstance(live, deque):
        live.clear()
        live.extend(state)
    elif _is_array(live):
        if live.shape != state.shape:
            _reshape(live, state.shape)
        live[...] = state
        return True
    elif isinstance(live, BaseException):
        live.args = state.args
        vars(live).clear()
        vars(live).update(vars(state))
        return True
    elif _is_generator(live):
        live.bit_generator.state = state.bit_generator.state
        return True
    elif _is_tensor(live):
        live.data = state.data
        return True
    return _transplant_attributes(live, state)


def _reshape(array: Any, shape: tuple[int, ...]) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it is the user who has done it, and we repeat it
        array.shape = shape


def _is_already(live: Any, state: Any) -> bool:
    """Whether `live` has changed only by what changed inside, so that nothing is to be done to itself."""
    if type(live) is not type(state):
        return False
    if isinstance(live, MethodType | BuiltinFunctionType):
        return live.__self__ is state.__self__ and live == state
    if type(live) is tuple:
        return len(live) == len(state) and all(map(_is_as_good_as, live, state))
    return False


def _is_as_good_as(one: object, other: object) -> bool:
    return _is_already(one, other) if type(one) is tuple else one is other or (is_atom(one) and one == other)


def can_transplant(live: Any, state: Any) -> bool:
    """Whether `transplant` would do it. Touches nothing.

    >>> can_transplant([1], [2, 3]), can_transplant([1], {2, 3})
    (True, False)
    """
    if type(live) is not type(state) or not transplantable(live):
        return False
    if isinstance(live, deque):
        return bool(live.maxlen == state.maxlen)
    if _is_generator(live):
        return type(live.bit_generator) is type(state.bit_generator)
    if _is_array(live):
        is_as_large = live.shape == state.shape or (live.size == state.size and live.flags.c_contiguous)
        return bool(is_as_large and live.dtype == state.dtype)
    return True


def transplantable(value: object) -> bool:
    """Whether `transplant` can give `value` another state.

    >>> transplantable([1]), transplantable((1,))
    (True, False)
    """
    if isinstance(value, type | FunctionType | ModuleType):
        return False
    if isinstance(value, list | bytearray | dict | set | deque):
        return True
    if _is_array(value):
        return bool(getattr(value, "flags").writeable)  # noqa: B009 - known to be an array, not to mypy
    if isinstance(value, BaseException):
        return _is_its_arguments(type(value))
    if hasattr(type(value), "__setstate__") and not _is_generator(value):
        return _has_all_in_its_state(value)
    return hasattr(value, "__dict__") or any(slots_of(type(value))) or _is_generator(value)


def _is_its_arguments(cls: type[BaseException]) -> bool:
    # Others, such as OSError, hold more than that, and their constructors alone can set it.
    built_in = next(base for base in cls.__mro__ if not base.__flags__ & _HEAP_TYPE)
    return built_in.__basicsize__ == BaseException.__basicsize__


def _has_all_in_its_state(value: Any) -> bool:
    # What is made of arguments, and has no state besides, can't be made another one by its `__setstate__`.
    try:
        reduced = value.__reduce_ex__(4)
    except Exception:  # noqa: BLE001 - a `__reduce__` may raise anything
        return False
    return isinstance(reduced, tuple) and len(reduced) > 2 and reduced[2] is not None


def _is_array(value: object) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def _is_generator(value: object) -> bool:
    random = sys.modules.get("numpy.random")
    return random is not None and isinstance(value, random.Generator)


def _is_tensor(value: object) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _transplant_attributes(live: Any, state: Any) -> bool:
    setstate = getattr(type(live), "__setstate__", None)
    if setstate is not None:
        content = state.__reduce_ex__(4)[2]
        # pandas 2 caches columns in a dict that its own __setstate__ leaves alone.
        getattr(live, "__dict__", {}).get("_item_cache", {}).clear()
        setstate(live, content)
        return True
    attributes = getattr(live, "__dict__", None)
    if attributes is not None:
        fresh = dict(vars(state))
        attributes.clear()
        attributes.update(fresh)
    for name in slots_of(type(live)):
        if hasattr(state, name):
            object.__setattr__(live, name, getattr(state, name))
        elif hasattr(live, name):
            object.__delattr__(live, name)
    return True


def slots_of(cls: type) -> Iterator[str]:
    """The names of all attributes that live in slots, private ones as they are at run time."""
    for base in cls.__mro__:
        slots = base.__dict__.get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else slots:
            if slot not in ("__dict__", "__weakref__"):
                private = slot.startswith("__") and not slot.endswith("__")
                yield f"_{base.__name__.lstrip('_')}{slot}" if private else slot

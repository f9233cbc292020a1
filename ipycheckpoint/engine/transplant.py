"""Give a live object the state of another, in place, so that everyone who holds it sees the change."""

from __future__ import annotations

import sys
from collections import deque
from typing import Any


def transplant(live: Any, state: Any) -> bool:
    """Make `live` what `state` is, keeping its identity; False (and `live` untouched) where that can't be.

    >>> names = ["a"]; same = names
    >>> transplant(names, ["a", "b"]), same
    (True, ['a', 'b'])
    """
    if type(live) is not type(state) or isinstance(live, type):
        return False
    if isinstance(live, list | bytearray):
        live[:] = state
    elif isinstance(live, dict | set):
        live.clear()
        live.update(state)
    elif isinstance(live, deque):
        if live.maxlen != state.maxlen:
            return False
        live.clear()
        live.extend(state)
    elif _is_array(live):
        return _transplant_array(live, state)
    elif _is_tensor(live):
        live.data = state.data
        return True
    elif not transplantable(live):
        return False
    return _transplant_attributes(live, state)


def transplantable(value: object) -> bool:
    """Whether `transplant` can give `value` another state.

    >>> transplantable([1]), transplantable((1,))
    (True, False)
    """
    if isinstance(value, type):
        return False
    if isinstance(value, list | bytearray | dict | set | deque):
        return True
    if _is_array(value):
        return bool(getattr(value, "flags").writeable)  # noqa: B009 - known to be an array, not to mypy
    return hasattr(value, "__dict__") or hasattr(type(value), "__setstate__")


def _is_array(value: object) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def _is_tensor(value: object) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _transplant_array(live: Any, state: Any) -> bool:
    if live.shape != state.shape or live.dtype != state.dtype or not live.flags.writeable:
        return False
    live[...] = state
    return True


def _transplant_attributes(live: Any, state: Any) -> bool:
    setstate = getattr(type(live), "__setstate__", None)
    if setstate is not None:
        getstate = getattr(type(state), "__getstate__", None)
        content = getstate(state) if getstate is not None else state.__dict__
        # pandas 2 caches columns in a dict that its own __setstate__ leaves alone.
        getattr(live, "__dict__", {}).get("_item_cache", {}).clear()
        setstate(live, content)
        return True
    attributes = getattr(live, "__dict__", None)
    if attributes is not None:
        fresh = dict(vars(state))
        attributes.clear()
        attributes.update(fresh)
    for cls in type(live).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else slots:
            if slot in ("__dict__", "__weakref__"):
                continue
            name = f"_{cls.__name__.lstrip('_')}{slot}" if slot.startswith("__") and not slot.endswith("__") else slot
            if hasattr(state, name):
                object.__setattr__(live, name, getattr(state, name))
            elif hasattr(live, name):
                object.__delattr__(live, name)
    return True

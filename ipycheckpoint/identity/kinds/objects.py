"""Everything else: the state that an object pickles, taken apart one level deep.

An object is its class, what its constructor is given, its attributes by name, and its items. What a type
leaves out of its pickled state can't be seen here, neither by us nor by pickle: an extension type that
pickles to less than what it is needs a fingerprint of its own.
"""

from __future__ import annotations

import copyreg
import pickle
import sys
import warnings
from collections import Counter
from types import FunctionType
from typing import TYPE_CHECKING, Any

from ipycheckpoint.identity.kinds.plain import key_labels
from ipycheckpoint.identity.registry import builtin_registry, qualified, shapes_of
from ipycheckpoint.identity.shapes import Refusal, Shape, text

if TYPE_CHECKING:
    from collections.abc import Callable

_REFUSALS = (TypeError, pickle.PicklingError, NotImplementedError)


def by_reduction(value: Any) -> Shape | Refusal:
    """The Shape of any object, from ``__reduce_ex__``; from dill where pickle can't."""
    if isinstance(value, type | FunctionType):
        return _by_name(value)
    try:
        # Some libraries register exceptions, to pickle them with their tracebacks, which are no part of what they say.
        registered = None if isinstance(value, BaseException) else copyreg.dispatch_table.get(type(value))
        # Protocol 4 is the highest that puts no buffers aside.
        reduced = registered(value) if registered is not None else value.__reduce_ex__(4)
    except _REFUSALS as error:
        return _by_dill(value, error)
    if isinstance(reduced, str):
        module = getattr(value, "__module__", None) or type(value).__module__
        return Shape("global", (text(module), text(reduced)))
    if len(reduced) == 2 and isinstance(value, Counter):
        reduced = (*reduced, vars(value) or None)  # it leaves its attributes out
    return _taken_apart(value, *reduced)


builtin_registry.fallback(by_reduction)
shapes_of("io.StringIO", "io.BytesIO")(by_reduction)  # the one kind of file whose content is all its own


def _taken_apart(
    value: Any, constructor: Any, args: Any, state: Any = None, items: Any = None, pairs: Any = None, setter: Any = None
) -> Shape:
    args = tuple(args)
    if constructor is copyreg.__newobj__ and args:  # type: ignore[attr-defined] # pickle itself tells them by it
        constructor, *args = args
        how = "new"
    else:
        how = "call"
    attributes = _attributes(value, state)
    listed = list(items) if items is not None else []
    mapped = dict(pairs) if pairs is not None else {}
    given = (constructor, *args, *attributes.values(), setter)
    layout = (how, len(args), list(attributes), len(listed), len(mapped))

    def label(index: int) -> str:
        if index == 0:
            return ".__class__" if how == "new" else ".__reduce__()"
        if index <= len(args):
            return f".<argument {index - 1}>"
        if index < len(given) - 1:
            return f".{list(attributes)[index - 1 - len(args)]}"
        index -= len(given)
        return f"[{index}]" if index < len(listed) else key_labels(mapped)(index - len(listed))

    return Shape("object", (text(layout),), [*given, *listed, *mapped, *mapped.values()], label)


def _attributes(value: Any, state: Any) -> dict[str, object]:
    """The state by the names of attributes, sorted: in which order they were set does not count."""
    if state is None:
        return {}
    if not hasattr(type(value), "__setstate__"):
        merged = state
        if isinstance(state, tuple) and len(state) == 2:  # what is in `__dict__`, and what is in `__slots__`
            merged = {**(state[0] or {}), **(state[1] or {})}
        if isinstance(merged, dict) and all(type(name) is str for name in merged):
            return {name: merged[name] for name in sorted(merged)}
    return {"<state>": state}


def _by_name(value: type | FunctionType) -> Shape | Refusal:
    """A class or a function before anything better is known of it: by its name, if that leads back to it."""
    found: Any = sys.modules.get(value.__module__)
    for step in value.__qualname__.split("."):
        found = getattr(found, step, None)
    if found is not value and not isinstance(value, type):
        return Refusal("its name does not lead to it")
    return Shape("global", (text(value.__module__), text(value.__qualname__)))


def _by_dill(value: object, error: Exception) -> Shape | Refusal:
    dumps = _dill_dumps()
    if dumps is None:
        return Refusal(f"{error}; register a fingerprint for its type")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = dumps(value)
    except Exception:  # noqa: BLE001 - dill runs the code of many, which may raise anything
        return Refusal(f"{error}; register a fingerprint for its type")
    return Shape("dill", (text(qualified(type(value))), content))


def _dill_dumps() -> Callable[[object], bytes] | None:
    new = "dill" not in sys.modules
    try:
        import dill
    except ImportError:
        return None
    if new:
        dill.extend(use_dill=False)  # importing it has changed the tables of pickle itself
    return lambda value: bytes(dill.dumps(value, protocol=4))

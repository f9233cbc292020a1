"""Values to bytes: pickle protocol 5 with out-of-band buffers, in sections. The way back is `unpickling`.

Outputs that share objects or memory make one section, so that after loading they share them again. All
others have a section each, and can be loaded alone.

A stream is several pickles one after the other with a common memo: the names, then the value of each.
"""

from __future__ import annotations

import gc
import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ipycheckpoint.errors import CannotKeep
from ipycheckpoint.record.apart import is_apart
from ipycheckpoint.record.arrays import Arrays, Reach, ReachedAgain, Span, reaches_of, span_at, spans_of
from ipycheckpoint.record.once import reached_once
from ipycheckpoint.record.pickling import LiveInside, Reducer, are_noticed, new_pickler, noticing
from ipycheckpoint.record.references import References
from ipycheckpoint.record.refusals import Refused, culprit
from ipycheckpoint.record.sharing import groups, has_identity
from ipycheckpoint.record.unpickling import Stream, decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = ["DILL", "PICKLE", "Section", "decode", "encode", "type_name"]

PICKLE, DILL = "pickle5", "dill"

_UNWRITABLE = (TypeError, pickle.PicklingError, AttributeError, ValueError, NotImplementedError)
# What the C pickler, or a `__reduce__`, raises over a value that another pickler may take.


@dataclass(frozen=True, slots=True)
class Section:
    """One stream with the values of `names`, and its out-of-band buffers in order."""

    names: tuple[str, ...]
    stream: bytes
    buffers: tuple[memoryview, ...]
    """Flat views of the live values' own memory, to be written before these change."""
    codec: str = PICKLE


@dataclass(frozen=True, slots=True)
class _Rules:
    links: Mapping[int, tuple[object, ...]] | None
    by_value: Callable[[object], bool] | None
    namespace: Mapping[str, object] | None
    live: Sequence[Reach] = ()
    codec: str = PICKLE
    recognised: bool = False
    is_noticed: bool = False
    """Whether the pickler asks about each of the `links` that it comes by."""


@dataclass(frozen=True, slots=True)
class _Draft:
    section: Section
    arrays: Arrays
    pickler: Any
    references: References
    held: Mapping[int, object] | None = None
    """By id, the parts that others may hold as well, where these are known without a memo."""

    def memo(self) -> dict[Any, tuple[int, object]]:
        """By id, a number and an object: whatever another draft may have in it, too."""
        if self.held is None:
            memo: dict[Any, tuple[int, object]] = self.pickler.memo.copy()
            return memo
        return {key: (0, part) for key, part in self.held.items()}


def encode(
    values: Mapping[str, object],
    *,
    links: Mapping[int, tuple[object, ...]] | None = None,
    by_value: Callable[[object], bool] | None = None,
    namespace: Mapping[str, object] | None = None,
    live: Iterable[object] = (),
    codec: str = PICKLE,
    recognised: bool = False,
) -> list[Section]:
    """Write `values` as sections, in the order of their first names. No value is changed by it.

    `links` gives the path, by id, of each object that is there already and only referred to: `decode`
    asks for it again. It isn't applied to the values themselves, only inside them. `live` are those objects: a
    view of an array among them stays one. `by_value` says which
    functions and classes of ``__main__`` the reader will not find there (all, when it is None);
    `namespace` is where these live, if not in ``__main__``. With the `codec` DILL, dill writes all of it, and not
    only what nothing else can write. With `recognised`, a class that goes by value gives way to the reader's own one
    of that name, if that has the same definition.

    Raises CannotKeep with the name of the value and the path to the part that can't be written.

    >>> [section.names for section in encode({"a": [1], "b": [2]})]
    [('a',), ('b',)]
    >>> shared = [1]
    >>> [section.names for section in encode({"a": shared, "b": {"key": shared}})]
    [('a', 'b')]
    """
    live = list(live)
    is_noticed = links is not None and are_noticed(live) and links.keys() <= set(map(id, live))
    rules = _Rules(links, by_value, namespace, reaches_of(live), codec, recognised, is_noticed)
    drafts = [_write({name: value}, rules) for name, value in values.items()]
    spans = spans_of(reach for draft in drafts for reach in draft.arrays.reached)
    touched = [{span for reach in draft.arrays.reached if (span := span_at(spans, reach))} for draft in drafts]
    names = list(values)
    sections = []
    for group in _groups(drafts, touched):
        shared = sorted(set().union(*(touched[index] for index in group)), key=lambda span: span.low)
        if len(group) == 1 and not shared:
            sections.append(drafts[group[0]].section)
        else:
            together = {names[index]: values[names[index]] for index in group}
            sections.append(_write(together, rules, shared).section)
    return sections


def _groups(drafts: Sequence[_Draft], touched: Sequence[set[Span]]) -> list[list[int]]:
    if len(drafts) < 2:
        return [[index] for index in range(len(drafts))]
    collecting = gc.isenabled()
    gc.disable()  # a memo may have millions of entries: each copy would set off collection after collection
    try:
        memos = [draft.memo() for draft in drafts]  # objects of the same id are one, as all drafts hold on to theirs
    finally:
        if collecting:
            gc.enable()
    for memo, spans in zip(memos, touched, strict=True):
        memo.update({span.key: (0, span) for span in spans})
    felt: dict[int, bool] = {}

    def counts(entry: tuple[int, object]) -> bool:
        # Thousands of arrays have the same few types and functions in common: each is asked about once.
        value = entry[1]
        if id(value) not in felt:
            felt[id(value)] = any(has_identity(value, draft.references) for draft in drafts)
        return felt[id(value)]

    return groups(memos, counts)


def _write(values: Mapping[str, object], rules: _Rules, spans: Sequence[Span] = ()) -> _Draft:
    try:
        return _draft(values, rules, spans, rules.codec)
    except _UNWRITABLE as problem:
        first = problem.with_traceback(None)  # one of its frames is this one, which would hold it in a cycle
    except Exception as problem:  # a Refused, or whatever a `__reduce__` raises
        raise _explain(values, rules, problem) from problem
    try:
        return _draft(values, rules, spans, DILL)
    except Exception:  # noqa: BLE001 - whatever dill ran into, the first problem is the one to tell of
        raise _explain(values, rules, first) from first


def _draft(values: Mapping[str, object], rules: _Rules, spans: Sequence[Span], codec: str) -> _Draft:
    links = rules.links
    if len(values) == 1 and codec != DILL and (held := _held_alone(values, links)) is not None:
        return _stream(values, rules, spans, codec, None, held)
    if links and rules.is_noticed and codec != DILL and links.keys().isdisjoint(map(id, values.values())):
        try:
            return _stream(values, rules, spans, codec, None)
        except LiveInside:
            pass  # then each object is asked about, which takes twenty times as long
    elif links and all(is_apart(value, links) for value in values.values()):
        links = None
    return _stream(values, rules, spans, codec, links)


def _held_alone(
    values: Mapping[str, object], links: Mapping[int, tuple[object, ...]] | None
) -> Mapping[int, object] | None:
    """What others may hold of a value in which nothing is reached twice, nor live; None for any other."""
    [value] = values.values()
    held = reached_once(value)
    if held is None or not links:
        return held
    return held if links.keys() & held.keys() <= {id(value)} else None


def _stream(
    values: Mapping[str, object],
    rules: _Rules,
    spans: Sequence[Span],
    codec: str,
    links: Mapping[int, tuple[object, ...]] | None,
    held: Mapping[int, object] | None = None,
    *,
    remembers_all: bool = False,
) -> _Draft:
    """Write with `links`; without them, raise LiveInside where the pickler notices one.

    With `held`, nothing in the value is reached twice: it is written without a memo.
    """
    references = References(rules.by_value, rules.namespace, recognised=rules.recognised)
    arrays = Arrays(spans, rules.live)
    buffers: list[pickle.PickleBuffer] = []
    file = Stream()
    reducer = Reducer(references, arrays)
    pickler = new_pickler(file, reducer, buffers.append, links, dill=codec == DILL)
    if links is None and rules.links and rules.is_noticed:
        pickler.reducer_override = noticing(rules.links, reducer.reduce)
    pickler.dump(tuple(values))
    pickler.fast = held is not None
    arrays.pickler = pickler if codec != DILL and not remembers_all else None
    try:
        for value in values.values():
            pickler.root = id(value)
            if rules.links and id(value) in rules.links:
                # The state of something live: its content is what counts, not whose memory it is.
                arrays.set_apart(value)
            pickler.dump(value)
    except ReachedAgain:
        return _stream(values, rules, spans, codec, links, remembers_all=True)
    finally:
        arrays.pickler = None  # it holds on to the arrays, and to all that it has written
    views = tuple(buffer.raw() for buffer in buffers)
    return _Draft(Section(tuple(values), file.getvalue(), views, codec), arrays, pickler, references, held)


def _explain(values: Mapping[str, object], rules: _Rules, problem: Exception) -> CannotKeep:
    def attempt(value: object) -> Exception | None:
        problem: Exception | None = None
        for codec in (PICKLE, DILL):
            try:
                _draft({"": value}, rules, (), codec)
            except Refused as refused:
                return refused.with_traceback(None)  # its frames would hold it, and the values, in a cycle
            except Exception as found:  # noqa: BLE001 - a `__reduce__` may raise anything
                problem = problem or found.with_traceback(None)
            else:
                return None
        return problem

    for name, value in values.items():
        if attempt(value) is not None:
            path, part, found = culprit(name, value, attempt)
            reason = f"it is {found.reason}" if isinstance(found, Refused) else _words(found)
            if path != name:
                reason = f"`{path}` ({type_name(part)}): {reason}"
            return CannotKeep(name, type_name(value), reason)
    name, value = next(iter(values.items()))
    return CannotKeep(name, type_name(value), _words(problem))


def _words(problem: Exception) -> str:
    if isinstance(problem, RecursionError):
        return "it is nested too deeply to be written"
    return str(problem) or type(problem).__name__


def type_name(value: object) -> str:
    """The type of `value` with its module, which those of ``builtins`` and ``__main__`` don't need.

    >>> import fractions
    >>> type_name(1), type_name(fractions.Fraction(1, 2))
    ('int', 'fractions.Fraction')
    """
    kind = type(value)
    return (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )

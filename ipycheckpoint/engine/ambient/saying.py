"""What the code of a run says: in so many words, and by the full names of what it reaches."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from ipycheckpoint.identity.closure import Named, is_users_function, references, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FunctionType

    from ipycheckpoint.identity.names import CellForm
    from ipycheckpoint.identity.work import Work

_SEEDING = re.compile(r"(seed\w*|set_?state|set_rng_state)\s*\(")


class Code:
    """The code of a cell and of its helpers.

    >>> code = Code("np.random.seed(0)  # environ", frozenset({"numpy.random.seed"}))
    >>> code.seeds, "environ" in code.words, code.reaches("numpy.random.seed")
    (True, False, True)
    """

    def __init__(self, text: str, names: frozenset[str]) -> None:
        self._text = re.sub(r"#.*", "", text)
        self._names = names

    @classmethod
    def of(cls, form: CellForm, work: Work, namespace: Mapping[str, object]) -> Code:
        """That of a cell with `form`, in `namespace`."""
        texts = [ingredient.source for ingredient in work.identity.ingredients if ingredient.source is not None]
        return cls("\n".join(texts), frozenset(_names(form, namespace)))

    @cached_property
    def words(self) -> frozenset[str]:
        """All names in it, and the words in its strings; not those in its comments."""
        return frozenset(re.findall(r"\w+", self._text))

    @property
    def seeds(self) -> bool:
        """Whether it calls something that looks as if it set the state of a random generator."""
        return _SEEDING.search(self._text) is not None

    def says(self, pattern: str) -> bool:
        """Whether a regular expression is found in its text."""
        return re.search(pattern, self._text) is not None

    def reaches(self, *names: str) -> bool:
        """Whether it reaches one of the things with these full names, whatever it calls them."""
        return not self._names.isdisjoint(names)


def _names(form: CellForm, namespace: Mapping[str, object]) -> Iterator[str]:
    yield from (".".join((reference.name, *reference.attributes)) for reference in form.modules)
    deferred = (reference for held in form.deferred.values() for reference in held)
    place = id(namespace)
    pending = [item.value for read in (*form.reads, *deferred) for item in resolve(read, namespace, place)]
    seen: dict[int, FunctionType] = {}
    while pending:
        value = pending.pop()
        if isinstance(value, Named):
            yield value.name
        elif is_users_function(value) and id(value) not in seen:
            seen[id(value)] = value
            pending += [item.value for item in references(value)]

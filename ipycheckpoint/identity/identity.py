"""The Identity of one run: its Ingredients in order. Its Digest is the Key."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple, NewType

from ipycheckpoint.digest import Digest, Hasher

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Key = NewType("Key", str)
"""The Digest of an Identity: 64 hexadecimal characters."""

Kind = Literal["cell", "call", "savepoint"]

IngredientKind = Literal[
    "code",
    "function",
    "class",
    "module",
    "global",
    "argument",
    "input",
    "tag",
    "file",
    "package",
    "ambient",
    "savepoint",
    "context",
    "option",
]

SCHEME = "1"
"""The version of everything that makes a Key. A change of it makes every earlier result a miss."""


class Part(NamedTuple):
    """A place inside an Ingredient, such as a column or the item of a dict: for the explanation only."""

    digest: Digest
    preview: str


@dataclass(frozen=True, slots=True)
class Ingredient:
    """One thing that the result depends on.

    Only `kind` and `digest` make the Key: a renamed global with the same value is the same Ingredient.

    >>> import tempfile
    >>> from ipycheckpoint import checkpoint
    >>> @checkpoint(store=tempfile.mkdtemp())
    ... def double(x):
    ...     return 2 * x
    >>> [(each.kind, each.name, each.preview) for each in double.identity(1).ingredients][1:]
    [('argument', 'x', '1')]
    """

    kind: IngredientKind
    name: str
    digest: Digest
    preview: str = ""
    source: str | None = None
    """The text of a function, class or cell."""
    parts: Mapping[str, Part] = field(default_factory=dict)
    """Digests of what is inside, by path (``['age']``, ``.weights``), as far as that is worth keeping."""

    def bare(self) -> Ingredient:
        """The same without its source text, which many records have in common."""
        return Ingredient(self.kind, self.name, self.digest, self.preview, None, self.parts)


@dataclass(frozen=True)
class Identity:
    """What one run is: two Identities that are equal by Key give the same result.

    >>> import tempfile
    >>> from ipycheckpoint import checkpoint
    >>> @checkpoint(store=tempfile.mkdtemp())
    ... def double(x):
    ...     return 2 * x
    >>> double.identity(1).key == double.identity(x=1).key
    True
    """

    kind: Kind
    label: str
    """What the user calls it. Not in the Key."""
    ingredients: tuple[Ingredient, ...]

    @cached_property
    def key(self) -> Key:
        """The Digest of the Ingredients in order."""
        return Key(hasher_of(self.kind, self.ingredients).hexdigest())

    @classmethod
    def of_key(cls, kind: Kind, label: str, ingredients: tuple[Ingredient, ...], key: Key) -> Identity:
        """The Identity whose Key is known already."""
        identity = cls(kind, label, ingredients)
        vars(identity)["key"] = key
        return identity


def hasher_of(kind: Kind, ingredients: Iterable[Ingredient]) -> Hasher:
    """What makes the Key of these Ingredients, and of any that are fed to it after them."""
    hasher = Hasher("identity").field(SCHEME.encode()).field(kind.encode())
    return fed(hasher, ingredients)


def fed(hasher: Hasher, ingredients: Iterable[Ingredient]) -> Hasher:
    """What makes the Key of those that were fed to `hasher` before, and of `ingredients`."""
    for ingredient in ingredients:
        hasher.field(ingredient.kind.encode()).field(bytes.fromhex(ingredient.digest))
    return hasher

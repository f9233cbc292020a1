"""Work: a piece of repeatable work as it is found now, that is, its Identity and the live values behind it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from types import FunctionType
from typing import TYPE_CHECKING

from ipycheckpoint.digest import Digest, Hasher, digest
from ipycheckpoint.errors import Unidentifiable
from ipycheckpoint.identity import classes, code  # noqa: F401 - importing `classes` registers its Shapes
from ipycheckpoint.identity.closure import (
    Named,
    Wiring,
    is_users_class,
    is_users_function,
    references,
)
from ipycheckpoint.identity.identity import Identity, Ingredient, IngredientKind, Kind
from ipycheckpoint.identity.outline import outline, preview
from ipycheckpoint.identity.values import digest_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ipycheckpoint.identity.closure import Reached

    Fingerprints = Mapping[str | type, Callable[[object], object]]


@dataclass(frozen=True, slots=True)
class Work:
    """An Identity, and the live value behind each Ingredient that has one."""

    identity: Identity
    values: Mapping[int, object]
    """By the position of the Ingredient. The same Key means the same positions, whatever the names."""
    fingerprints: Fingerprints

    def described(self) -> Work:
        """The same with previews and outlines: worth their price only when the run is to be kept."""
        described = list(self.identity.ingredients)
        for position, value in self.values.items():
            ingredient = described[position]
            described[position] = replace(ingredient, preview=preview(value), parts=outline(value))
        return replace(self, identity=replace(self.identity, ingredients=tuple(described)))

    def changed(self) -> list[int]:
        """The positions whose values are not any more what they were: the run changed them in place."""
        return [position for position in self.values if self._digest_now(position) != self._ingredient(position).digest]

    def _ingredient(self, position: int) -> Ingredient:
        return self.identity.ingredients[position]

    def _digest_now(self, position: int) -> Digest | None:
        name = self._ingredient(position).name
        try:
            return digest_value(self.values[position], name, fingerprints=self.fingerprints)
        except Unidentifiable:
            return None  # it had an identity before the run, so it isn't what it was


class Collector:
    """Turns code and what it reaches into Ingredients, breadth first, each thing once.

    Data is known by its place, so that it doesn't matter whether two equal numbers are one object;
    functions and classes are known by what they are, so that recursion ends.
    """

    def __init__(self, *, ignore: Iterable[str] = (), fingerprints: Fingerprints | None = None) -> None:
        self._ignore = frozenset(ignore)
        self._fingerprints = fingerprints or {}
        self._ingredients: list[Ingredient] = []
        self._values: dict[int, object] = {}
        self._ordinals: dict[object, int] = {}
        self._queue: deque[tuple[str, object, IngredientKind]] = deque()
        self._alive: list[object] = []
        self.roots: set[tuple[int, str]] = set()
        """Every global that was looked for: the identity of its namespace, and its name."""

    def add(self, ingredient: Ingredient) -> None:
        """Add an Ingredient that stands for itself: a tag, a file, a package."""
        self._ingredients.append(ingredient)

    def add_value(self, kind: IngredientKind, name: str, value: object) -> None:
        """Add a live value; Unidentifiable if it has no stable identity."""
        if name in self._ignore:
            return
        value_digest = digest_value(value, name, fingerprints=self._fingerprints)
        self._values[len(self._ingredients)] = value
        self._ingredients.append(Ingredient(kind, name, value_digest))

    def add_code(
        self,
        name: str,
        form_digest: Digest,
        source: str | None,
        reached: Iterable[Reached],
        data_kind: IngredientKind = "global",
    ) -> None:
        """Add the code of a run, and everything that it reaches."""
        position = len(self._ingredients)
        self._ingredients.append(Ingredient("code", name, form_digest))
        wiring = self._wire(reached, data_kind)
        self._ingredients[position] = Ingredient(
            "code", name, digest("code", bytes.fromhex(form_digest), *wiring.fields), source=source
        )
        self._drain()

    def _wire(self, reached: Iterable[Reached], data_kind: IngredientKind) -> Wiring:
        wiring = Wiring()
        for item in reached:
            self.roots.add((item.place[0], item.path.partition(".")[0]))
            if self._ignore and not self._ignore.isdisjoint((item.path, item.path.partition(".")[0])):
                wiring.ignored()
            elif isinstance(item.value, Named):
                wiring.name(item.value)
            else:
                identified_by_itself = is_users_function(item.value) or is_users_class(item.value)
                place = id(item.value) if identified_by_itself else item.place
                ordinal = self._ordinals.get(place)
                if ordinal is None:
                    ordinal = self._ordinals[place] = len(self._ordinals)
                    self._alive.append(item.value)
                    self._queue.append((item.path, item.value, data_kind))
                wiring.value(ordinal)
        return wiring

    def _drain(self) -> None:
        while self._queue:
            path, value, data_kind = self._queue.popleft()
            if is_users_function(value):
                self._add_function(path, value)  # type: ignore[arg-type]  # is_users_function says so
            elif is_users_class(value):
                self._ingredients.append(Ingredient("class", path, digest_value(value, path)))
            else:
                self.add_value(data_kind, path, value)

    def _add_function(self, path: str, function: FunctionType) -> None:
        form = code.of_function(function)
        wiring = self._wire(references(function, form), "global")
        hasher = Hasher("function").field(bytes.fromhex(form.digest))
        for default in (function.__defaults__, function.__kwdefaults__):
            hasher.field(bytes.fromhex(digest_value(default, f"{path}.<defaults>")))
        for field in wiring.fields:
            hasher.field(field)
        self._ingredients.append(Ingredient("function", path, hasher.hexdigest(), source=form.source))

    def work(self, kind: Kind, label: str) -> Work:
        """All that was collected, as the Work called `label`."""
        return Work(Identity(kind, label, tuple(self._ingredients)), self._values, self._fingerprints)


def tag_ingredients(tags: Sequence[tuple[str, str]]) -> list[Ingredient]:
    """An Ingredient for each tag."""
    return [Ingredient("tag", key, digest("tag", key.encode(), value.encode()), value) for key, value in tags]

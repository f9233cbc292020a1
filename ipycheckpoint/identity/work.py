"""Work: a piece of repeatable work as it is found now, that is, its Identity and the live values behind it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from ipycheckpoint.digest import Digest, Hasher, digest
from ipycheckpoint.errors import Unidentifiable
from ipycheckpoint.identity import code
from ipycheckpoint.identity.closure import Named, Wiring, ignoring, is_users_class, is_users_function, references
from ipycheckpoint.identity.identity import Identity, Ingredient, IngredientKind, Kind
from ipycheckpoint.identity.kinds.plain import is_leaf
from ipycheckpoint.identity.values import digest_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import FunctionType

    from ipycheckpoint.identity.closure import Reached
    from ipycheckpoint.identity.sighting import Sighting

    Fingerprints = Mapping[str | type, Callable[[Any], object]]

IGNORED = digest("ignored")
"""Stands for the value of an argument that doesn't count."""


class Digester:
    """Digests live values as the user wants them seen: `fingerprints` stand for some, by name or by type.

    A key without a dot is the name of an argument or global, one with a dot the full name of a class.
    """

    def __init__(self, fingerprints: Fingerprints | None = None, ignore: Iterable[str] = ()) -> None:
        self.ignored = frozenset(ignore)
        """Names of arguments and globals that don't count."""
        self._by_name: dict[str, Callable[[Any], object]] = {}
        self._by_type: dict[str | type, Callable[[Any], object]] = {}
        for key, function in (fingerprints or {}).items():
            if isinstance(key, str) and "." not in key:
                self._by_name[key] = function
            else:
                self._by_type[key] = function

    def digest(self, name: str, value: object) -> Digest:
        """The Digest of `value`, called `name`; Unidentifiable, with the path, if it has none."""
        function = self._by_name.get(name)
        if function is None:
            if not self.ignored:
                return digest_value(value, name, fingerprints=self._by_type)
            with ignoring(self.ignored):
                return digest_value(value, name, fingerprints=self._by_type)
        try:
            simpler = function(value)
        except Exception as error:
            reason = f"its fingerprint function raised {type(error).__name__}: {error}"
            raise Unidentifiable(name, type(value).__qualname__, reason) from error
        # With the function: what another one makes of another value may be equal by chance.
        return digest("fingerprint", *(bytes.fromhex(digest_value(part, name)) for part in (function, simpler)))

    def sees_inside(self, name: str) -> bool:
        """Whether the value called `name` counts by what is inside it, so that an outline of it tells something."""
        return name not in self._by_name


class Work(NamedTuple):
    """An Identity, and the live value behind each Ingredient that has one."""

    identity: Identity
    values: Mapping[int, object]
    """By the position of the Ingredient. The same Key means the same positions, whatever the names."""
    digester: Digester
    code: tuple[object, ...] = ()
    """The functions and classes of the user's that the code reaches, and the function itself."""

    def described(self) -> Work:
        """The same with previews and outlines: worth their price only when the run is to be kept."""
        from ipycheckpoint.identity.outline import outline, preview  # a hit shows nothing of its values

        described = list(self.identity.ingredients)
        for position, value in self.values.items():
            one = described[position]
            parts = outline(value) if not is_leaf(value) and self.digester.sees_inside(one.name) else {}
            described[position] = Ingredient(one.kind, one.name, one.digest, preview(value), one.source, parts)
        was, key = self.identity, self.identity.key  # previews and outlines are not in it
        return Work(Identity.of_key(was.kind, was.label, tuple(described), key), self.values, self.digester, self.code)

    def changed(self) -> list[int]:
        """The positions whose values are not any more what they were: the run changed them in place."""
        return [
            position
            for position, value in self.values.items()
            if not is_leaf(value) and self._digest_now(position) != self._ingredient(position).digest
        ]

    def _ingredient(self, position: int) -> Ingredient:
        return self.identity.ingredients[position]

    def _digest_now(self, position: int) -> Digest | None:
        try:
            return self.digester.digest(self._ingredient(position).name, self.values[position])
        except Unidentifiable:
            return None  # it had an identity before the run, so it isn't what it was


def ignored(kind: IngredientKind, name: str) -> Ingredient:
    """What stands for a value that doesn't count."""
    return Ingredient(kind, name, IGNORED, "ignored")


class Collector:
    """Turns code and what it reaches into Ingredients, breadth first, each thing once.

    Data is known by its place, so that it doesn't matter whether two equal numbers are one object;
    functions and classes are known by what they are, so that recursion ends.
    """

    def __init__(
        self,
        *,
        ignore: Iterable[str] = (),
        fingerprints: Fingerprints | None = None,
        sighting: Sighting | None = None,
        known: Work | None = None,
    ) -> None:
        """What was collected earlier, and is still so, may be `known`."""
        self._digester = Digester(fingerprints, ignore)
        self._sighting = sighting
        self._digests: dict[object, Digest] = {}
        self._ingredients: list[Ingredient] = [] if known is None else list(known.identity.ingredients)
        self._values: dict[int, object] = {} if known is None else dict(known.values)
        self._ordinals: dict[object, int] = {}
        self._queue: deque[tuple[str, object, IngredientKind, object]] = deque()
        self._alive: list[object] = []
        self._code: list[object] = [] if known is None else list(known.code)
        self.roots: set[tuple[int, str]] = set()
        """Every global that was looked for: the identity of its namespace, and its name."""

    def add(self, ingredient: Ingredient) -> None:
        """Add an Ingredient that stands for itself: a tag, a file, a package."""
        self._ingredients.append(ingredient)

    def add_value(self, kind: IngredientKind, name: str, value: object) -> None:
        """Add a live value; Unidentifiable if it has no stable identity."""
        if name in self._digester.ignored:
            # Its place is kept: without it, ignoring one argument would look like ignoring another.
            self._ingredients.append(ignored(kind, name))
            return
        value_digest = self._digester.digest(name, value)
        self._values[len(self._ingredients)] = value
        self._ingredients.append(Ingredient(kind, name, value_digest))

    def add_code(
        self,
        name: str,
        form_digest: Digest,
        source: str | None,
        reached: Iterable[Reached],
        data_kind: IngredientKind = "global",
        function: object = None,
    ) -> None:
        """Add the code of a run, that of `function` if it is one, and everything that it reaches."""
        if function is not None:
            self._code.append(function)
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
            if item.is_called_one_of(self._digester.ignored):
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
                    self._queue.append((item.path, item.value, data_kind, place))
                wiring.value(ordinal)
                if is_users_function(item.value):
                    wiring.seen(item.value, item.use)
        return wiring

    def _drain(self) -> None:
        while self._queue:
            path, value, data_kind, place = self._queue.popleft()
            if is_users_function(value):
                self._code.append(value)
                self._add_function(path, value)
            elif is_users_class(value):
                self._code.append(value)
                found = self._digester.digest(path, value)
                self._ingredients.append(Ingredient("class", path, found))
                if self._sighting is not None:
                    self._sighting.cls(value, path, found)
            else:
                self.add_value(data_kind, path, value)
                self._digests[place] = self._ingredients[-1].digest

    def _add_function(self, path: str, function: FunctionType) -> None:
        form = code.of_function(function)
        wiring = self._wire(references(function, form, self._sighting), "global")
        hasher = Hasher("function").field(bytes.fromhex(form.digest))
        for default in (function.__defaults__, function.__kwdefaults__):
            hasher.field(bytes.fromhex(self._digester.digest(f"{path}.<defaults>", default)))
        for field in wiring.fields:
            hasher.field(field)
        self._ingredients.append(Ingredient("function", path, hasher.hexdigest(), source=form.source))

    def settle(self) -> bool:
        """What was reached so far is all that the code reaches; whether the sighting can be asked from now on."""
        return self._sighting is not None and self._sighting.settle(self._digests, self._digester.digest)

    def work(self, kind: Kind, label: str) -> Work:
        """All that was collected, as the Work called `label`."""
        identity = Identity(kind, label, tuple(self._ingredients))
        return Work(identity, dict(self._values), self._digester, tuple(self._code))


def tag_ingredients(tags: Sequence[tuple[str, str]]) -> list[Ingredient]:
    """An Ingredient for each tag."""
    return [Ingredient("tag", key, digest("tag", key.encode(), value.encode()), value) for key, value in tags]

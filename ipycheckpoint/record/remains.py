"""What is left of an object whose class can't be had here: the name of the class, and what the object held."""

from __future__ import annotations

from typing import Any


class Remains:
    """In the place of an object of the class `type_name`: its attributes are there, its methods are not.

    >>> remains = Remains("shop.Order", ("A1",), {"price": 3})
    >>> remains.price, remains.arguments
    (3, ('A1',))
    >>> remains
    <Remains of shop.Order: price>
    """

    def __init__(self, type_name: str, arguments: tuple[Any, ...] = (), attributes: Any = None) -> None:
        self.type_name = type_name
        self.arguments = arguments
        """What its class would be called with."""
        self.attributes: dict[str, Any] = dict(attributes or {})
        self.state: Any = None
        """What its class would set its state from, where that is no dict of attributes."""
        self.items: list[Any] = []
        """What it held as a list, or as pairs of keys and values."""

    def __getattr__(self, name: str) -> Any:
        attributes = self.__dict__.get("attributes", {})
        if name in attributes and not name.startswith("__"):
            return attributes[name]
        raise AttributeError(f"there is no {name!r} in {self!r}")

    def __repr__(self) -> str:
        held = ", ".join(self.__dict__.get("attributes", {})) or f"{len(self.__dict__.get('arguments', ()))} arguments"
        return f"<Remains of {self.__dict__.get('type_name', '?')}: {held:.200}>"

    def __reduce__(self) -> Any:
        from ipycheckpoint.record.rebuild import fill_remains_v1, remains_v1

        return remains_v1, (self.type_name,), vars(self).copy(), None, None, fill_remains_v1

    # What an unpickler does to an object, in the place of its class.

    def __setstate__(self, state: Any) -> None:
        slots = state[1] if isinstance(state, tuple) and len(state) == 2 else None
        if slots is not None and isinstance(slots, dict) and isinstance(state[0], (dict, type(None))):
            self.attributes.update(state[0] or {}, **slots)
        elif isinstance(state, dict) and all(isinstance(name, str) for name in state):
            self.attributes.update(state)
        else:
            self.state = state

    def append(self, item: Any) -> None:
        """An item of a list."""
        self.items.append(item)

    def extend(self, items: Any) -> None:
        """Items of a list."""
        self.items.extend(items)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items.append((key, value))


def stand_in(type_name: str) -> Any:
    """A class that makes Remains of `type_name`, whatever it is made with.

    >>> stand_in("shop.Order")("A1")
    <Remains of shop.Order: 1 arguments>
    """

    def new(cls: type, *arguments: Any, **named: Any) -> Remains:  # noqa: ARG001 - as `__new__` is called
        return Remains(type_name, arguments, named)

    return type(type_name.rpartition(".")[2], (), {"__new__": new})

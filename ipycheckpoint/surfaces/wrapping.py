"""Methods of the shell and its streams, wrapped for the time of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def wrap(owner: Any, name: str, wrapper: Callable[..., Any]) -> Callable[[], None]:
    """Call `wrapper` in place of a method, with that method and its arguments. Returns what undoes this."""
    original = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return wrapper(original, *args, **kwargs)

    return replace(owner, name, wrapped)


def replace(owner: Any, name: str, function: Callable[..., Any]) -> Callable[[], None]:
    """Put `function` in the place of a method. Returns what undoes this."""
    original = getattr(owner, name)
    own = name in getattr(owner, "__dict__", {})
    # Its name and signature are those of the method; the rest of `wraps` costs more than a small cell may.
    function.__name__ = getattr(original, "__name__", name)
    function.__wrapped__ = original  # type: ignore[attr-defined]  # a function may have any
    try:
        setattr(owner, name, function)
    except AttributeError:  # a stream made in C, without attributes of its own
        return lambda: None

    def undo() -> None:
        if vars(owner).get(name) is function:
            if own:
                setattr(owner, name, original)
            else:
                delattr(owner, name)

    return undo


def undo_all(undo: list[Callable[[], None]]) -> None:
    """Undo the latest first."""
    while undo:
        undo.pop()()

"""What an identifier of the user's is asked about: a call, or a cell, before it runs."""

from __future__ import annotations

import inspect
from functools import cached_property
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from ipycheckpoint.identity.calls import bind, identify_call, unfold
from ipycheckpoint.identity.closure import unwrap
from ipycheckpoint.identity.source import source_of
from ipycheckpoint.identity.work import tag_ingredients

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import FrameType

    from ipycheckpoint.identity.names import CellForm
    from ipycheckpoint.identity.work import Fingerprints, Work


class FuncCallContext:
    """One call of `func`, with the frame where it was defined, if anybody asks for what is around it.

    >>> def scale(x, by=2):
    ...     return x * by
    >>> context = FuncCallContext(scale, (5,), {})
    >>> context.name, context.arguments
    ('scale', {'x': 5, 'by': 2})
    """

    def __init__(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        def_frame: FrameType | None = None,
        *,
        tags: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.tags = tags
        """The tags in force, outermost first."""
        self._call = unfold(func, tuple(args), kwargs)
        self._frame = def_frame

    @property
    def arguments(self) -> dict[str, Any]:
        """Every parameter with the value that it has in this call, defaults too. TypeError if they don't fit."""
        return dict(bind(self._call))

    @property
    def full_name(self) -> str:
        """Module and qualified name."""
        return f"{self.module}.{self.qualified_name}"

    @property
    def module(self) -> str:
        """The module where it is defined."""
        return self._attribute("__module__")

    @property
    def name(self) -> str:
        """Its name."""
        return self._attribute("__name__")

    @property
    def qualified_name(self) -> str:
        """Its name with those of the classes and functions around it."""
        return self._attribute("__qualname__")

    @cached_property
    def code(self) -> str:
        """The text of the code that will run, with comments and decorators. OSError where there is none."""
        function = self._call.function
        text = source_of(function) if isinstance(function, FunctionType) else None
        return inspect.getsource(function) if text is None else text + "\n"

    def get_nonlocal_variable(self, varname: str) -> Any:
        """The value that `varname` has around the function: where it was defined, or globally. None if it has none."""
        function = self._call.function
        if self._frame is not None and varname in self._frame.f_locals:
            return self._frame.f_locals[varname]
        free = getattr(getattr(function, "__code__", None), "co_freevars", ())
        for name, cell in zip(free, getattr(function, "__closure__", None) or (), strict=False):
            if name == varname:
                try:
                    return cell.cell_contents
                except ValueError:  # not bound yet
                    return None
        return getattr(function, "__globals__", {}).get(varname)

    def work(self, *, ignore: Iterable[str] = (), fingerprints: Fingerprints | None = None) -> Work:
        """What we ourselves would take this for. Raises Unidentifiable with the path."""
        extra = tag_ingredients(self.tags)
        return identify_call(self._call, self.full_name, ignore=ignore, fingerprints=fingerprints, extra=extra)

    def _attribute(self, name: str) -> str:
        function = self._call.function
        return str(getattr(function, name, None) or getattr(type(function), name))


class CellContext(FuncCallContext):
    """A cell that is about to run, told of as a call: its label is its name, its inputs are its arguments."""

    def __init__(
        self,
        form: CellForm,
        source: str,
        namespace: Mapping[str, Any],
        label: str,
        identify: Callable[[], Work],
        *,
        tags: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.tags = tags
        self._form, self._source, self._namespace, self._label = form, source, namespace, label
        self._identify = identify

    @property
    def arguments(self) -> dict[str, Any]:
        """The data that it reads before it binds it, by name."""
        names = dict.fromkeys(reference.name for reference in self._form.reads)
        found = {name: self._namespace[name] for name in names if name in self._namespace}
        return {name: value for name, value in found.items() if not _is_code(value)}

    @property
    def module(self) -> str:
        """The module that the notebook is: ``__main__``."""
        return str(self._namespace.get("__name__", "__main__"))

    @property
    def name(self) -> str:
        """Its label."""
        return self._label

    @property
    def qualified_name(self) -> str:
        """Its label."""
        return self._label

    @property
    def code(self) -> str:
        """The text of the cell, without the magic."""
        return self._source

    def get_nonlocal_variable(self, varname: str) -> Any:
        """The value of a variable of the notebook; None if there is none."""
        return self._namespace.get(varname)

    def work(self, *, ignore: Iterable[str] = (), fingerprints: Fingerprints | None = None) -> Work:  # noqa: ARG002 - a cell's options say what doesn't count
        """What we ourselves would take this for. Raises Unidentifiable with the path."""
        return self._identify()


def _is_code(value: object) -> bool:
    return isinstance(unwrap(value), type | FunctionType | BuiltinFunctionType | ModuleType)

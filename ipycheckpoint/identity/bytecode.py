"""The canonical form of a code object, for code whose source is gone: from ``exec``, a pickle, an edited file.

It is read off the instructions, so it holds for one minor version of Python only, which is a part of it. As in a tree,
locals are slots, and lines, columns, file and docstring are left out.
"""

from __future__ import annotations

import dis
import inspect
import itertools
import re
import sys
from types import CodeType
from typing import TYPE_CHECKING, NamedTuple

from ipycheckpoint.identity.canonical import Canonical
from ipycheckpoint.identity.scopes import NOTEBOOK, READS_FRAMES, READS_NAMES
from ipycheckpoint.identity.slots import Reference, is_transparent
from ipycheckpoint.identity.tokens import constant, frame, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HAS_DOCSTRING = 0x4000000  # a flag of 3.13
_ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD"}
_READS_GLOBALS = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
_WRITES_GLOBALS = {"STORE_GLOBAL", "DELETE_GLOBAL"}
_READS_CELLS = {"LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"}
_PLACES_OF_CLASSES = {"__qualname__", "__firstlineno__"}
_COMPREHENSION = re.compile(r"<(list|set|dict)comp>\Z|<genexpr>\Z|<lambda>\Z")


def form_of_code(code: CodeType) -> Canonical:
    """The canonical form of `code` and all code inside it, on this minor version of Python."""
    writer = _Writer(code)
    writer.write(code, {name: frame(b"F", str(n).encode()) for n, name in enumerate(code.co_freevars)}, is_root=True)
    version = "python {}.{}".format(*sys.version_info)
    return Canonical(
        text(version) + b"".join(writer.out),
        tuple(writer.references),
        tuple(writer.writes),
        tuple(writer.modules),
        writer.dynamic,
    )


def _nested(code: CodeType) -> list[CodeType]:
    found = [code]
    for current in found:
        found.extend(const for const in current.co_consts if isinstance(const, CodeType))
    return found


class _Place(NamedTuple):
    """One code object, as far as its instructions need it."""

    code: CodeType
    own: Mapping[str, bytes]
    """The slots of its variables."""
    stored: set[str]
    """Names that its body binds, if it is that of a class."""
    numbers: Mapping[int, int]
    """The number of the instruction at each offset."""
    instructions: Sequence[dis.Instruction]

    def chain(self, position: int) -> tuple[str, ...]:
        """The attributes that are read right after the instruction at `position`."""
        attributes = []
        for instruction in itertools.islice(self.instructions, position + 1, None):
            if instruction.opname not in _ATTRIBUTES:
                break
            attributes.append(instruction.argval)
        return tuple(attributes)


class _Writer:
    def __init__(self, root: CodeType) -> None:
        codes = _nested(root)
        self.free = set(root.co_freevars)
        everything = [instruction for code in codes for instruction in dis.get_instructions(code)]
        self.dynamic = any(map(_is_reflective, everything))
        self.written = {i.argval for i in everything if i.opname in _WRITES_GLOBALS}
        self.out: list[bytes] = []
        self.globals: dict[str, int] = {}
        self.count = 0
        self.references: dict[Reference, None] = {}
        self.modules: dict[Reference, None] = {}
        self.writes: dict[str, None] = {}

    def write(self, code: CodeType, cells: Mapping[str, bytes], *, is_root: bool = False) -> None:
        """Write `code`, whose free variables are the slots in `cells`."""
        flags = code.co_flags & ~_HAS_DOCSTRING
        counts = (flags, code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
        self.out.append(constant((*counts, code.co_exceptiontable)))
        if not is_root:
            self.out.append(text(code.co_name))
        own = dict(cells)
        instructions = [i for i in dis.get_instructions(code) if i.opname != "EXTENDED_ARG"]
        numbers = _numbers(code, instructions)
        parameters = code.co_varnames[: _parameter_count(code)]
        shown = is_root or _COMPREHENSION.match(code.co_name)
        for name in (*parameters, *code.co_varnames, *code.co_cellvars):
            if name not in own:
                own[name] = frame(b"L", f"{self.count}{':' + name if self.dynamic else ''}".encode())
                self.count += 1
        if not shown or (code.co_name == "<lambda>" and len(parameters) > 1 and not is_root):
            self.out.append(constant(parameters))
        stored = {i.argval for i in instructions if i.opname in {"STORE_NAME", "DELETE_NAME"}}
        place = _Place(code, own, stored, numbers, instructions)
        for position, instruction in enumerate(instructions):
            self.out.append(text(instruction.opname))
            following = instructions[position + 1 : position + 2]
            if following and following[0].opname == "STORE_NAME" and following[0].argval in _PLACES_OF_CLASSES:
                continue  # the class body notes where it stands
            if instruction.arg is not None:
                self._argument(position, instruction.arg, place)

    def _argument(self, position: int, number: int, place: _Place) -> None:
        instruction = place.instructions[position]
        name, kind, value = instruction.opname, instruction.opcode, instruction.argval
        if kind in dis.hasconst:
            # By number, since 3.11 doesn't look up the names of keywords.
            value = place.code.co_consts[number]
            if isinstance(value, CodeType):
                self.out.append(frame(b"{", b""))
                self.write(value, {free: place.own[free] for free in value.co_freevars})
            else:
                self.out.append(constant(value))
        elif kind in dis.hasfree or kind in dis.haslocal or (isinstance(value, tuple) and "_FAST" in name):
            for local in value if isinstance(value, tuple) else (value,):
                self.out.append(place.own[local])
                if local in self.free and place.own[local][:1] == b"F":
                    chain = place.chain(position) if name in _READS_CELLS else ()
                    self.references.setdefault(Reference(local, chain, free=True))
        elif kind in dis.hasjrel or kind in dis.hasjabs:
            self.out.append(constant(place.numbers[value]))
        elif kind in dis.hasname:
            self._name(position, place)
        elif kind in dis.hascompare:
            self.out.append(text(instruction.argrepr))
        else:
            self.out.append(constant(number))

    def _name(self, position: int, place: _Place) -> None:
        instruction = place.instructions[position]
        name, does = instruction.argval, instruction.opname
        # The lowest bit of the argument tells how a call is prepared; only the text form tells it apart from the name.
        self.out.append(constant(instruction.argrepr != name))
        if does in _WRITES_GLOBALS:
            self.writes.setdefault(name)
        if does == "IMPORT_NAME":
            self._import(name, place.instructions[max(0, position - 2) : position])
        if does in _READS_GLOBALS and not is_transparent(name):
            self.references.setdefault(Reference(name, place.chain(position)))
            if name not in place.stored and name not in self.written and not self.dynamic:
                slot = self.globals.setdefault(name, len(self.globals))
                self.out.append(frame(b"G", str(slot).encode()))
                return
        self.out.append(text(name))

    def _import(self, module: str, before: Sequence[dis.Instruction]) -> None:
        values = [instruction.argval for instruction in before]
        level, names = values if len(values) == 2 and isinstance(values[0], int) else (0, None)
        for name in names or ("",):
            attributes = (name,) if name not in {"", "*"} else ()
            self.modules.setdefault(Reference("." * level + module, attributes))


def _is_reflective(instruction: dis.Instruction) -> bool:
    if instruction.opname == "IMPORT_NAME":
        return bool(instruction.argval == NOTEBOOK)
    readers = READS_FRAMES if instruction.opname in _ATTRIBUTES else READS_NAMES
    return instruction.opcode in dis.hasname and instruction.argval in readers


def _parameter_count(code: CodeType) -> int:
    starred = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return code.co_argcount + code.co_kwonlyargcount + starred


def _numbers(code: CodeType, instructions: Sequence[dis.Instruction]) -> Mapping[int, int]:
    """The number of the instruction at or after each offset that a jump may aim at."""
    found: dict[int, int] = {}
    number = len(instructions)
    for offset in range(len(code.co_code), -1, -2):
        if number and instructions[number - 1].offset >= offset:
            number -= 1
        found[offset] = number
    return found

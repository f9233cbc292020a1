"""A Record that was opened: all that it says of itself at once, its values one by one when they are asked for."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ipycheckpoint.digest import digest_bytes
from ipycheckpoint.errors import CheckpointError, IntegrityError, Untrusted
from ipycheckpoint.identity.explain import clock
from ipycheckpoint.record import known
from ipycheckpoint.record.codec import Section
from ipycheckpoint.record.codecs import decode
from ipycheckpoint.record.environment import Environment
from ipycheckpoint.record.failure import LoadFailure
from ipycheckpoint.record.format import text_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipycheckpoint.digest import Digest
    from ipycheckpoint.identity.identity import Ingredient
    from ipycheckpoint.record.format import Stored
    from ipycheckpoint.record.record import Header, Output
    from ipycheckpoint.record.trust import Keyring

Reading = Callable[[int], tuple[memoryview, Sequence[memoryview]]]
"""The stream and the buffers of a section, by its number, once their Digests agree. Each section is asked for once,
since what is loaded lives on its memory."""

_LOADED = ("result", "bound", "changed", "shown", "data")
"""The roles of outputs that are values; an `ambient` one is the process's, and the others hold none."""


class Record:
    """What is kept in a file or under a Key. Its header shows whoever wrote it; its values load if we trust them.

    ``record["x"]`` reads, verifies and loads what `x` needs and nothing else, each time anew.

    Attributes:
        header: All that is known without unpickling anything.
        location: The path or URL of the file, or the Key.

    >>> import tempfile
    >>> from ipycheckpoint import read, save
    >>> path = tempfile.mkdtemp() + "/run.ckpt"
    >>> save(path, x=[1, 2], y="text")
    >>> record = read(path)
    >>> record.names(), record["y"], record.is_trusted
    (['x', 'y'], 'text', True)
    """

    def __init__(
        self,
        stored: Stored,
        *,
        location: str,
        keyring: Keyring,
        reading: Callable[[], Reading],
        blob: Callable[[Digest], memoryview | None] = lambda _: None,
        to_trust: str = "",
    ) -> None:
        """`reading` begins a Reading of what is private to it; `blob` finds the Blobs that are texts.

        `to_trust` says in words how the user can make it a trusted one.
        """
        self.header: Header = stored.header
        self.location = location
        self._stored = stored
        self._keyring = keyring
        self._reading = reading
        self._blob = blob
        self._to_trust = to_trust

    def names(self) -> list[str]:
        """The names of the values, in the order in which they were saved."""
        return list(self._outputs)

    @cached_property
    def _outputs(self) -> dict[str, Output]:
        return {o.name: o for o in self.header.outputs if o.section is not None and o.role in _LOADED}

    @cached_property
    def is_trusted(self) -> bool:
        """Whether the user, or someone whose secret is accepted, has signed it."""
        return self._keyring.verify(self._stored.signed, self._stored.signature)

    @property
    def signer(self) -> str:
        """Who says that they have signed it, as a short name of their secret; empty where nobody does."""
        return "" if self._stored.signature is None else self._stored.signature.signer

    @property
    def format_version(self) -> int:
        """The version of the format that it was written in."""
        return self._stored.version

    @property
    def tags(self) -> tuple[tuple[str, str], ...]:
        """The tags that were in force, outermost first."""
        return self.header.tags

    @cached_property
    def environment(self) -> Environment | None:
        """The Environment that saved it; None where that is lost or altered."""
        try:
            text = self._text(self.header.environment)
            return None if text is None else Environment.from_json(text_bytes(text))
        except CheckpointError:
            return None

    @cached_property
    def ingredients(self) -> tuple[Ingredient, ...]:
        """What it depends on, with source texts as far as they are there and unaltered."""
        ingredients = list(self.header.ingredients)
        for position, text in self.header.texts:
            if position < len(ingredients):
                ingredients[position] = replace(ingredients[position], source=self._text_or_none(text))
        return tuple(ingredients)

    @property
    def code(self) -> str | None:
        """The source of the code that made it; None where no code was kept."""
        sources = [i.source for i in self.ingredients if i.kind == "code" and i.source is not None]
        return sources[0] if sources else None

    def _text_or_none(self, wanted: Digest) -> str | None:
        try:
            return self._text(wanted)
        except CheckpointError:
            return None

    def _text(self, wanted: Digest) -> str | None:
        text = self._stored.text(wanted)
        if text is None and (found := self._blob(wanted)) is not None:
            actual = digest_bytes(found)
            if actual != wanted:
                raise IntegrityError("a text", wanted, actual)
            text = bytes(found).decode("utf-8", "surrogatepass")
        return text

    def __getitem__(self, name: str) -> Any:
        """The value `name`, loaded anew; a LoadFailure where that fails.

        Raises:
            KeyError: there is none of that name; names that are near are in the message.
            Untrusted: nobody we trust has signed it.
        """
        return self.load(name)[name]

    def load(self, *names: str) -> dict[str, Any]:
        """The values of `names`, or all of them, with a LoadFailure for each that fails.

        Values that shared objects when they were saved share them again. Raises as ``record[name]`` does.
        """
        wanted: dict[int, list[Output]] = {}
        for output in self._trusted(names or self.names()):
            wanted.setdefault(_place(output), []).append(output)
        reading = self._reading()
        values: dict[str, Any] = {}
        with known.at_one_moment():
            for index, outputs in wanted.items():
                values |= self._load_section(reading, index, outputs)
        return {name: values[name] for name in names or self._outputs}

    def section_of(self, name: str) -> Section:
        """The bytes that `name` is loaded from, once the signature and their Digests agree. Loads nothing.

        Raises as ``record[name]`` does, and FormatError or IntegrityError where the bytes are not what was saved.
        """
        [output] = self._trusted([name])
        index = _place(output)
        stream, buffers = self._reading()(index)
        names = tuple(output.name for output in self._outputs.values() if output.section == index)
        return Section(names, bytes(stream), tuple(buffers), self.header.sections[index].codec)

    def _trusted(self, names: Sequence[str]) -> list[Output]:
        """The outputs of `names`, which may be loaded."""
        for name in names:
            if name not in self._outputs:
                near = get_close_matches(name, self._outputs, n=3)
                told = f"did you mean {_listed(near)}?" if near else f"it has {_listed(self.names()) or 'none'}"
                raise KeyError(f"{self.location} has no value `{name}`: {told}")
        if not self.is_trusted:
            raise Untrusted(f"{distrust(self.location, self._stored)}{self._to_trust}")
        return [self._outputs[name] for name in names]

    def _load_section(self, reading: Reading, index: int, outputs: Sequence[Output]) -> dict[str, object]:
        raw: memoryview | bytes = b""
        values: dict[str, object] = {}
        try:
            raw, buffers = reading(index)
            decode(self.header.sections[index].codec, raw, buffers, values=values)
            return {output.name: values[output.name] for output in outputs}
        except Exception as problem:  # noqa: BLE001 - unpickling raises whatever the classes in it raise
            now, then = Environment.current(), self.environment
            failures = {
                o.name: LoadFailure(o.name, problem, raw, now, then, type_name=o.type, origin=self.location)
                for o in outputs
            }
            # Those that came before the one that failed are whole.
            return failures | {name: value for name, value in values.items() if name in failures}

    def __contains__(self, name: object) -> bool:
        return name in self._outputs

    def __iter__(self) -> Iterator[str]:
        return iter(self._outputs)

    def __len__(self) -> int:
        return len(self._outputs)

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={value}" for name, value in self._told().items())
        return f"Record([{', '.join(map(_harmless, self.names()))}]; {told})"

    def _told(self) -> dict[str, str]:
        """What a reader of another Environment needs to know, in words."""
        environment, sections = self.environment, self.header.sections
        told = {
            "version": str(self.format_version),
            "python": "unknown" if environment is None else _harmless(environment.python),
            "codec": _harmless("+".join(dict.fromkeys(section.codec for section in sections)) or "none"),
            "image": repr("" if environment is None else environment.image or ""),
        }
        packed = {p.compression: None for s in sections for p in (s.packed, *(b.packed for b in s.buffers)) if p}
        if packed:
            told["compression"] = _harmless("+".join(packed))
        return told if self.is_trusted else {**told, "trusted": "False"}

    def _repr_html_(self) -> str:
        header = self.header
        about = [header.label, _moment(header.created), *(f"{key}={value}" for key, value in header.tags)]
        about += [f"{name} {value}" for name, value in self._told().items()]
        rows = "".join(
            f"<tr><td>{html.escape(o.name)}</td><td>{html.escape(o.type)}</td>"
            f"<td>{o.nbytes:,} bytes</td><td><code>{html.escape(o.preview)}</code></td></tr>"
            for o in self._outputs.values()
        )
        return (
            f"<div><b>{html.escape(self.location)}</b><div>{html.escape(' · '.join(about))}</div>"
            f"<table><tr><th>name</th><th>type</th><th>size</th><th>preview</th></tr>{rows}</table></div>"
        )


def _place(output: Output) -> int:
    assert output.section is not None, "those without one are not among them"
    return output.section


def distrust(location: str, stored: Stored) -> str:
    """Why a record that we don't trust isn't loaded."""
    signature = stored.signature
    signed = "not signed" if signature is None else f"signed by {signature.signer or 'someone unknown'}, not by you"
    return f"{location} is {signed}, so nothing in it is loaded: loading runs what it says"


def _moment(created: float) -> str:
    try:
        return clock(created)
    except (OverflowError, ValueError, OSError):  # anyone may have written the header
        return "at an impossible time"


def _harmless(text: str) -> str:
    """`text`, unless a terminal would take a part of it for a command."""
    return text if text.isprintable() else repr(text)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)

"""A header as JSON, and back: what anyone may have written is looked at piece by piece.

What is empty may be left out: readers take it for empty.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, cast

from ipycheckpoint.digest import Digest
from ipycheckpoint.identity.identity import Ingredient, Key, Part
from ipycheckpoint.record.record import BufferRef, Header, Output, Packed, SectionRef

if TYPE_CHECKING:
    from ipycheckpoint.identity.identity import IngredientKind, Kind
    from ipycheckpoint.record.record import Compression, Role

_DEPTH = 100
_LATEST = 253402300799.0  # the end of the year 9999, the last one that Python can tell
_MOST_NBYTES = 1 << 60
# There is an end to what the numbers of a header may be. None that we write comes near.

_FLOAT = "$float"
# JSON has no NaN and no infinity: they are {"$float": "nan"}.

_HEXADECIMAL = re.compile(r"[0-9a-f]{64}\Z")


def header_to_json(header: Header) -> dict[str, Any]:
    """The header as JSON has it."""
    plain: dict[str, Any] = {
        "kind": header.kind,
        "label": header.label,
        "key": header.key,
        "created": _finite(header.created),
        "seconds": _finite(header.seconds),
        "ingredients": [_plain_ingredient(ingredient) for ingredient in header.ingredients],
        "outputs": [_plain_output(output) for output in header.outputs],
        "sections": [_plain_section(section) for section in header.sections],
        "environment": header.environment,
    }
    if header.expires is not None:
        plain["expires"] = _finite(header.expires)
    if header.texts:
        plain["texts"] = header.texts
    if header.tags:
        plain["tags"] = header.tags
    if header.trace:
        plain["trace"] = _finite(header.trace)
    if header.notes:
        plain["notes"] = header.notes
    return plain


def _plain_ingredient(ingredient: Ingredient) -> dict[str, Any]:
    plain: dict[str, Any] = {"kind": ingredient.kind, "name": ingredient.name, "digest": ingredient.digest}
    if ingredient.preview:
        plain["preview"] = ingredient.preview
    if ingredient.source is not None:
        plain["source"] = ingredient.source
    if ingredient.parts:
        plain["parts"] = {path: list(part) for path, part in ingredient.parts.items()}
    return plain


def _plain_output(output: Output) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "name": output.name,
        "role": output.role,
        "type": output.type,
        "nbytes": output.nbytes,
        "preview": output.preview,
        "section": output.section,
    }
    if output.target is not None:
        plain["target"] = output.target
    return plain


def _plain_section(section: SectionRef) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "codec": section.codec,
        "digest": section.digest,
        "nbytes": section.nbytes,
        "offset": section.offset,
        **_plain_packing(section.packed),
    }
    if section.buffers:
        plain["buffers"] = [
            {
                "digest": buffer.digest,
                "nbytes": buffer.nbytes,
                "offset": buffer.offset,
                **_plain_packing(buffer.packed),
            }
            for buffer in section.buffers
        ]
    return plain


def _plain_packing(packed: Packed | None) -> dict[str, Any]:
    return {} if packed is None else {"packed": {"compression": packed.compression, "nbytes": packed.nbytes}}


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: repr(value)}
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _infinite(value: Any, depth: int = 0) -> Any:
    if depth > _DEPTH:
        raise ValueError("it is nested too deeply")
    if isinstance(value, dict):
        if value.keys() == {_FLOAT}:
            return float(value[_FLOAT])
        return {key: _infinite(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_infinite(item, depth + 1) for item in value]
    return value


def header_from_json(plain: dict[str, Any]) -> Header:
    """What `header_to_json` wrote. Raises TypeError, ValueError and others for what isn't as it should be."""
    sections = tuple(_section(section) for section in plain["sections"])
    header = Header(
        kind=cast("Kind", _text(plain["kind"])),
        label=_text(plain["label"]),
        key=Key(_digest(plain["key"])),
        created=_moment(_infinite(plain["created"])),
        seconds=_number(_infinite(plain["seconds"])),
        ingredients=tuple(_ingredient(ingredient) for ingredient in plain["ingredients"]),
        outputs=tuple(_output(output, len(sections)) for output in plain["outputs"]),
        sections=sections,
        environment=_digest(plain["environment"]),
        texts=tuple((_count(position), _digest(text)) for position, text in plain.get("texts", ())),
        tags=tuple((_text(key), _text(value)) for key, value in plain.get("tags", ())),
        expires=None if plain.get("expires") is None else _number(_infinite(plain["expires"])),
        trace=dict(_infinite(plain.get("trace", {}))),
        notes=tuple(_text(note) for note in plain.get("notes", ())),
    )
    if header.nbytes > _MOST_NBYTES:
        raise ValueError("its sections are larger than anything")
    return header


def _ingredient(plain: dict[str, Any]) -> Ingredient:
    return Ingredient(
        kind=cast("IngredientKind", _text(plain["kind"])),
        name=_text(plain["name"]),
        digest=_digest(plain["digest"]),
        preview=_text(plain.get("preview", "")),
        source=None if plain.get("source") is None else _text(plain["source"]),
        parts={
            path: Part(_digest(digest), _text(preview)) for path, (digest, preview) in plain.get("parts", {}).items()
        },
    )


def _output(plain: dict[str, Any], sections: int) -> Output:
    section = None if plain.get("section") is None else _count(plain["section"])
    if section is not None and section >= sections:
        raise ValueError(f"there is no section {section}")
    return Output(
        name=_text(plain["name"]),
        role=cast("Role", _text(plain["role"])),
        type=_text(plain.get("type", "")),
        nbytes=_count(plain.get("nbytes", 0)),
        preview=_text(plain.get("preview", "")),
        section=section,
        target=None if plain.get("target") is None else _text(plain["target"]),
    )


def _section(plain: dict[str, Any]) -> SectionRef:
    return SectionRef(
        codec=_text(plain["codec"]),
        digest=_digest(plain["digest"]),
        nbytes=_count(plain["nbytes"]),
        offset=_count(plain["offset"]),
        buffers=tuple(
            BufferRef(
                _digest(buffer["digest"]),
                _count(buffer["nbytes"]),
                None if buffer.get("offset") is None else _count(buffer["offset"]),
                _packing(buffer),
            )
            for buffer in plain.get("buffers", ())
        ),
        packed=_packing(plain),
    )


def _packing(plain: dict[str, Any]) -> Packed | None:
    packed = plain.get("packed")
    if packed is None:
        return None
    return Packed(cast("Compression", _text(packed["compression"])), _count(packed["nbytes"]))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.80} is no text")
    return value


def _digest(value: object) -> Digest:
    # It becomes a name in a store: nothing else may pass for one.
    if not _HEXADECIMAL.match(_text(value)):
        raise ValueError(f"{value!r:.80} is no Digest")
    return Digest(_text(value))


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _MOST_NBYTES:
        raise ValueError(f"{value!r:.80} is no number of bytes")
    return value


def _number(value: object) -> float:
    if type(value) is not int and type(value) is not float:
        raise TypeError(f"{value!r:.80} is no number")
    return float(value)


def _moment(value: object) -> float:
    number = _number(value)
    if not -_LATEST <= number <= _LATEST:
        raise ValueError(f"{value!r:.80} is no time")
    return number

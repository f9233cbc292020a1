"""Faces: what a live widget looks like when its kernel is gone, as text and as HTML that do nothing.

A widget is a model in the kernel and a view in the browser, and the model of a run that is restored doesn't exist. So
its display is kept with the face that it had at the end of the run.
"""

from __future__ import annotations

import base64
import html
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ipycheckpoint.engine.recorder import Bundle

    Captured = Callable[[Any], Iterable[Mapping[str, Any]]]
    """The outputs that a widget holds, in the format of a notebook."""

VIEW = "application/vnd.jupyter.widget-view+json"

_WAS_LIVE = "was a live widget"
_DEEPEST = 20
_STANDING = ("text/html", "image/svg+xml", "image/png", "image/jpeg", "text/markdown", "text/latex")
"""What a widget may bring along that can be seen without it."""


@dataclass(frozen=True, slots=True)
class Face:
    """How a widget looks."""

    text: str
    html: str
    is_live: bool = True
    """It could do something that its face can't."""


_NOTHING = Face("", "", is_live=False)


def loaded_widgets() -> Mapping[str, Any]:
    """All widgets that are alive, by the id of their model. Empty where nobody has loaded ipywidgets."""
    module = sys.modules.get("ipywidgets.widgets.widget")
    if module is None:
        return {}
    known = getattr(module, "_instances", None)  # since ipywidgets 8
    return known if known is not None else module.Widget.widgets  # type: ignore[no-any-return]  # it is untyped


def static(data: Bundle, captured: Captured) -> Bundle | None:
    """The bundle without what needs a live widget: with its face instead. None if nothing is seen of it any more."""
    if VIEW not in data:
        return data
    rest = {mime: value for mime, value in data.items() if mime != VIEW}
    view = data[VIEW]
    widget = loaded_widgets().get(view.get("model_id", "")) if isinstance(view, dict) else None
    if widget is None and "ipywidgets.widgets.widget" in sys.modules:
        return None
    if widget is None or any(mime in rest for mime in _STANDING):
        return rest
    face = face_of(widget, captured)
    if face == _NOTHING:
        return None
    if not face.is_live:
        return {"text/plain": face.text, "text/html": face.html}
    note = f'<div style="font-size:85%;opacity:0.7">{_WAS_LIVE}</div>'
    return {"text/plain": f"{face.text} ({_WAS_LIVE})".lstrip(), "text/html": f"<div>{face.html}{note}</div>"}


def face_of(widget: Any, captured: Captured, depth: int = 0) -> Face:
    """The face of one widget and of those inside it, whatever they are."""
    if depth > _DEEPEST:
        return Face("…", "…")
    try:
        return _face(widget, captured, depth)
    except Exception:  # noqa: BLE001 - widgets are anybody's code, and a face must not cost the record
        return _of_stranger(widget)


def _face(widget: Any, captured: Captured, depth: int) -> Face:
    kind = _kind(widget)
    layout = getattr(widget, "layout", None)
    if getattr(layout, "visibility", None) == "hidden" or getattr(layout, "display", None) == "none":
        return _NOTHING
    if "children" in _traits(widget):
        return _of_box(widget, kind, captured, depth)
    for names, make in _KINDS:
        if kind in names:
            return make(widget, kind)
    if kind == "Output":
        return _of_outputs(captured(widget), captured, depth)
    if "value" in _traits(widget):
        return _described(widget, _in_words(widget.value))
    return _of_stranger(widget)


def _kind(widget: Any) -> str:
    """The name of the widget's class in ipywidgets that it is, or that it inherits from."""
    for known in type(widget).__mro__:
        if known.__module__.startswith("ipywidgets.") and not known.__name__.startswith("_"):
            return known.__name__
    return ""


def _traits(widget: Any) -> Iterable[str]:
    names: Iterable[str] = widget.trait_names()
    return names


def _of_stranger(widget: Any) -> Face:
    name = type(widget).__name__
    return Face(name, html.escape(name))


def _of_box(widget: Any, kind: str, captured: Captured, depth: int) -> Face:
    faces = [face_of(child, captured, depth + 1) for child in widget.children]
    is_live = any(face.is_live for face in faces)
    if kind in ("Tab", "Accordion", "Stack"):
        titles = [_title(widget, place) for place in range(len(faces))]
        pages = list(zip(titles, faces, strict=True))
        text = "\n".join(f"{title}: {face.text}" if title else face.text for title, face in pages)
        parts = (
            f"<details{' open' if place == widget.selected_index else ''}><summary>{html.escape(title)}</summary>"
            f"{face.html}</details>"
            for place, (title, face) in enumerate(pages)
        )
        return Face(text, f"<div>{''.join(parts)}</div>", is_live)
    if kind in ("HBox", "Box"):
        inside = "".join(face.html for face in faces)
        style = "display:flex;flex-direction:row;align-items:center;column-gap:4px"
        return Face(_beside(face.text for face in faces), f'<div style="{style}">{inside}</div>', is_live)
    text = "\n".join(face.text for face in faces if face.text)
    return Face(text, "<div>" + "".join(f"<div>{face.html}</div>" for face in faces) + "</div>", is_live)


def _title(widget: Any, place: int) -> str:
    if "titles" in _traits(widget):
        return str(widget.titles[place])
    return str(widget.get_title(place) or "")  # before ipywidgets 8


def _beside(texts: Iterable[str]) -> str:
    """In one line, with a bar close to what describes it, as tqdm writes it."""
    line = ""
    for text in texts:
        is_apart = not line or not text or line[-1].isspace() or text[0].isspace() or text[0] == "|"
        line += text if is_apart else f" {text}"
    return line


def _of_text(widget: Any, kind: str) -> Face:
    value = str(widget.value)
    if kind == "Label":
        return _described(widget, value, is_live=False)
    # A browser runs no scripts in what a HTML widget holds, but it would run those of an output.
    inert = _without_scripts(value)
    return _described(widget, _visible(inert), f"<span>{inert}</span>", is_live=False)


def _of_bar(widget: Any, _: str) -> Face:
    low, high = float(widget.min), float(widget.max)
    part = min(max((float(widget.value) - low) / (high - low), 0.0), 1.0) if high > low else 1.0
    tenths = int(part * 10)
    bar = f"<progress value='{part:.4f}' max='1'></progress>"
    return _described(widget, f"|{'█' * tenths}{' ' * (10 - tenths)}|", bar, is_live=False)


def _of_button(widget: Any, _: str) -> Face:
    words = str(widget.description)
    return Face(f"[{words}]", f"<button disabled>{html.escape(words)}</button>")


def _of_tick(widget: Any, _: str) -> Face:
    return _described(widget, "☑" if widget.value else "☐", before=True)


def _of_choice(widget: Any, _: str) -> Face:
    label = widget.label
    return _described(widget, ", ".join(map(str, label)) if isinstance(label, tuple) else _in_words(label))


def _of_range(widget: Any, _: str) -> Face:
    low, high = widget.value
    return _described(widget, f"{_in_words(low)} – {_in_words(high)}")


def _of_secret(widget: Any, _: str) -> Face:
    return _described(widget, "•" * 8 if widget.value else "")


def _of_picture(widget: Any, _: str) -> Face:
    kind, content = str(widget.format), bytes(widget.value)
    if kind == "url":
        source = content.decode("utf-8", "replace")
    else:
        mime = {"svg": "svg+xml", "jpg": "jpeg"}.get(kind, kind)
        source = f"data:image/{mime};base64,{base64.b64encode(content).decode('ascii')}"
    return Face("<image>", f'<img src="{html.escape(source)}">', is_live=False)


def _of_media(widget: Any, kind: str) -> Face:
    words = f"{kind.lower()} of {len(bytes(widget.value)):,} bytes"
    return Face(words, html.escape(words))


_KINDS: tuple[tuple[frozenset[str], Callable[[Any, str], Face]], ...] = (
    (frozenset({"HTML", "HTMLMath", "Label"}), _of_text),
    (frozenset({"IntProgress", "FloatProgress"}), _of_bar),
    (frozenset({"Button"}), _of_button),
    (frozenset({"Checkbox", "ToggleButton", "Valid"}), _of_tick),
    (
        frozenset(
            "Dropdown Select RadioButtons ToggleButtons SelectMultiple SelectionSlider SelectionRangeSlider".split()
        ),
        _of_choice,
    ),
    (frozenset({"IntRangeSlider", "FloatRangeSlider"}), _of_range),
    (frozenset({"Password"}), _of_secret),
    (frozenset({"Image"}), _of_picture),
    (frozenset({"Audio", "Video", "FileUpload"}), _of_media),
)


def _described(
    widget: Any, text: str, as_html: str | None = None, *, is_live: bool = True, before: bool = False
) -> Face:
    """A value, and what it is the value of: behind it, or `before` it."""
    if as_html is None:
        as_html = f"<span style='white-space:pre-wrap'>{html.escape(text)}</span>"
    words = str(getattr(widget, "description", "") or "")
    if not words:
        return Face(text, as_html, is_live)
    shown = html.escape(words)
    if before:
        return Face(f"{text} {words}", f"<span>{as_html} {shown}</span>", is_live)
    line = _beside([words if text.startswith("|") else f"{words}:", text])
    return Face(line, f"<span>{shown} {as_html}</span>", is_live)


def _in_words(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (tuple, list)):
        return ", ".join(map(_in_words, value))
    return str(value)


def _of_outputs(outputs: Iterable[Mapping[str, Any]], captured: Captured, depth: int) -> Face:
    """What went into an Output widget, as a notebook shows it below a cell."""
    faces = [_of_output(output, captured, depth) for output in outputs]
    if not faces:
        return _NOTHING
    text = "".join(face.text if face.text.endswith("\n") else f"{face.text}\n" for face in faces if face.text)
    inside = "".join(face.html for face in faces)
    return Face(text.removesuffix("\n"), f"<div>{inside}</div>", any(face.is_live for face in faces))


def _of_output(output: Mapping[str, Any], captured: Captured, depth: int) -> Face:
    if output["output_type"] == "stream":
        return _preformatted(_joined(output["text"]))
    if output["output_type"] == "error":
        return _preformatted(f"{output.get('ename')}: {output.get('evalue')}")
    data = output.get("data", {})
    text = _joined(data.get("text/plain", ""))
    view = data.get(VIEW)
    widget = loaded_widgets().get(view.get("model_id", "")) if isinstance(view, dict) else None
    if widget is not None:
        return face_of(widget, captured, depth + 1)
    if view is not None:
        return _NOTHING
    for mime in ("text/html", "image/svg+xml"):
        if mime in data:
            return Face(text, f"<div>{_joined(data[mime])}</div>", is_live=False)
    for mime in ("image/png", "image/jpeg"):
        if mime in data:
            source = html.escape("".join(_joined(data[mime]).split()))
            return Face(text, f'<img src="data:{mime};base64,{source}">', is_live=False)
    return _preformatted(text)


def _preformatted(text: str) -> Face:
    plain = re.sub(r"\x1b\[[0-?]*[ -/]*[@-~]", "", text)
    return Face(plain, f"<pre>{html.escape(plain)}</pre>", is_live=False)


def _joined(text: Any) -> str:
    # A notebook file may hold a text as a list of its lines.
    return "".join(text) if isinstance(text, (list, tuple)) else str(text)


def _without_scripts(text: str) -> str:
    before = None
    while before != text:  # what is left may be one
        before = text
        text = re.sub(r"<script\b.*?(?:</script\s*>|\Z)", "", text, flags=re.IGNORECASE | re.DOTALL)
    return text


def _visible(text: str) -> str:
    """What is read of HTML; tqdm pads with a space of the width of a digit."""
    text = re.sub(r"<(?:br|/p|/div|/li|/tr|/h\d)\b[^>]*>", "\n", text, flags=re.IGNORECASE)
    return html.unescape(re.sub(r"<[^>]*>", "", text)).replace("\u2007", " ").removesuffix("\n")

"""A widget that is kept has the face that it had, as text and as HTML that does nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

widgets = pytest.importorskip("ipywidgets")

from ipycheckpoint.surfaces.faces import VIEW, face_of, loaded_widgets, static  # noqa: E402 - only where there are widgets

OLD = int(widgets.__version__.split(".")[0]) < 8


def outputs(widget: Any) -> list[Any]:
    return list(widget.outputs)


def bundle(widget: Any) -> dict[str, Any]:
    return {"text/plain": repr(widget), VIEW: {"version_major": 2, "model_id": widget.model_id}}


def face(widget: Any) -> tuple[str, str]:
    shown = face_of(widget, outputs)
    return shown.text, shown.html


CASES: dict[str, tuple[Callable[[], Any], str]] = {
    "slider": (lambda: widgets.IntSlider(value=7, description="n"), "n: 7"),
    "float": (lambda: widgets.FloatText(value=0.1 + 0.2), "0.3"),
    "range": (lambda: widgets.IntRangeSlider(value=(2, 5), description="r"), "r: 2 – 5"),
    "text": (lambda: widgets.Text(value="words", description="t"), "t: words"),
    "password": (lambda: widgets.Password(value="secret"), "••••••••"),
    "checkbox": (lambda: widgets.Checkbox(value=True, description="on"), "☑ on"),
    "button": (lambda: widgets.Button(description="go"), "[go]"),
    "dropdown": (lambda: widgets.Dropdown(options=[("one", 1), ("two", 2)], value=2), "two"),
    "several": (lambda: widgets.SelectMultiple(options=["a", "b", "c"], value=["a", "c"]), "a, c"),
    "label": (lambda: widgets.Label("words"), "words"),
    "html": (lambda: widgets.HTML("a <b>b</b>&lt;<br>c"), "a b<\nc"),
    "bar": (lambda: widgets.IntProgress(value=5, max=10), "|█████     |"),
    "bar of nothing": (lambda: widgets.FloatProgress(value=0, min=0, max=0), "|██████████|"),
    "described bar": (lambda: widgets.IntProgress(value=10, max=10, description="load"), "load|██████████|"),
    "row": (lambda: widgets.HBox([widgets.Label("a"), widgets.IntText(3)]), "a 3"),
    "column": (lambda: widgets.VBox([widgets.Label("a"), widgets.IntText(3)]), "a\n3"),
    "date": (lambda: widgets.DatePicker(description="d"), "d:"),
    "nothing": (lambda: widgets.Output(), ""),
    "picture": (lambda: widgets.Image(value=b"\x89PNG"), "<image>"),
    "clip": (lambda: widgets.Video(value=b"1234"), "video of 4 bytes"),
    "hidden": (lambda: widgets.Label("x", layout=widgets.Layout(visibility="hidden")), ""),
}


@pytest.mark.parametrize("name", CASES)
def test_a_widget_is_read_as_text(name: str) -> None:
    make, text = CASES[name]
    assert face(make())[0].rstrip() == text


@pytest.mark.parametrize(
    "make",
    [
        lambda text: widgets.Text(value=text, description=text),
        lambda text: widgets.Button(description=text),
        lambda text: widgets.Label(text),
        lambda text: widgets.Dropdown(options=[text]),
        lambda text: widgets.IntProgress(description=text),
        lambda text: widgets.HBox([widgets.Checkbox(description=text)]),
        lambda text: _tab(text),
        lambda text: widgets.Output(outputs=[{"output_type": "stream", "name": "stdout", "text": text}]),
        lambda text: widgets.Output(
            outputs=[{"output_type": "display_data", "data": {"text/plain": text}, "metadata": {}}]
        ),
        lambda text: widgets.Output(
            outputs=[{"output_type": "display_data", "data": {"image/png": f'"{text}'}, "metadata": {}}]
        ),
    ],
)
def test_what_is_text_stays_text(make: Callable[[str], Any]) -> None:
    assert "<script>" not in face(make("<script>alert(1)</script>"))[1]


def _tab(title: str) -> Any:
    tab = widgets.Tab([widgets.Label("in it")])
    tab.set_title(0, title)
    return tab


@pytest.mark.parametrize("kind", [widgets.HTML, widgets.HTMLMath])
@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("<b>x</b>", "<b>x</b>"),
        ("a<script>alert(1)</script>b", "ab"),
        ("a<SCRIPT src='x'>\n</SCRIPT >b", "ab"),
        ("<scr<script></script>ipt>alert(1)</script>", ""),
        ("a<script>never ends", "a"),
    ],
)
def test_html_is_kept_as_a_browser_renders_it_in_a_widget(kind: Any, value: str, kept: str) -> None:
    assert face(kind(value))[1] == f"<span>{kept}</span>"


@pytest.mark.parametrize("kind", [widgets.Tab, widgets.Accordion])
def test_pages_are_shown_under_their_titles(kind: Any) -> None:
    pages = kind([widgets.Label("a"), widgets.Label("b")])
    pages.set_title(0, "first")
    pages.set_title(1, "second")
    pages.selected_index = 1
    text, html = face(pages)
    assert text == "first: a\nsecond: b"
    assert html.count("<details open>") == 1
    assert "<details open><summary>second</summary>" in html


def test_a_bar_of_tqdm_reads_as_tqdm_writes_it() -> None:
    parts = [
        widgets.HTML("d:\u2007100%"),
        widgets.FloatProgress(value=50, max=50),
        widgets.HTML("\u200750/50\u2007[00:00&lt;00:00]"),
    ]
    shown = static(bundle(widgets.HBox(parts)), outputs)
    assert shown is not None
    assert shown["text/plain"] == "d: 100%|██████████| 50/50 [00:00<00:00]"
    assert "live" not in shown["text/html"]


def test_what_could_do_something_is_said_to_have_been_live() -> None:
    shown = static(bundle(widgets.VBox([widgets.IntSlider(value=3)])), outputs)
    assert shown is not None
    assert shown["text/plain"] == "3 (was a live widget)"
    assert "was a live widget" in shown["text/html"]
    assert VIEW not in shown


def test_what_went_into_an_output_is_shown_in_it() -> None:
    held = widgets.Output(
        outputs=[
            {"output_type": "stream", "name": "stdout", "text": "\x1b[31ma\x1b[0m\n"},
            {"output_type": "display_data", "data": {"text/plain": "t", "text/html": "<i>t</i>"}, "metadata": {}},
            {"output_type": "display_data", "data": {"text/plain": "p", "image/png": "iVBO\nRw=="}, "metadata": {}},
            {"output_type": "display_data", "data": bundle(widgets.Label("in a widget")), "metadata": {}},
            {"output_type": "error", "ename": "KeyError", "evalue": "'x'", "traceback": []},
        ]
    )
    text, html = face(held)
    assert text == "a\nt\np\nin a widget\nKeyError: 'x'"
    assert '<pre>a\n</pre><div><i>t</i></div><img src="data:image/png;base64,iVBORw==">' in html


def test_a_widget_that_brings_a_picture_of_itself_keeps_that() -> None:
    picture = {**bundle(widgets.IntSlider()), "image/png": "iVBORw=="}
    shown = static(picture, outputs)
    assert shown is not None
    assert shown.keys() == {"text/plain", "image/png"}


def test_a_closed_widget_is_gone() -> None:
    slider = widgets.IntSlider()
    shown = bundle(slider)
    slider.close()
    assert static(shown, outputs) is None


def test_an_output_that_nothing_went_into_is_not_seen() -> None:
    assert static(bundle(widgets.Output()), outputs) is None


def test_what_is_no_widget_stays_as_it_is() -> None:
    assert static({"text/plain": "a"}, outputs) == {"text/plain": "a"}


def test_a_widget_that_fails_is_named() -> None:
    class Broken(widgets.IntSlider):
        def trait_names(self, **metadata: Any) -> Any:
            raise RuntimeError("broken")

    assert face(Broken()) == ("Broken", "Broken")


def test_a_widget_of_another_package_is_named() -> None:
    class Map(widgets.DOMWidget):
        pass

    assert face(Map()) == ("Map", "Map")


def test_boxes_in_each_other_without_end_come_to_one() -> None:
    box = widgets.VBox()
    box.children = (box,)
    assert face(box)[0] == "…"


def test_all_widgets_are_known() -> None:
    slider = widgets.IntSlider()
    assert loaded_widgets()[slider.model_id] is slider


def test_nothing_is_imported_to_find_that_there_are_no_widgets() -> None:
    code = (
        "import sys\nfrom ipycheckpoint.surfaces.faces import VIEW, static\n"
        "assert static({VIEW: {'model_id': 'x'}, 'text/plain': 'x'}, None) == {'text/plain': 'x'}\n"
        "assert 'ipywidgets' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

"""What is shown is written down in order and in its final state, in bounded memory, and what is left out is said."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.engine import recorder as module
from ipycheckpoint.engine.recorder import Recorder


def show(recorder: Recorder, text: str, identifier: str | None = None, *, update: bool = False) -> None:
    transient = {} if identifier is None else {"display_id": identifier}
    recorder.display({"text/plain": text}, {}, transient, update=update)


def seen(recorder: Recorder) -> list[str]:
    return [_text(event) for event in recorder.tape().events]


def _text(event: dict[str, Any]) -> str:
    return event.get("text") or event.get("data", {}).get("text/plain") or event["event"]


@given(
    st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.text(st.characters(exclude_characters="\r\b\x1b"))))
)
def test_streams_keep_their_order_and_every_character(writes: list[tuple[str, str]]) -> None:
    recorder = Recorder()
    for name, text in writes:
        recorder.stream(name, text)
    events = recorder.tape().events
    assert "".join(event["text"] for event in events) == "".join(text for _, text in writes)
    assert all(one["name"] != other["name"] for one, other in itertools.pairwise(events))


def test_a_display_that_is_updated_is_kept_in_its_final_state_where_it_first_was() -> None:
    recorder = Recorder()
    show(recorder, "1", "i")
    recorder.stream("stdout", "between")
    show(recorder, "2", "i", update=True)
    assert seen(recorder) == ["2", "between"]
    assert recorder.tape().events[0]["update"] is False


def test_displays_that_share_an_identifier_are_updated_together() -> None:
    recorder = Recorder()
    show(recorder, "1", "i")
    show(recorder, "1", "i")
    show(recorder, "2", "i", update=True)
    assert seen(recorder) == ["2", "2"]


def test_the_latest_update_of_a_display_of_another_cell_is_kept_as_an_update() -> None:
    recorder = Recorder()
    show(recorder, "2", "i", update=True)
    show(recorder, "3", "i", update=True)
    (event,) = recorder.tape().events
    assert (event["data"], event["update"]) == ({"text/plain": "3"}, True)


def test_what_was_cleared_is_gone() -> None:
    recorder = Recorder()
    recorder.stream("stdout", "old")
    recorder.clear(wait=False)
    recorder.stream("stdout", "new")
    assert recorder.tape().events == [
        {"event": "clear", "wait": False},
        {"event": "stream", "name": "stdout", "text": "new"},
    ]


@pytest.mark.parametrize("then", [(), ("new",)], ids=["nothing comes", "something comes"])
def test_what_waits_to_be_cleared_is_gone_when_something_comes(then: tuple[str, ...]) -> None:
    recorder = Recorder()
    recorder.stream("stdout", "old")
    recorder.clear(wait=True)
    for text in then:
        recorder.stream("stdout", text)
    assert seen(recorder) == (["clear", "new"] if then else ["old"])


def test_an_update_of_what_was_cleared_is_an_update_of_nothing_here() -> None:
    recorder = Recorder()
    show(recorder, "1", "i")
    recorder.clear(wait=False)
    show(recorder, "2", "i", update=True)
    assert [event.get("update") for event in recorder.tape().events] == [None, True]


def test_the_value_of_the_last_expression_is_kept_apart_from_those_before() -> None:
    recorder = Recorder()
    recorder.result({"text/plain": "1"}, {})
    recorder.last_result({"text/plain": "2"}, {})
    tape = recorder.tape()
    assert [event["event"] for event in tape.events] == ["result"]
    assert tape.result == {"data": {"text/plain": "2"}, "metadata": {}}


def test_a_bundle_that_is_changed_later_is_kept_as_it_was_shown() -> None:
    recorder = Recorder()
    data = {"application/json": {"points": [1]}, "image/png": b"\x89PNG"}
    recorder.display(data, {}, {}, update=False)
    data["application/json"]["points"].append(2)
    assert recorder.tape().events[0]["data"] == {"application/json": {"points": [1]}, "image/png": "iVBORw=="}


def test_a_bar_is_kept_as_it_ends() -> None:
    recorder = Recorder()
    for percent in range(101):
        recorder.stream("stderr", f"\r{percent:>3}%")
    assert seen(recorder) == ["100%"]


def test_a_bar_that_is_wiped_leaves_nothing() -> None:
    recorder = Recorder()
    recorder.stream("stderr", "\r 50%\r    \r")
    recorder.stream("stdout", "done\n")
    assert seen(recorder) == ["done\n"]


@pytest.mark.parametrize(("before", "bar"), [("working", "\r100%"), ("working\n", "100%")])
def test_a_bar_goes_over_what_stands_in_its_line(before: str, bar: str) -> None:
    recorder = Recorder()
    recorder.stream("stdout", before)
    recorder.stream("stderr", "\r  0%\r100%")
    assert seen(recorder) == [before, bar]


def test_of_very_many_events_the_first_and_the_last_are_kept_and_a_line_says_how_many_are_not() -> None:
    recorder = Recorder(100_000)
    for number in range(5_000):
        show(recorder, str(number))
    texts = seen(recorder)
    gap = next(place for place, text in enumerate(texts) if "not kept" in text)
    after = texts[gap + 1 :]
    assert texts[:gap] == [str(n) for n in range(gap)]
    assert after == [str(n) for n in range(5_000 - len(after), 5_000)]
    assert f"… {5_000 - gap - len(after):,} outputs (" in texts[gap]
    assert len(texts) <= 100_000 // module._OVERHEAD + 1


def test_pictures_are_held_up_to_the_limit_while_they_are_shown() -> None:
    recorder = Recorder(1_000_000)
    for number in range(100):
        recorder.display({"text/plain": str(number), "image/png": b"x" * 50_000}, {}, {}, update=False)
        assert sum(recorder._weights) <= 1_000_000
    texts = seen(recorder)
    assert texts[0] == "0"
    assert texts[-1] == "99"
    assert recorder.tape().notes == (f"{recorder._characters_left_out / 1e6:.1f} MB of what it showed is not kept",)


def test_streams_in_turn_are_held_up_to_the_limit_as_well() -> None:
    recorder = Recorder(1_000_000)
    for number in range(20_000):
        recorder.stream(("stdout", "stderr")[number % 2], f"{number} " + "x" * 100 + "\n")
    recorder.stream("stdout", "end\n")
    events = recorder.tape().events
    assert sum(len(event["text"]) for event in events) < 1_000_000
    assert [event["text"].split()[0] for event in (events[0], events[-1])] == ["0", "end"]


def test_a_display_too_large_is_replaced_by_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SHOWN", 1000)
    recorder = Recorder()
    recorder.display({"text/html": "x" * 200_000}, {}, {}, update=False)
    recorder.last_result({"text/html": "x" * 300_000}, {})
    tape = recorder.tape()
    assert tape.events[0]["data"]["text/plain"] == "… 0.2 MB not kept …"
    assert tape.result is not None
    assert tape.result["data"]["text/plain"] == "… 0.3 MB not kept …"
    assert tape.notes == ("0.5 MB of what it showed is not kept",)


def test_what_comes_behind_a_gap_stays_behind_it() -> None:
    recorder = Recorder(10_000)
    recorder.stream("stdout", "a\n")
    show(recorder, "x" * 20_000)
    recorder.stream("stdout", "b\n")
    assert seen(recorder) == ["a\n", "… 1 output (20.0 kB) not kept …\n", "b\n"]


def test_displays_that_grow_do_not_outgrow_the_limit() -> None:
    recorder = Recorder(100_000)
    for number in range(20):
        show(recorder, "small", str(number))
    for number in range(20):
        show(recorder, "x" * 20_000, str(number), update=True)
        assert sum(recorder._weights) <= 100_000
    assert "20.0 kB not kept" in seen(recorder)[-1]


def test_an_update_of_what_is_left_out_is_left_out() -> None:
    recorder = Recorder(50_000)
    for number in range(1000):
        show(recorder, str(number), str(number))
    before = len(recorder.tape().events)
    show(recorder, "update", "500", update=True)
    assert len(recorder.tape().events) == before
    assert "update" not in seen(recorder)


def test_little_is_kept_without_a_note() -> None:
    recorder = Recorder()
    recorder.stream("stdout", "a")
    show(recorder, "b")
    assert recorder.tape().notes == ()


def test_what_is_left_out_of_a_stream_is_noted() -> None:
    recorder = Recorder()
    for number in range(400_000):
        recorder.stream("stdout", f"line {number}\n")
    tape = recorder.tape()
    assert len(tape.events[0]["text"]) < 1_200_000
    assert "lines (" in tape.events[0]["text"]
    assert "MB of what it showed is not kept" in tape.notes[0]


def test_live_displays_get_a_face_and_those_without_one_are_gone() -> None:
    recorder = Recorder()
    show(recorder, "live")
    show(recorder, "closed")
    recorder.result({"text/plain": "live"}, {})
    recorder.last_result({"text/plain": "closed"}, {})

    def face(data: dict[str, Any]) -> dict[str, Any] | None:
        return {"text/plain": "a face"} if data["text/plain"] == "live" else None

    tape = recorder.tape(face)
    assert [event["data"]["text/plain"] for event in tape.events] == ["a face", "a face"]
    assert tape.result is None


def test_threads_lose_nothing() -> None:
    recorder = Recorder()

    def write(name: str) -> None:
        for _ in range(2000):
            recorder.stream(name, "x\n")

    threads = [threading.Thread(target=write, args=(name,)) for name in ("stdout", "stderr") * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "".join(event["text"] for event in recorder.tape().events) == "x\n" * 8000

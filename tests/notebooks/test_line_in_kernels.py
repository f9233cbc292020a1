"""The line under a cell in a real kernel: which messages there are, and what is left in the notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

pytest.importorskip("ipykernel")

from nbclient import NotebookClient

from tests.notebooks import kernels
from tests.notebooks.kernels import OUTCOME

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.kernel

SETUP = "import numpy as np\nn = np.ones(3)"
SLOW = "import ipycheckpoint.surfaces.pace as pace\npace.FIRST_SECONDS = pace._NEXT_SECONDS = 0.0"
LARGE = "print('out')\nx = np.arange(1_000_000.0) + n[0]\nx.sum()"


class Message(NamedTuple):
    kind: str
    word: str
    """The first of what our line says."""
    display: str | None


class Cell(NamedTuple):
    messages: list[Message]
    outputs: list[Any]

    @property
    def ours(self) -> list[Message]:
        return [message for message in self.messages if message.display is not None]

    @property
    def kinds(self) -> list[str]:
        return [output.output_type for output in self.outputs]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run cells in a fresh kernel; the last one, with its messages."""
    messages: list[tuple[int, Message]] = []

    class Client(NotebookClient):
        def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
            content, kind = msg["content"], msg["msg_type"]
            if kind not in ("status", "execute_input"):
                words = content.get("data", {}).get("text/plain", "").split()
                display = (content.get("transient") or {}).get("display_id")
                messages.append((cell_index, Message(kind, words[1] if display and words else "", display)))
            return super().process_message(msg, cell, cell_index)

    monkeypatch.setattr(kernels, "NotebookClient", Client)

    def play(*cells: str) -> Cell:
        messages.clear()
        played = kernels.run(tmp_path, *cells)
        return Cell([message for index, message in messages if index == len(cells)], played[-1].outputs)

    return play


def test_a_quick_cell_sends_one_message_of_ours(play) -> None:
    for _ in range(2):
        cell = play("%%checkpoint\nx = 1\nprint('out')")
        assert [message.kind for message in cell.messages] == ["stream", "display_data"]
        assert OUTCOME in cell.outputs[-1].data


def test_progress_of_a_save_becomes_the_last_word_below_the_output(play) -> None:
    cell = play(SETUP, SLOW, "%%checkpoint\n" + LARGE)
    looking, *keeping = cell.ours
    assert [message.kind for message in cell.messages][:4] == [
        "display_data",
        "clear_output",
        "stream",
        "execute_result",
    ]
    assert (looking.word, keeping[-1].word) == ("looking", "computed")
    assert "keeping" in [message.word for message in keeping]
    assert [message.kind for message in keeping] == ["display_data", *["update_display_data"] * (len(keeping) - 1)]
    (display,) = {message.display for message in keeping}
    assert display != looking.display
    assert cell.kinds == ["stream", "execute_result", "display_data"]
    assert cell.outputs[-1].data[OUTCOME]["outcome"] == "computed"


def test_progress_of_a_load_is_gone_before_the_output(play) -> None:
    play(SETUP, "%%checkpoint\n" + LARGE)
    cell = play(SETUP, SLOW, "%%checkpoint\n" + LARGE)
    *progress, last = cell.ours
    assert "loading" in [message.word for message in progress]
    after = [message.kind for message in cell.messages][len(progress) :]
    assert after == ["clear_output", "stream", "execute_result", "display_data"]
    assert last.display not in {message.display for message in progress}
    assert cell.kinds == ["stream", "execute_result", "display_data"]
    assert cell.outputs[-1].data[OUTCOME]["outcome"] == "restored"


def test_what_autoreload_may_have_said_stays(play) -> None:
    reload = "%load_ext autoreload\n%autoreload 2"
    play(SETUP, "%%checkpoint\n" + LARGE)
    cell = play(SETUP, SLOW, reload, "%%checkpoint\n" + LARGE)
    assert "clear_output" not in [message.kind for message in cell.messages]
    assert [dict(output.data) for output in cell.outputs[:1]] == [{}]
    assert [OUTCOME in output.get("data", {}) for output in cell.outputs] == [False, False, False, True]


@pytest.mark.parametrize("before", ["%config Checkpoint.quiet = True", "pass"])
def test_a_quiet_cell_sends_nothing_of_ours(play, before) -> None:
    magic = "%%checkpoint\n" if before != "pass" else "%%checkpoint --quiet\n"
    for _ in range(2):
        cell = play(SETUP, SLOW, before, magic + LARGE)
        assert [message.kind for message in cell.messages] == ["stream", "execute_result"]

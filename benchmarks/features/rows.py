"""The questions. Each is a row of the table; what it rests on is what the programs did, not what a document says."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.features.scene import Scene, Surface, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.features.scene import Seen
    from benchmarks.features.trial import Trial


@dataclass(frozen=True)
class Question:
    """A row."""

    name: str
    title: str
    ask: Callable[[Trial], Verdict]
    surfaces: tuple[Surface, ...] = ("function", "cell")
    is_of_both: bool = False
    """A tool that has one surface only can't do it altogether."""


QUESTIONS: dict[str, Question] = {}


def question(
    title: str, *surfaces: Surface, is_of_both: bool = False
) -> Callable[[Callable[[Trial], Verdict]], Callable[[Trial], Verdict]]:
    """Makes a row of a function."""

    def add(ask: Callable[[Trial], Verdict]) -> Callable[[Trial], Verdict]:
        name = ask.__name__.replace("_", "-")
        QUESTIONS[name] = Question(name, title, ask, surfaces or ("function", "cell"), is_of_both)
        return ask

    return add


# What is multiplied in a helper's body, by a global.
PLAIN = Scene(
    before=textwrap.dedent("""\
        RATE = 2

        def convert(number):
            return number * 10

        amount = 4"""),
    inputs=("amount",),
    body="total = convert(amount) + RATE\nresult = total + 1",
)
OF_PLAIN = 43


def failed(seen: Seen) -> Verdict | None:
    """What there is to say where something was raised."""
    return Verdict("no", f"raised {seen.failure}") if seen.failure else None


def first(trial: Trial, scene: Scene, expected: Any) -> Verdict | None:
    """Run the scene for the first time; what there is to say if that goes wrong."""
    seen = trial.run(scene)
    if verdict := failed(seen):
        return verdict
    if seen.runs != 1 or seen.value != expected:
        return Verdict("no", f"the first time, it ran {times(seen.runs)} and gave {seen.value!r}")
    return None


def times(count: int) -> str:
    """In words."""
    return {0: "not at all", 1: "once", 2: "twice"}.get(count, f"{count} times")


def restored(trial: Trial, scene: Scene, expected: Any) -> Verdict:
    """*Yes* if the scene isn't run again."""
    seen = trial.run(scene)
    if verdict := failed(seen):
        return verdict
    if seen.runs:
        return Verdict("no", "ran again")
    if seen.value != expected:
        return Verdict("no", f"gave {seen.value!r} instead of {expected!r}")
    return Verdict("yes", "restored")


def noticed(trial: Trial, before: Scene, of_before: Any, after: Scene, of_after: Any) -> Verdict:
    """*Yes* if what is kept is restored, but not for the other scene."""
    for verdict in (first(trial, before, of_before), restored(trial, before, of_before)):
        if verdict is not None and verdict.word == "no":
            return Verdict("no", f"unchanged, it {verdict.why}")
    seen = trial.run(after)
    if verdict := failed(seen):
        return verdict
    if not seen.runs and seen.value == of_before:
        return Verdict("no", f"restored {seen.value!r}, where {of_after!r} is right")
    if seen.value != of_after:
        return Verdict("no", f"gave {seen.value!r}, where {of_after!r} is right")
    return Verdict("yes", "ran again")


def still_restored(trial: Trial, same: list[tuple[str, Scene]], expected: Any, other: Scene, of_other: Any) -> Verdict:
    """*Yes* if the first scene stands for all that are `same`, and not for the other one.

    A tool that restores whatever has changed can't be said to know what is the same.
    """
    if verdict := first(trial, same[0][1], expected):
        return verdict
    answers = {name: restored(trial, scene, expected) for name, scene in same[1:]}
    elsewhere = trial.another()
    first(elsewhere, same[0][1], expected)
    seen = elsewhere.run(other)
    if seen.failure or seen.value != of_other:
        return Verdict("no", "a change that matters isn't noticed either")
    ran = [f"{name}: {verdict.why}" for name, verdict in answers.items() if verdict.word != "yes"]
    if not ran:
        return Verdict("yes", "restored")
    return Verdict("no" if len(ran) == len(answers) else "partly", ", ".join(ran))


@question("survives a restart of the kernel")
def restart(trial: Trial) -> Verdict:
    return first(trial, PLAIN, OF_PLAIN) or restored(trial, PLAIN, OF_PLAIN)


@question("keeps functions and cells", is_of_both=True)
def both(trial: Trial) -> Verdict:
    return restart(trial)


@question("notices an edit of the code itself")
def own_code(trial: Trial) -> Verdict:
    return noticed(trial, PLAIN, OF_PLAIN, PLAIN.but(body=PLAIN.body.replace("+ 1", "+ 2")), 44)


@question("notices a changed helper function")
def helper(trial: Trial) -> Verdict:
    return noticed(trial, PLAIN, OF_PLAIN, PLAIN.but(before=PLAIN.before.replace("* 10", "* 20")), 83)


@question("notices a changed global")
def global_value(trial: Trial) -> Verdict:
    return noticed(trial, PLAIN, OF_PLAIN, PLAIN.but(before=PLAIN.before.replace("RATE = 2", "RATE = 3")), 44)


@question("notices an input that was changed in place")
def changed_input(trial: Trial) -> Verdict:
    scene = Scene(before="numbers = [1, 2]", inputs=("numbers",), body="result = sum(numbers)")
    return noticed(trial, scene, 3, scene.but(before="numbers = [1, 2]\nnumbers.append(3)"), 6)


@question("notices that a file which was read has changed")
def file_read(trial: Trial) -> Verdict:
    data = trial.work / "data.txt"
    data.write_text("1 2 3")
    scene = Scene(before="import pathlib", body="result = sum(map(int, pathlib.Path('data.txt').read_text().split()))")
    for verdict in (first(trial, scene, 6), restored(trial, scene, 6)):
        if verdict is not None and verdict.word == "no":
            return Verdict("no", f"unchanged, it {verdict.why}")
    data.write_text("1 2 3 4")
    seen = trial.run(scene)
    return failed(seen) or Verdict(
        *(("yes", "ran again") if seen.value == 10 else ("no", "restored the sum of before"))
    )


@question("tells `1`, `1.0`, `True`, `'1'` and `('ab', 'c')`, `('a', 'bc')` apart")
def types(trial: Trial) -> Verdict:
    scene = Scene(inputs=("given",), body="result = repr(given)")
    wrong = []
    for source in ("1", "1.0", "True", "'1'", "('ab', 'c')", "('a', 'bc')"):
        seen = trial.run(scene.but(before=f"given = {source}"))
        if verdict := failed(seen):
            return verdict
        if seen.value != source:
            wrong.append(f"{source} gave the result of {seen.value}")
    return Verdict("no", ", ".join(wrong)) if wrong else Verdict("yes", "each had its own result")


@question("a comment, or a line broken differently, is still a hit")
def comment(trial: Trial) -> Verdict:
    same = [
        ("before", PLAIN),
        ("a comment", PLAIN.but(body=PLAIN.body.replace("RATE\n", "RATE  # in euros\n"))),
        (
            "a broken line",
            PLAIN.but(body=PLAIN.body.replace("convert(amount) + RATE", "(convert(amount)\n    + RATE)")),
        ),
    ]
    return still_restored(trial, same, OF_PLAIN, PLAIN.but(body=PLAIN.body.replace("+ 1", "+ 2")), 44)


@question("a renamed local variable or helper is still a hit")
def renamed(trial: Trial) -> Verdict:
    def convert(text: str) -> str:
        return text.replace("convert", "to_cents")

    # In a cell every name is an output, so the local variable stands in the helper.
    local = PLAIN.before.replace("number", "pounds")
    same = [
        ("before", PLAIN),
        ("a local variable", PLAIN.but(before=local)),
        ("a helper", PLAIN.but(before=convert(PLAIN.before), body=convert(PLAIN.body))),
    ]
    return still_restored(trial, same, OF_PLAIN, PLAIN.but(before=PLAIN.before.replace("* 10", "* 20")), 83)


@question("an edit that is taken back is a hit on the old result")
def taken_back(trial: Trial) -> Verdict:
    edited = PLAIN.but(body=PLAIN.body.replace("+ 1", "+ 2"))
    verdict = noticed(trial, PLAIN, OF_PLAIN, edited, 44)
    if verdict.word == "no":
        return Verdict("no", f"the edit: {verdict.why}")
    return restored(trial, PLAIN, OF_PLAIN)


FRAME = Scene(
    before=textwrap.dedent("""\
        import pandas as pd

        frame = pd.DataFrame({"name": ["a", "b", "c"], "size": [1, 2, 3], "mass": [0.5, 1, 2]})"""),
    inputs=("frame",),
    body="result = float(frame['size'].sum() + frame['mass'].sum())",
)


@question("an equal `DataFrame`, built in another way, is still a hit")
def frame(trial: Trial) -> Verdict:
    again = textwrap.dedent("""
        built = pd.DataFrame(index=frame.index)
        for column in frame:
            built[column] = frame[column].copy()
        frame = built""")
    same = [("before", FRAME), ("a frame built column by column", FRAME.but(before=FRAME.before + again))]
    return still_restored(trial, same, 9.5, FRAME.but(before=FRAME.before.replace("[1, 2, 3]", "[1, 2, 4]")), 10.5)


@question("a set of strings is a hit in a process with another hash seed")
def sets(trial: Trial) -> Verdict:
    scene = Scene(
        before="words = {'alpha', 'beta', 'gamma', 'delta', 'epsilon'}", inputs=("words",), body="result = len(words)"
    )
    same = [("before", scene), *[(f"process {place}", scene) for place in (2, 3)]]
    return still_restored(trial, same, 5, scene.but(before="words = {'alpha'}"), 1)


@question("brings a change made in place back")
def in_place(trial: Trial) -> Verdict:
    scene = Scene(
        before="log = []",
        inputs=("log",),
        outputs=("result", "log"),
        body="log.append('seen')\nresult = 7",
        after="value = [result, log]",
    )
    expected = [7, ["seen"]]
    if verdict := first(trial, scene, expected):
        return verdict
    seen = trial.run(scene)
    if verdict := failed(seen):
        return verdict
    if seen.runs:
        return Verdict("partly", "runs again each time")
    if seen.value == expected:
        return Verdict("yes", "restored, with the change")
    return Verdict("no", f"restored without the change: {seen.value!r}")


@question("what was one object is one object again, and a view shares its array's memory")
def aliasing(trial: Trial) -> Verdict:
    scene = Scene(
        before="import numpy as np",
        body="same = [1]\nbase = np.arange(10)\nresult = {'a': same, 'b': same, 'base': base, 'view': base[2:5]}",
        after="result['base'][2] = 99\nvalue = [result['a'] is result['b'], int(result['view'][0]) == 99]",
    )
    if verdict := first(trial, scene, [True, True]):
        return verdict
    seen = trial.run(scene)
    if verdict := failed(seen):
        return verdict
    if seen.runs:
        return Verdict("no", "ran again")
    names = [name for name, holds in zip(("the object", "the memory"), seen.value, strict=True) if not holds]
    if not names:
        return Verdict("yes", "both")
    return Verdict("no" if len(names) == 2 else "partly", f"restored, but {' and '.join(names)} is not shared")


@question("shows again what was printed")
def printed(trial: Trial) -> Verdict:
    scene = Scene(body="print('printed', 'words')\nresult = 1")
    if verdict := first(trial, scene, 1):
        return verdict
    seen = trial.run(scene)
    if verdict := failed(seen):
        return verdict
    if seen.runs:
        return Verdict("no", "ran again")
    return Verdict("yes", "printed again") if "printed words" in seen.text else Verdict("no", "nothing was shown")


@question("results that share bytes share them on disk")
def shared_bytes(trial: Trial) -> Verdict:
    if trial.dialect.tool == "Kishu":
        return Verdict("–", "has no hits by input, so there are no two results of one piece of work")
    scene = Scene(
        before="import numpy as np\nnumber = 1",
        inputs=("number",),
        body="result = {'number': number, 'large': np.random.default_rng(0).random(1_000_000)}",
        after="value = result['number']",
    )
    if verdict := first(trial, scene, 1):
        return verdict
    alone = trial.size()
    seen = trial.run(scene.but(before=scene.before.replace("= 1", "= 2")))
    if verdict := failed(seen):
        return verdict
    if seen.value != 2:
        return Verdict("no", "the second result was not kept: the first was restored in its place")
    ratio = trial.size() / alone
    return Verdict("yes" if ratio < 1.2 else "no", f"two results take {ratio:.2f} times the bytes of one")


@question("processes that ask for the same at once run it once")
def at_once(trial: Trial) -> Verdict:
    if trial.dialect.tool == "Kishu":
        return Verdict("–", "keeps what one session did, for that session")
    scene = Scene(
        before="from benchmarks.features.telling import meet\nmeet()", body="import time\ntime.sleep(4)\nresult = 5"
    )
    seen = trial.together(scene, 3)
    for one in seen:
        if verdict := failed(one):
            return verdict
    if {one.value for one in seen} != {5}:
        return Verdict("no", f"gave {[one.value for one in seen]}")
    runs = sum(one.runs for one in seen)
    return Verdict("yes" if runs == 1 else "no", f"three processes ran it {times(runs)}")


@question("an `async` function or an `await` is kept like any other")
def coroutine(trial: Trial) -> Verdict:
    scene = Scene(body="import asyncio\nawait asyncio.sleep(0)\nresult = 6", is_async=True)
    return first(trial, scene, 6) or restored(trial, scene, 6)


@question("a result that can't be pickled is there all the same, and it says so")
def unpicklable(trial: Trial) -> Verdict:
    scene = Scene(body="result = (number for number in [1, 2])", after="value = list(result)")
    seen = trial.run(scene)
    if verdict := failed(seen):
        return verdict
    if seen.value != [1, 2]:
        return Verdict("no", f"gave {seen.value!r}")
    is_told = any(word in seen.text for word in ("generator", "pickle", "Pickle", "result"))
    return (
        Verdict("yes", "gave it, and told why it isn't kept")
        if is_told
        else Verdict("partly", "gave it, without a word")
    )


@question("never unpickles what somebody else has written")
def stranger(trial: Trial) -> Verdict:
    package = trial.installed / "postal.py"
    package.write_text(
        textwrap.dedent("""\
            import os

            class Letter:
                def __init__(self):
                    self.text = "hello"

                def __setstate__(self, state):
                    vars(self).update(state)
                    if "OPENED" in os.environ:
                        open(os.environ["OPENED"], "w").close()
            """)
    )
    scene = Scene(before="import postal", body="result = [postal.Letter(), 8]", after="value = result[1]")
    seen = trial.run(scene, user="stranger")
    if verdict := failed(seen):
        return verdict
    mark = trial.directory / "opened"
    seen = trial.run(scene, OPENED=str(mark))
    if mark.exists() and not seen.runs:
        return Verdict("no", "unpickled what another user had written")
    if verdict := failed(seen):
        return verdict
    if mark.exists():
        return Verdict("no", "unpickled what another user had written, and then ran again")
    return Verdict("yes", "ran again") if seen.runs else Verdict("no", "loaded it")


@question("a damaged file is noticed")
def damaged(trial: Trial) -> Verdict:
    scene = Scene(
        before="import numpy as np",
        body="result = np.arange(100_000)",
        after="value = [int(result.sum()), len(result)]",
    )
    expected = [4_999_950_000, 100_000]
    if verdict := first(trial, scene, expected):
        return verdict
    largest = max((path for path in trial.cache.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    with largest.open("r+b") as file:
        place = largest.stat().st_size // 2
        file.seek(place)
        byte = file.read(1)
        file.seek(place)
        file.write(bytes([byte[0] ^ 0x10]))
    seen = trial.run(scene)
    if verdict := failed(seen):
        return Verdict("partly", verdict.why)
    if seen.value != expected:
        return Verdict("no", f"gave another array: its sum is {seen.value[0]:,}, where {expected[0]:,} is right")
    return Verdict("yes", "ran again") if seen.runs else Verdict("no", "restored")


@question("what can't be loaded any more is named, and costs a run")
def unloadable(trial: Trial) -> Verdict:
    package = trial.installed / "fragile.py"
    package.write_text("class OldModel:\n    pass\n\ndef make():\n    return OldModel()\n")
    scene = Scene(before="import fragile", body="result = [fragile.make(), 9]", after="value = result[1]")
    for verdict in (first(trial, scene, 9), restored(trial, scene, 9)):
        if verdict is not None and verdict.word == "no":
            return Verdict("no", f"unchanged, it {verdict.why}")
    package.write_text("class NewerModel:\n    pass\n\ndef make():\n    return NewerModel()\n")
    seen = trial.run(scene)
    if verdict := failed(seen):
        return verdict
    if not seen.runs:
        return Verdict("no", "restored an object without its class")
    if "OldModel" in seen.text:
        return Verdict("yes", "ran again, and named what could not be loaded")
    return Verdict("partly", "ran again, without a word")


@question("says why it ran again")
def says_why(trial: Trial) -> Verdict:
    trial.explains = True
    edits = {
        "the code": (PLAIN.but(body=PLAIN.body.replace("+ 1", "+ 2")), ("code", "has changed")),
        "the helper": (PLAIN.but(before=PLAIN.before.replace("* 10", "* 20")), ("convert",)),
        "the global": (PLAIN.but(before=PLAIN.before.replace("RATE = 2", "RATE = 3")), ("RATE",)),
    }
    if verdict := first(trial, PLAIN, OF_PLAIN):
        return verdict
    quiet = trial.run(PLAIN).text
    named = []
    for name, (scene, words) in edits.items():
        seen = trial.run(scene)
        # What is said of a hit, too, explains nothing.
        new = "\n".join(line for line in seen.text.splitlines() if line not in quiet)
        if not seen.failure and seen.runs and any(word in new for word in words):
            named.append(name)
    if len(named) == len(edits):
        return Verdict("yes", "named the code, the helper and the global")
    return Verdict("partly", f"named {' and '.join(named)}") if named else Verdict("no", "named nothing")

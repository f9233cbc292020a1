"""What ``%%checkpoint`` does in an IPython shell besides keeping a cell: errors, interrupts, options, its own line."""

# ruff: noqa: E501 - cells are long lines

from __future__ import annotations

import pytest

from tests.semantics.shells import Bench

MAGIC = "%%checkpoint\n"

INTERRUPT = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"


# Errors and interrupts


def test_a_cell_that_raises_is_not_kept_and_what_it_did_stays(bench: Bench) -> None:
    run = bench.run(MAGIC + "x = 1\n1 / 0", MAGIC + "x = 1\n1 / 0", look=("x",))
    assert [cell.errors for cell in run.cells] == [["ZeroDivisionError"]] * 2
    assert (run.outcomes, run.values) == ([], ["1"])


def test_a_traceback_shows_the_lines_of_the_cell_and_the_magic(bench: Bench) -> None:
    shown = bench.run("%%checkpoint mine --tags a=1\nx = 1\nraise ValueError(x)").cells[0].text
    assert "# %%checkpoint mine --tags a=1" in shown
    assert "3 raise ValueError(x)" in shown
    assert "__ipycheckpoint__" not in shown


def test_a_name_that_may_be_bound_survives_an_error(bench: Bench) -> None:
    run = bench.run(
        "x = 1", MAGIC + "if False:\n    x = 2\n1 / 0", look=("x", "[n for n in globals() if 'ipycheckpoint' in n]")
    )
    assert run.values == ["1", "[]"]


@pytest.mark.parametrize("body", ["def f(:\n", "x = = 1", "x = 1\n  y = 2"])
def test_a_syntax_error_is_that_of_the_cell(bench: Bench, body: str) -> None:
    marked, plain = bench.run(MAGIC + body), bench.run("# a line\n" + body, loaded=False)
    assert marked.cells[0].errors == plain.cells[0].errors
    (line,) = [line for line in plain.cells[0].text.splitlines() if "line 2" in line or "line 3" in line][:1]
    assert line.split(",")[-1] in marked.cells[0].text


def test_an_interrupt_while_the_cell_runs_ends_it_and_nothing_is_kept(bench: Bench) -> None:
    cell = MAGIC + f"x = 1\n{INTERRUPT}\nimport time; time.sleep(5)\ny = 2"
    run = bench.run(cell, MAGIC + "z = 1", look=("x", "'y' in globals()"))
    assert run.cells[0].errors == ["KeyboardInterrupt"]
    assert (run.outcomes, run.values) == (["computed"], ["1", "False"])


def test_an_interrupt_of_an_awaiting_cell_leaves_the_shell_as_it_was(bench: Bench) -> None:
    before = "from IPython import get_ipython\nshell = get_ipython()\nimport sys"
    cell = MAGIC + "import asyncio\nawait asyncio.sleep(0)\nraise KeyboardInterrupt"
    look = (
        "'ipycheckpoint' in sys.stdout.write.__module__",
        "'publish' in vars(shell.display_pub)",
        "'compute_format_data' in vars(shell.displayhook)",
    )
    run = bench.run(before, cell, MAGIC + "z = 1", look=look)
    assert (run.outcomes, run.values) == (["computed"], ["False"] * 3)


def test_an_interrupt_while_it_is_kept_keeps_nothing_and_the_values_stay(bench: Bench) -> None:
    setup = f"class Slow:\n    def __reduce__(self):\n        {INTERRUPT}\n        return (Slow, ())"
    run = bench.run(setup, MAGIC + "x = Slow(); y = 1", look=("y", "type(x) is Slow"))
    assert run.values == ["1", "True"]
    assert run.cells[1].outcome == "refused"
    assert "interrupted" in run.cells[1].because


def test_an_interrupt_while_it_is_loaded_restores_nothing(bench: Bench) -> None:
    setup = (
        "import os, signal\nlog = []\nclass Slow:\n    def __getstate__(self): return {'a': 1}\n"
        "    def __setstate__(self, state):\n        if os.environ.get('STOP'): os.kill(os.getpid(), signal.SIGINT)"
    )
    cells = (setup, "lst = []", MAGIC + "first = 1; lst.append(2); slow = Slow()")
    assert bench.run(*cells).outcomes == ["computed"]
    run = bench.run(*cells, look=("'first' in globals()", "lst", "'slow' in globals()"), STOP="1")
    assert run.cells[2].errors == ["KeyboardInterrupt"]
    assert run.values == ["False", "[]", "False"]


def test_an_interrupt_while_it_is_applied_comes_when_all_is_restored(bench: Bench) -> None:
    setup = "import os, signal\nclass Box: pass"
    # `transplant` sets the state of the live object: by then, the restore is under way.
    cells = (setup, "a = Box(); a.v = 1\nb = {'k': 1}", MAGIC + "first = 1; a.v = 2; b['k'] = 2; second = 2")
    hook = (
        "if os.environ.get('STOP'):\n    import ipycheckpoint.engine.changes as c\n    inner = c.transplant\n"
        "    def stopping(live, state):\n        os.kill(os.getpid(), signal.SIGINT)\n        return inner(live, state)\n"
        "    c.transplant = stopping"
    )
    assert bench.run(cells[0], hook, *cells[1:]).outcomes == ["computed"]
    run = bench.run(cells[0], hook, *cells[1:], look=("first", "a.v", "b", "second"), STOP="1")
    assert run.cells[3].errors == ["KeyboardInterrupt"]
    assert run.values == ["1", "2", "{'k': 2}", "2"]


# What can't be kept


def test_a_lock_among_the_outputs_is_named_and_the_values_stay(bench: Bench) -> None:
    cell = "import threading\nx = 1; lock = threading.Lock()"
    run = bench.run(MAGIC + cell, look=("x", "lock.locked()"))
    assert run.values == ["1", "False"]
    assert run.cells[0].outcome == "refused"
    assert "lock" in run.cells[0].because
    assert bench.run(MAGIC + cell).outcomes == ["refused"]


@pytest.mark.parametrize("option", ["--exclude lock", "--outputs x"])
def test_the_rest_is_kept_when_a_lock_is_left_out(bench: Bench, option: str) -> None:
    cell = f"%%checkpoint {option}\nimport threading\nx = 1; lock = threading.Lock()"
    bench.run(cell)
    run = bench.run(cell, look=("x", "'lock' in globals()"))
    assert (run.outcomes, run.values) == (["restored"], ["1", "False"])


@pytest.mark.parametrize("option", ["--exclude x", "--outputs y"])
def test_what_was_left_out_before_is_there_once_the_option_is_gone(bench: Bench, option: str) -> None:
    cell = "%%checkpoint {}\nx = 1; y = 2"
    bench.run(cell.format(option))
    run = bench.run(cell.format(""), look=("x",))
    assert (run.outcomes, run.values) == (["computed"], ["1"])
    assert bench.run(cell.format(option), look=("'x' in globals()",)).values == ["False"]


def test_an_input_that_cannot_be_identified_is_named_and_the_cell_runs(bench: Bench) -> None:
    run = bench.run("import threading\nlock = threading.Lock()", MAGIC + "with lock: x = 1", look=("x",))
    assert run.cells[1].outcome == "refused"
    assert "`lock`" in run.cells[1].because
    assert run.values == ["1"]


def test_a_last_value_that_cannot_be_kept_is_shown_again(bench: Bench) -> None:
    cell = MAGIC + "x = 1\n(i for i in [])"
    assert bench.run(cell).outcomes == ["computed"]
    run = bench.run(cell, look=("x",))
    assert run.outcomes == ["restored"]
    assert "generator object" in run.cells[0].outputs[0][1]["text/plain"]


# Options


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--tgas a=1", "did you mean --tags"),
        ("--tags a", "KEY=VALUE"),
        ("--tags =1", "tag"),
        ("--inputs 1x", "--inputs"),
        ("--expires soon", "90s, 12h or 1d"),
        ("--pin no-such-package", "no-such-package"),
        ("one two", "two"),
        ("'unclosed", "unclosed"),
    ],
)
def test_a_bad_option_is_a_short_error_and_the_cell_does_not_run(bench: Bench, line: str, said: str) -> None:
    run = bench.run(f"%%checkpoint {line}\nx = 1", look=("'x' in globals()",))
    assert run.cells[0].errors == ["UsageError"]
    assert said in run.cells[0].text
    assert len(run.cells[0].text.splitlines()) <= 3
    assert run.values == ["False"]


@pytest.mark.parametrize("body", ["%%time\nx = 1", "\n%%bash\necho hi", ""])
def test_a_cell_magic_or_nothing_inside_is_an_error(bench: Bench, body: str) -> None:
    run = bench.run(MAGIC + body, look=("'x' in globals()",))
    assert (run.cells[0].errors, run.values) == (["UsageError"], ["False"])


def test_a_cell_of_comments_just_runs(bench: Bench) -> None:
    run = bench.run(MAGIC + "# nothing\n")
    assert (run.cells[0].errors, run.cells[0].outputs, run.outcomes) == ([], [], [])


@pytest.mark.parametrize("option", ["--rerun"])
def test_rerun_runs_and_keeps_the_new_result(bench: Bench, option: str) -> None:
    clock = "import itertools, os\ncount = int(os.environ['COUNT'])"
    body = "\ny = count"
    bench.run(clock, "%%checkpoint --inputs os" + body, COUNT="1")
    assert bench.run(clock, "%%checkpoint --inputs os" + body, look=("y",), COUNT="2").values == ["1"]
    assert bench.run(clock, f"%%checkpoint --inputs os {option}" + body, look=("y",), COUNT="3").values == ["3"]
    assert bench.run(clock, "%%checkpoint --inputs os" + body, look=("y",), COUNT="4").values == ["3"]


def test_quiet_says_nothing_and_keeps(bench: Bench) -> None:
    run = bench.run("%%checkpoint --quiet\nx = 1", "%%checkpoint\nx = 1")
    assert run.outcomes == ["restored"]


def test_a_watched_file_counts_by_its_content(bench: Bench) -> None:
    file = bench.directory / "data.txt"
    cell = "%%checkpoint --watch data.txt\ny = open('data.txt').read()"
    file.write_text("one")
    assert bench.run(cell, look=("y",)).outcomes == ["computed"]
    file.write_text("one")
    assert bench.run(cell).outcomes == ["restored"]
    file.write_text("two")
    run = bench.run(cell, look=("y",))
    assert (run.outcomes, run.values) == (["computed"], ["'two'"])


@pytest.mark.parametrize(
    ("mode", "outcomes"), [("off", []), ("read", ["restored"]), ("refresh", ["computed"]), ("on", ["restored"])]
)
def test_the_mode_comes_from_the_environment(bench: Bench, mode: str, outcomes: list[str]) -> None:
    bench.run(MAGIC + "x = 1")
    run = bench.run(MAGIC + "x = 1", look=("x",), IPYCHECKPOINT_MODE=mode)
    assert (run.outcomes, run.values) == (outcomes, ["1"])


def test_read_keeps_nothing(bench: Bench) -> None:
    for _ in range(2):
        assert bench.run(MAGIC + "x = 1", IPYCHECKPOINT_MODE="read").outcomes == ["computed"]


def test_a_bad_mode_is_an_error_that_names_the_variable(bench: Bench) -> None:
    run = bench.run(MAGIC + "x = 1", IPYCHECKPOINT_MODE="sometimes")
    assert run.cells[0].errors == ["UsageError"]
    assert "IPYCHECKPOINT_MODE" in run.cells[0].text
    assert "on, off, read, refresh" in run.cells[0].text


def test_settings_are_changed_by_config(bench: Bench) -> None:
    run = bench.run(
        "%config Checkpoint.mode = 'off'", MAGIC + "x = 1", "%config Checkpoint.mode = 'on'",
        "%config Checkpoint.directory = 'elsewhere'", MAGIC + "x = 1", "%config Checkpoint.quiet = True", MAGIC + "x = 1",
    )  # fmt: skip
    assert [cell.outcome for cell in run.cells] == [None, None, None, None, "computed", None, None]
    assert (bench.directory / "elsewhere").is_dir()
    assert not (bench.directory / "cache").exists()


# Around it


@pytest.mark.parametrize("above", ["%%time", "%%capture", "%%capture out"])
def test_a_magic_above_works(bench: Bench, above: str) -> None:
    cells = (f"{above}\n" + MAGIC + "y = 41 + 1\nprint('x')",)
    assert bench.run(*cells, look=("y",)).values == ["42"]
    run = bench.run(*cells, look=("y",))
    assert (run.outcomes, run.values) == (["restored"], ["42"])


@pytest.mark.parametrize("above", ["%%prun -q", "%%timeit -n1 -r1"])
def test_a_magic_above_that_transforms_nothing_runs_the_cell(bench: Bench, above: str) -> None:
    run = bench.run("done = []", f"{above}\n" + MAGIC + "done.append(1)", look=("bool(done)",))
    assert (run.cells[1].errors, run.values, run.outcomes) == ([], ["True"], [])


def test_reset_is_right_before_and_after(bench: Bench) -> None:
    run = bench.run(MAGIC + "x = 1", "%reset -f", MAGIC + "x = 1", look=("x",))
    assert (run.outcomes, run.values) == (["computed", "restored"], ["1"])


def test_run_brings_the_names_of_a_script(bench: Bench) -> None:
    bench.module("script", "z = 5\nprint('ran')\n")
    cell = MAGIC + "%run script.py\ny = 1"
    bench.run(cell)
    run = bench.run(cell, look=("z", "y"))
    assert (run.outcomes, run.values, run.cells[0].text) == (["restored"], ["5", "1"], "ran\n")


def test_a_nested_checkpoint_is_kept_for_itself(bench: Bench) -> None:
    inner = "get_ipython().run_cell('%%checkpoint inner\\na = 1')"
    assert bench.run(inner).outcomes == ["computed"]
    assert bench.run("z = 1; " + inner, look=("a",)).outcomes == ["restored"]


def test_a_checkpoint_in_a_checkpoint_keeps_both(bench: Bench) -> None:
    outer = MAGIC + "get_ipython().run_cell('%%checkpoint inner\\na = 1')\nb = a"
    first = bench.run(outer, look=("a", "b"))
    assert sorted(about["outcome"] for about in first.cells[0].abouts) == ["computed", "computed"]
    second = bench.run(outer, look=("a", "b"))
    assert [about["outcome"] for about in second.cells[0].abouts] == ["restored"]
    assert second.values == first.values == ["1", "1"]


def test_what_follows_a_silent_checkpoint_is_not_its_work(bench: Bench) -> None:
    silent = "get_ipython().run_cell('%%checkpoint\\nx = 1', silent=True)"
    assert bench.run(f"{silent}; x = 2", look=("x",)).values == ["2"]
    assert bench.run(f"{silent}; y = x", look=("y",)).values == ["1"]


HOOKS = (
    "def hooks():\n    s = get_ipython()\n    import builtins\n    return [len(s.input_transformers_cleanup), len(s.ast_transformers),"
    " len(s.events.callbacks['pre_run_cell']), len(s.events.callbacks['post_run_cell']), 'checkpoint' in"
    " s.magics_manager.magics['cell'], 'checkpoint' in s.magics_manager.magics['line'], sum('ipycheckpoint' in type(c).__module__ for c in s.configurables),"
    " hasattr(builtins, '__ipycheckpoint__'), '%%checkpoint' in s.strdispatchers['complete_command'].strs]"
)


def test_unloading_leaves_nothing(bench: Bench) -> None:
    run = bench.run(
        HOOKS, "before = hooks()", "%load_ext ipycheckpoint", "loaded = hooks()", "%unload_ext ipycheckpoint", "after = hooks()",
        look=("before == after", "before != loaded"), loaded=False,
    )  # fmt: skip
    assert run.values == ["True", "True"]


def test_loading_twice_or_again_doubles_nothing(bench: Bench) -> None:
    run = bench.run(
        HOOKS, "before = hooks()", "%load_ext ipycheckpoint", "%reload_ext ipycheckpoint",
        "import ipycheckpoint; ipycheckpoint.load_ipython_extension(get_ipython())", MAGIC + "x = 1", "after = hooks()",
        look=("before == after",),
    )  # fmt: skip
    assert (run.values, run.outcomes) == (["True"], ["computed"])


def test_a_cell_that_reloads_the_extension_ends_well(bench: Bench) -> None:
    run = bench.run(MAGIC + "%reload_ext ipycheckpoint\nx = 1", MAGIC + "y = 1", look=("x",))
    assert (run.cells[0].errors, run.values, run.cells[1].outcome) == ([], ["1"], "computed")


# What it says


def test_the_line_of_a_miss_names_what_changed(bench: Bench) -> None:
    cells = ("alpha = 1", MAGIC + "y = alpha")
    bench.run(*cells)
    assert "`alpha` changed" in bench.run("alpha = 2", cells[1]).cells[1].because


@pytest.mark.parametrize("argument", ["", " model"])
def test_why_tells_of_the_run_as_text_and_html(bench: Bench, argument: str) -> None:
    bench.run("x = 1", "%%checkpoint model\ny = x")
    (shown,) = bench.run("x = 2", "%%checkpoint model\ny = x", f"%checkpoint why{argument}").cells[2].outputs
    assert "input `x` changed: 1 → 2" in shown[1]["text/plain"]
    assert "<li>" in shown[1]["text/html"]


@pytest.mark.parametrize(
    ("line", "said"), [("why", "no checkpoint has run"), ("wy", "no such command"), ("forget", "Name a LABEL")]
)
def test_a_bad_line_is_a_short_error(bench: Bench, line: str, said: str) -> None:
    run = bench.run(f"%checkpoint {line}")
    assert run.cells[0].errors == ["UsageError"]
    assert said in run.cells[0].text


def test_help_lists_the_options(bench: Bench) -> None:
    run = bench.run(
        "from IPython.core.oinspect import Inspector\nd = get_ipython().find_cell_magic('checkpoint').__doc__",
        look=("d",),
    )
    for option in (
        "--tags",
        "--inputs",
        "--outputs",
        "--exclude",
        "--watch",
        "--no-watch",
        "--pin",
        "--expires",
        "--rerun",
        "--quiet",
    ):
        assert option in run.values[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%%checkpoint --ex", ["--exclude", "--expires"]),
        ("%%checkpoint --inputs alp", ["alpha"]),
        ("%%checkpoint mod", ["model"]),
        ("%checkpoint w", ["why"]),
        ("%checkpoint why mo", ["model"]),
    ],
)
def test_completion(bench: Bench, text: str, expected: list[str]) -> None:
    run = bench.run(
        "alpha = 1",
        "%%checkpoint model\nx = 1",
        f"found = get_ipython().complete({text.rsplit(maxsplit=1)[-1]!r}, {text!r})[1]",
        look=("found",),
    )
    for word in expected:
        assert f"'{word}'" in run.values[0]


def test_the_list_says_how_often_each_was_restored(bench: Bench) -> None:
    cell = "%%checkpoint mine\nx = 1"
    run = bench.run(cell, "%checkpoint list", cell, "%checkpoint list", cell, "%checkpoint list")
    said = [run.cells[n].text.rpartition(", ")[2].strip() for n in (1, 3, 5)]
    assert said == ["not restored yet", "restored once", "restored 2 times"]
